"""Mixture of any family that learns from weighed sums: trees by default, hidden Markov models, Gaussians; exact where they are."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Memory, Source, stack
from ilk.distribution import AnyFamily, Completes, Conditions, Distribution, Family, HasLogProb, HasStatistics, How, Met, Posterior
from ilk.errors import ModelError
from ilk.families._em import Climb, adapt, climb, least, total
from ilk.families._mixture_each import Together
from ilk.families._mixture_fit import grouped, some
from ilk.families.chow_liu import ChowLiu
from ilk.families.ngram import NGrams
from ilk.given import Evidence
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.space import Space
from ilk.store import State

CHUNK, SELECT, START, HELD, SURE, GAIN, LOOK, RANDOM = 1 << 14, 20_000, 10_000, 5, 0.9, 0.01, 8, 2
KS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class Weighted(Distribution["Mixture"]):
    """p(x) = sum over components of weight times p(x | component), each component a distribution of its own."""

    def __init__(self, family: Mixture, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        self._blank(family.components or 1)

    def _blank(self, k: int) -> None:
        self.parts: list[Any] = [self.family.each.build(self.space, Rng(0).child(i)) for i in range(k)]
        self.log_weight = torch.full((k,), 1 / k, dtype=torch.float64).log()

    # learning

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Expectation-maximisation; the number of components by the likelihood of held-out items unless given."""
        self._climb(data, run, Climb("mixture", self.family.rounds, self.family.tolerance), valid)

    def adapt(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Goes on from the law that there is."""
        adapt(self, data, run, valid, Climb("mixture", self.family.rounds, self.family.tolerance))

    def _climb(self, data: Source, run: Run, how: Climb, valid: Source | None) -> None:
        def begin() -> None:
            self.begin_at(data, self.family.components or self._chosen(data, valid, run), run)

        climb(self, begin, lambda: total(self, map(self.statistics, data.chunks(CHUNK))), run, how)

    def begin_at(self, data: Source, k: int, run: Run) -> None:
        """From clusters of some items or from random shares of them, whichever explains them better after a few rounds."""
        few = data.take(some(len(data), START, run.rng.child("start")))
        ways = [grouped(few, self.space, k, run.rng), *(run.rng.child("group", i).integers(len(few), k) for i in range(RANDOM if k > 1 else 0))]
        found = [self._from(few, which, k, run) for which in ways]
        self.restore(max(found, key=lambda one: one[0])[1])

    def _from(self, few: Batch, which: Tensor, k: int, run: Run) -> tuple[float, State]:
        """Nats and state a few rounds after every component was fitted to its group.

        It is told a little of all other items, too, or what it never saw would stay impossible to it.
        """
        self._blank(k)
        for i, part in enumerate(self.parts):
            own = few.take(which == i)
            part.fit(Memory(own if len(own) else few), run.quiet)
            part.absorb(part.statistics(replace(few, weight=(which == i).double() * SURE + (1 - SURE) / k)))
        count = torch.bincount(which, minlength=k).double() + 1
        self.log_weight = (count / count.sum()).log()
        nats = 0.0
        for _ in range(LOOK if k > 1 else 0):
            sums = self.statistics(few)
            nats = float(sums.tensors["nats"])
            self.absorb(sums)
        return nats, self.state()

    def _chosen(self, data: Source, valid: Source | None, run: Run) -> int:
        """The number of components that explains held-out items best; stops after two that gain nothing worth it."""
        few = data.take(some(len(data), SELECT, run.rng.child("select")))
        away = torch.arange(len(few)) % HELD == 0
        held = few.take(away) if valid is None or not len(valid) else valid.take(torch.arange(min(len(valid), SELECT)))
        learn = Memory(few.take(~away) if valid is None or not len(valid) else few)
        how = Climb("mixture", min(30, self.family.rounds), max(1e-2, self.family.tolerance))

        def cost(k: int) -> float:
            one = Weighted(replace(self.family, components=k), self.space, Rng(0), {})
            one._climb(learn, run.quiet, how, None)
            return -float(one.log_prob(held).mean())

        k, nats = least(run.timely(k for k in KS if k <= max(1, len(few) // 10)), cost, GAIN)
        run.emit(Noted(f"{k} components explain held-out items best ({nats:.2f} nats each)"))
        return k

    def joint(self, batch: Batch) -> Tensor:
        """log p(component, item), (K, n)."""
        return self.log_weight[:, None] + torch.stack([part.log_prob(batch) for part in self.parts])

    def statistics(self, batch: Batch) -> State:
        """The E-step: what each component learns from its share of every item. They add up over batches."""
        joint = self.joint(batch)
        each = joint.logsumexp(0)
        share = (joint - each.where(each > -inf, 0.0)).exp()
        weight = torch.ones(len(batch), dtype=torch.float64) if batch.weight is None else batch.weight.double()
        share = share * weight
        sums = _beside([part.statistics(replace(batch, weight=own)) for part, own in zip(self.parts, share, strict=True)])
        return replace(sums, tensors={**sums.tensors, "count": share.sum(1), "items": weight.sum(), "nats": (each * weight).sum()})

    def add(self, one: State, other: State) -> State:
        """Sums of two batches, component by component."""
        sums = _beside([part.add(a, b) for part, a, b in zip(self.parts, self._apart(one), self._apart(other), strict=True)])
        return replace(sums, tensors={**sums.tensors, **{k: one.tensors[k] + other.tensors[k] for k in ("count", "items", "nats")}})

    def absorb(self, state: State) -> None:
        """The M-step, component by component. One that has lost all its items keeps its place and a vanishing weight."""
        count = state.tensors["count"].clamp_min(1e-10)
        self.log_weight = (count / count.sum()).log()
        for part, own in zip(self.parts, self._apart(state), strict=True):
            part.absorb(own)

    def _apart(self, state: State) -> list[State]:
        """The states of the components; ModelError if there are not as many."""
        facts = state.facts.get("parts")
        if not isinstance(facts, list) or len(facts) != len(self.parts):
            raise ModelError(f"a mixture of {len(self.parts)} components needs as many states", code="WEIGHTS_SHAPE")
        return [State({k[len(str(i)) + 1:]: t for k, t in state.tensors.items() if k.startswith(f"{i}/")}, own) for i, own in enumerate(facts)]

    # the law

    def log_prob(self, batch: Batch) -> Tensor:
        """Log density or mass, (n,)."""
        return self.joint(batch).logsumexp(0)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A component by its weight, then an item of it."""
        return drawn(self.parts, self.log_weight, n, rng, how)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """Exact where it is in every component: each is weighed by how well it explains what is known."""
        found = [part.given(evidence, rng.child(i)) if isinstance(part, Conditions) else None for i, part in enumerate(self.parts)]
        known = [f for f in found if f is not None and f.met.sort in ("exact", "estimate")]
        return Told(self.log_weight, known) if len(known) == len(found) else None

    def given_each(self, batch: Batch, known: Tensor, evidence: Evidence | None, rng: Rng) -> Together | None:
        """Exact where it is in every component."""
        found = [part.given_each(batch, known, evidence, rng.child(i)) if isinstance(part, Completes) else None for i, part in enumerate(self.parts)]
        exact = [f for f in found if f is not None and f.ess is None]
        return Together(self.log_weight, exact, known) if len(exact) == len(found) else None

    def state(self) -> State:
        """The weights and every component's state."""
        every = _beside([part.state() for part in self.parts])
        return replace(every, tensors={**every.tensors, "log_weight": self.log_weight})

    def restore(self, state: State) -> None:
        """Takes them back."""
        weight = state.tensors.get("log_weight")
        if weight is None or weight.ndim != 1 or not len(weight) or weight.dtype != torch.float64:
            raise ModelError("these are not the weights of a mixture", code="WEIGHTS_SHAPE")
        self._blank(len(weight))
        self.log_weight = weight
        for part, own in zip(self.parts, self._apart(state), strict=True):
            part.restore(own)


class Told:
    """A mixture once something is known: its components once it is known, weighed anew."""

    def __init__(self, log_weight: Tensor, parts: Sequence[Posterior]) -> None:
        self.parts = parts
        self.log_weight = log_weight + torch.tensor([p.met.log_mass for p in parts], dtype=torch.float64)
        self.met = self._met()

    def _met(self) -> Met:
        """Exact if all components are; else an estimate, the errors of the components counting by their shares."""
        log_mass = float(self.log_weight.logsumexp(0))
        if all(p.met.sort == "exact" for p in self.parts) or log_mass == -inf:
            return Met("exact", log_mass)
        share = (self.log_weight - log_mass).exp().tolist()
        error = sum((s * p.met.log_mass_error) ** 2 for s, p in zip(share, self.parts, strict=True)) ** 0.5
        few = [p.met.ess for s, p in zip(share, self.parts, strict=True) if p.met.ess and s > 0.01]
        return Met("estimate", log_mass, error, min(few, default=None))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A component by its share of what is known, then an item of it."""
        return drawn(self.parts, self.log_weight, n, rng, how)

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x | what is known), (n,)."""
        able = [(w, p) for w, p in zip(self.log_weight - self.met.log_mass, self.parts, strict=True) if w > -inf]
        return torch.stack([w + p.log_prob(batch) for w, p in able]).logsumexp(0)  # type: ignore[attr-defined]


def drawn(parts: Sequence[Any], log_weight: Tensor, n: int, rng: Rng, how: How | None) -> Batch:
    """n items; item i is row i of what its component would draw, so that nothing depends on n or on the other rows."""
    which = rng.child("which").pick(log_weight, n)
    if not n:
        made: Batch = parts[0].sample(0, rng, how)
        return made
    pieces, places = [], []
    for k in which.unique().tolist():
        rows = (which == k).nonzero()[:, 0]
        first, last = int(rows[0]), int(rows[-1])
        pieces.append(parts[k].sample(last - first + 1, rng.child("part", k).at(first), how).take(rows - first))
        places.append(rows)
    return stack(pieces).take(torch.cat(places).argsort())


def _beside(states: Sequence[State]) -> State:
    """States of components as one."""
    return State({f"{i}/{k}": t for i, s in enumerate(states) for k, t in s.tensors.items()}, {"parts": [dict(s.facts) for s in states]})


@dataclass(frozen=True, kw_only=True)
class Mixture(Family):
    """A weighted sum of `components` of one family `each`, learned together by expectation-maximisation (Meila & Jordan 2000 for trees).

    `components` None takes the number that explains held-out items best.

    >>> from ilk.space import Discrete
    >>> body = Mixture(components=2).build(Discrete(2, (3,)), Rng(0))
    >>> body.log_prob(Batch(torch.tensor([[0, 1, 1]]))).exp()
    tensor([0.1250], dtype=torch.float64)
    """

    distribution = Weighted
    each: AnyFamily = ChowLiu()
    components: Annotated[Annotated[int, Interval(ge=1, le=1024)] | None, Tried(None, 4, 16, 64)] = None
    rounds: Annotated[int, Interval(ge=1, le=100_000)] = 200
    tolerance: Annotated[float, Interval(ge=0, le=1)] = 1e-3

    def refuses(self, space: Space) -> str | None:
        """What `each` refuses, and families that have no exact density or no sums of weighed items."""
        kind: type[Any] = self.each.distribution
        if not issubclass(kind, HasLogProb) or not issubclass(kind, HasStatistics) or issubclass(kind, NGrams):
            return f"mixes families with an exact density that learn from sums of weighed items, which {type(self.each).__name__} does not"
        return self.each.refuses(space)
