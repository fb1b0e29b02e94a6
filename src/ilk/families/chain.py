"""The chain rule over the parts of a row: a family of atoms made a family of rows, each part given those before it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import AnyFamily, Distribution, Draws, Family, HasBound, HasLogProb, How, Met, Samples
from ilk.errors import UsageError
from ilk.families._known import values_of
from ilk.families._stages import Stages, View
from ilk.families.vae import VAE
from ilk.given import Evidence, Parts
from ilk.lift import Lift, carried
from ilk.rng import Rng, choose
from ilk.run import Run
from ilk.space import Row, Space
from ilk.store import State

ENUMERABLE = 10_000


@dataclass(frozen=True, eq=False)
class Factor:
    """p(part | earlier parts): a distribution over the lifted part, whose context the earlier parts are."""

    name: str
    lift: Lift
    body: Distribution[Any]
    wrapped: bool   # whether the lift carries a row of this one part, not the part itself

    def batch(self, row: Batch, rng: Rng) -> Batch:
        """The part of some rows as the distribution sees it."""
        part = row.parts[self.name]
        flat = self.lift.encode(Batch({self.name: part}) if self.wrapped else part, rng.child("lift"))
        return replace(flat, context={k: row.parts[k] for k in self.body.about}, weight=row.weight)

    def draw(self, earlier: Mapping[str, Batch], n: int, rng: Rng) -> Batch:
        """The part of n rows, each given its own earlier parts."""
        if isinstance(self.body, Draws) and self.body.about:
            made = self.body.draw(n, rng, {k: earlier[k] for k in self.body.about})
        elif isinstance(self.body, Samples):
            made = self.body.sample(n, rng)
        else:
            raise UsageError(f"{type(self.body).__name__} can't be sampled", code="CAPABILITY")
        back = self.lift.decode(made)
        return back.parts[self.name] if self.wrapped else back


class Chained(Distribution["Chain"]):
    """p(row) = p(part 1) p(part 2 | part 1) ..., in the order of the space."""

    def __init__(self, family: Chain, space: Space, factors: list[Factor]) -> None:
        super().__init__(family, space, Rng(0), {})
        self.factors = factors
        self.stages = Stages({f.name: f.body for f in factors}, {f.name: 1 / len(factors) for f in factors})

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """One factor after the other, each with its share of the budget."""
        factors = {f.name: f for f in self.factors}

        def learn(name: str, stage: Run) -> None:
            one = factors[name]
            held = None if valid is None else View(valid, one.batch, stage.rng.child("valid"))
            one.body.fit(View(data, one.batch, stage.rng.child("train")), stage, held)

        self.stages.fit(run, learn)

    def state(self) -> State:
        """That of every factor."""
        return self.stages.state()

    def restore(self, state: State) -> None:
        """Takes them back; ModelError if they are not of these parts."""
        self.stages.restore(state)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Part after part."""
        return self.completed({}, n, rng)

    def completed(self, known: Mapping[str, Batch], n: int, rng: Rng) -> Batch:
        """Rows of which the first parts are known."""
        parts = dict(known)
        for factor in self.factors[len(known):]:
            parts[factor.name] = factor.draw(parts, n, rng.child("part", factor.name))
        return Batch(parts)


class ChainedBound(Chained):
    """A chain of which some factor has a bound only."""

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """The sum over factors, in nats, (B,) float64."""
        total = torch.zeros(len(batch), dtype=torch.double)
        for factor in self.factors:
            here = rng.child("part", factor.name)
            part = factor.batch(batch, here)
            body: Any = factor.body
            total += (body.log_prob(part) if isinstance(body, HasLogProb) else body.log_prob_bound(part, here)) + factor.lift.log_volume(part)
        return total


class ChainedExact(Chained):
    """A chain of exact factors."""

    def log_prob(self, batch: Batch) -> Tensor:
        """The sum over factors, in nats, (B,) float64."""
        return self.prefix(batch, len(self.factors))

    def prefix(self, batch: Batch, many: int) -> Tensor:
        """Of the first so many parts."""
        total = torch.zeros(len(batch), dtype=torch.double)
        for factor in self.factors[:many]:
            part = factor.batch(batch, Rng(0))
            total += factor.body.log_prob(part) + factor.lift.log_volume(part)  # type: ignore[attr-defined]
        return total

    def given(self, evidence: Evidence, rng: Rng) -> Known | None:
        """Exact where the parts up to the last one mentioned have at most 10,000 values left together."""
        if not isinstance(evidence, Parts):
            return None
        names = [f.name for f in self.factors]
        last = max(names.index(k) for k in evidence.of) + 1
        space = self.space
        found = [values_of(space.parts[k], evidence.of.get(k)) for k in names[:last]] if isinstance(space, Row) else []
        listed = [v for v in found if v is not None]
        if len(listed) < len(found) or prod(len(w) for _, w in listed) > ENUMERABLE:
            return None
        place = torch.cartesian_prod(*[torch.arange(len(w)) for _, w in listed]).reshape(-1, last)
        rows = Batch({k: v.take(i) for k, (v, _), i in zip(names, listed, place.T, strict=False)})
        weight = torch.stack([w[i] for (_, w), i in zip(listed, place.T, strict=True)]).sum(0)
        return Known(self, evidence, rows, self.prefix(rows, last) + weight)


class Known:
    """A chain of which the first parts can have a few values only."""

    def __init__(self, whole: ChainedExact, evidence: Parts, rows: Batch, log_weight: Tensor) -> None:
        self.whole, self.evidence, self.rows, self.log_weight = whole, evidence, rows, log_weight
        self.met = Met("exact", float(log_weight.logsumexp(0)))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A beginning by its weight, then the other parts."""
        which = choose(self.log_weight, rng.child("beginning").uniform(n))
        return self.whole.completed(self.rows.take(which).parts, n, rng)

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) + log weight of the evidence - log mass, (B,)."""
        total = self.whole.log_prob(batch) - self.met.log_mass
        space = self.whole.space
        for name, said in self.evidence.of.items():
            values, weight = values_of(space.parts[name], said)  # type: ignore[union-attr, misc]
            total += _weights(batch.parts[name], values, weight)
        return total


def _weights(part: Batch, values: Batch, weight: Tensor) -> Tensor:
    """The log weight of each item's value, -inf for one that is not among them."""
    same = _flat(part)[:, None] == _flat(values)[None]
    return weight.where(same.all(2), -torch.inf).logsumexp(1)


def _flat(part: Batch) -> Tensor:
    x = part.tensor.reshape(len(part), -1).double()
    if part.seen is None:
        return x
    return torch.cat([x.where(part.seen[:, None], 0.0), part.seen[:, None].double()], 1)


@dataclass(frozen=True, kw_only=True)
class Chain(Family):
    """Any row by a family that learns from a context: each part is modelled by `each`, given the parts before it.

    It is exact where `each` is, else a bound. The order of the parts is that of the row.

    >>> from ilk.space import Discrete, Reals
    >>> model = Chain(each=VAE(codes=2)).build(Row({"kind": Discrete(3), "size": Reals()}), Rng(0))
    >>> model.sample(4, Rng(1)).parts["size"].tensor.shape
    torch.Size([4])
    """

    distribution = Chained
    each: AnyFamily = VAE()

    def ways(self, space: Space) -> list[tuple[str, Lift, dict[str, Space], bool]]:
        """Every part, how it is carried to the family, and what it is given; UsageError for one that can't be."""
        if not isinstance(space, Row):
            raise UsageError("takes rows", code="SPACE")
        found, earlier = [], dict[str, Space]()
        for name, part in space.parts.items():
            lift, wrapped = self._lift(name, part)
            if earlier and (why := self.each.refuses_context(earlier)):
                raise UsageError(f"can't model {name!r} given the parts before it: {type(self.each).__name__} {why}", code="SPACE")
            found.append((name, lift, dict(earlier), wrapped))
            earlier[name] = part
        return found

    def _lift(self, name: str, part: Space) -> tuple[Lift, bool]:
        for outer, wrapped in ((part, False), (Row({name: part}), True)):
            if lift := carried(outer, self.each):
                return lift, wrapped
        raise UsageError(f"can't model {name!r} with {type(self.each).__name__}, which {self.each.refuses(part)}", code="SPACE")

    def refuses(self, space: Space) -> str | None:
        """Anything but a Row whose every part the inner family takes, given those before it."""
        try:
            self.ways(space)
        except UsageError as why:
            return str(why.message)
        return None

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Chained:
        """Exact, bound or neither, as its factors are."""
        if why := self.refuses(space):
            raise UsageError(f"Chain {why}; got {space}", code="SPACE")
        if about:
            raise UsageError(f"Chain {self.refuses_context(about)}", code="CONTEXT")
        factors = [Factor(name, lift, self.each.build(lift.space, rng.child(name), earlier), wrapped) for name, lift, earlier, wrapped in self.ways(space)]
        if all(isinstance(f.body, HasLogProb) and f.lift.keeps == "bijection" for f in factors):
            return ChainedExact(self, space, factors)
        scored = all(isinstance(f.body, HasLogProb | HasBound) for f in factors)
        return ChainedBound(self, space, factors) if scored else Chained(self, space, factors)
