"""Hidden Markov model: hidden states that follow one another and each speak in their own way; exact masses of sequences of any length."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Annotated, Any, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Memory, Source
from ilk.distribution import Distribution, Family, How
from ilk.errors import ModelError
from ilk.families._em import Climb, adapt, climb, least, total
from ilk.families._hmm_chain import Moves, Seen, backward, forward, likeliest, moved, portions
from ilk.families._hmm_given import Told, Whereabouts
from ilk.families._mixed import Items, Mixed
from ilk.families._mixture_fit import seeded
from ilk.families._poisson import poisson
from ilk.families.gmm import GMM, GaussianMixture
from ilk.given import Evidence
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.space import Discrete, Many, Reals, Row, Space
from ilk.store import State

SELECT, FEW = 20_000, 1e-10   # elements that choose the number of states
KS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class Hidden(Distribution["HMM"]):
    """p(elements) = sum over states of p(first) p(el | state) p(next | state) ...; ending is one more move, so that masses sum to 1.

    What states say is one Gaussian mixture whose components are dealt out among them: `parts` to each state.
    """

    def __init__(self, family: HMM, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        if not isinstance(space, Many):
            raise TypeError("a hidden Markov model is of sequences")
        self.at_most, self.size = space.at_most, space.of.each[0] if isinstance(space.of, Discrete) and space.of.shape == () else 0
        self._blank(family.states or 1)

    def _blank(self, k: int) -> None:
        many = self.space.of  # type: ignore[union-attr]
        recipe = GMM(components=k * self.family.parts, covariance=self.family.covariance, ridge=self.family.ridge, smoothing=self.family.smoothing)
        self.speech = GaussianMixture(recipe, many, Rng(0), {})
        self._goes(torch.ones(k + 1).double(), torch.ones(k, k + 1).double())

    def _goes(self, start: Tensor, move: Tensor) -> None:
        """Starts and moves by their weights; nobody ends by choice where all sequences have one length."""
        if self.space.fixed:  # type: ignore[union-attr]
            last = torch.arange(len(start)) == len(start) - 1
            start, move = start.where(~last, 0.0), move.where(~last, 0.0)
        self.moves = Moves(start / start.sum(), move / move.sum(1, keepdim=True), self.at_most)

    @property
    def states(self) -> int:
        """How many there are."""
        return len(self.moves.move)

    # learning

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Baum-Welch (Baum et al. 1970) from clusters of elements; the number of states by BIC unless given."""
        self._climb(data, run, Climb("hmm", self.family.rounds, self.family.tolerance))

    def adapt(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Goes on from the law that there is."""
        adapt(self, data, run, valid, Climb("hmm", self.family.rounds, self.family.tolerance))

    def _climb(self, data: Source, run: Run, how: Climb) -> float:
        def begin() -> None:
            self.begin_at(data, self.family.states or self._chosen(data, run), run.rng)

        return climb(self, begin, lambda: total(self, map(self.statistics, _pieces(data))), run, how)

    def begin_at(self, data: Source, k: int, rng: Rng) -> None:
        """States from clusters of elements: which of them follow which is learned from there on."""
        few = data.take(rng.child("few").shuffle(len(data))[:max(2, SELECT * 8 // max(1, _mean_length(data)))].sort().values)
        elements = Memory(few.elements)
        self._blank(k)
        self.speech.standardise(elements)
        many = k * self.family.parts
        if self.speech.layout.width:
            self._learn_speech(seeded(self.speech, elements, many, rng))
        else:
            items = self.speech.items(few.elements)
            share = torch.ones(many, len(items), dtype=torch.float64)
            for j, size in enumerate(self.speech.layout.sizes):
                share *= rng.child("speech", j).uniform(many, size).log().neg()[:, items.codes[:, j]]
            self._learn_speech(self.speech.summed(items, share / share.sum(0), torch.zeros(()).double()))
        stay = (torch.eye(k) + torch.full((k, k), 1 / k)).double()
        lengths = few.lengths.double()
        end = float((lengths < self.at_most).sum() / lengths.sum().clamp_min(1).maximum((lengths < self.at_most).double().sum()))
        move = torch.cat([stay / stay.sum(1, keepdim=True) * (1 - end / 2), torch.full((k, 1), end / 2).double()], 1)
        empty = float((lengths == 0).double().mean())
        self._goes(torch.cat([torch.full((k,), (1 - empty) / k), torch.tensor([empty])]).double(), move)

    def _chosen(self, data: Source, run: Run) -> int:
        """The number of states with the least BIC on some sequences; stops after two that are worse."""
        few = Memory(data.take(run.rng.child("select").shuffle(len(data))[:max(10, SELECT // max(1, _mean_length(data)))]))
        how = Climb("hmm", min(30, self.family.rounds), max(1e-3, self.family.tolerance))
        elements = int(few.resident().lengths.sum())

        def cost(k: int) -> float:
            one = Hidden(replace(self.family, states=k), self.space, Rng(0), {})
            now = one._climb(few, run.quiet, how)
            return -2 * now * len(few) + one.parameters() * log(max(2, elements))

        k, bic = least(run.timely(KS), cost)
        run.emit(Noted(f"{k} states have the least BIC ({bic:.0f})"))
        return k

    def parameters(self) -> int:
        """How many free numbers the law has: what BIC counts."""
        return self.states * self.states + self.states - 1 + self.speech.parameters() - (self.states - 1)

    def statistics(self, batch: Batch) -> State:
        """The E-step: expected starts, moves, ends, and what states said. They add up over batches."""
        items = self.speech.items(batch.elements)
        joint = self._joint(items)
        k, parts = self.states, self.family.parts
        seen = Seen.of(joint.logsumexp(1).T, batch.lengths)
        found = forward(seen, self.moves)
        after = backward(seen, self.moves, found)
        weight = torch.ones(len(batch)).double() if batch.weight is None else batch.weight.double()
        row, place = batch.rows()
        share = (found.law * after)[place, row] * weight[row, None]           # (N, K): p(state | whole sequence)
        lengths = batch.lengths
        last, there = lengths.cumsum(0) - 1, lengths > 0
        starts, ends = share[(last - lengths + 1)[there]], share[last[there & (lengths < self.at_most)]]   # nothing is learned of ends that had to be
        deep = (joint - joint.logsumexp(1, keepdim=True)).exp() * share.T[:, None]   # (K, parts, N)
        speech = self.speech.summed(items, deep.reshape(k * parts, -1), torch.zeros(()).double())
        nats = (found.log_prob * weight).sum()
        return State({**speech.tensors, "start": starts.sum(0), "moves": moved(seen, self.moves, found, after, weight), "ends": ends.sum(0),
                      "empty": weight[lengths == 0].sum(), "items": weight.sum(), "nats": nats})

    def _joint(self, items: Items) -> Tensor:
        """log p(element, component | state), (K, parts, N)."""
        law = self.speech.law
        joint = law.joint(items).reshape(self.states, self.family.parts, -1)
        share = law.log_weight.reshape(self.states, -1).logsumexp(1)[:, None, None]
        return joint - share - items.x_there.double() @ self.speech.scale.log()

    def by_state(self, log_weight: Tensor) -> Tensor:
        """Log weights of components, given how common they are, as those of states given nothing, (K,)."""
        both = torch.stack([log_weight, self.speech.law.log_weight]).reshape(2, self.states, -1).logsumexp(2)
        return both[0] - both[1]

    def says(self) -> Tensor:
        """p(element | state) of single whole numbers, (K, size)."""
        law = self.speech.law
        each = (law.log_weight[:, None] + law.tables[0]).reshape(self.states, self.family.parts, -1).logsumexp(1)
        return each.softmax(1)

    def add(self, one: State, other: State) -> State:
        """Sums of two batches."""
        return State({k: t + other.tensors[k] for k, t in one.tensors.items()})

    def absorb(self, state: State) -> None:
        """The M-step. A state that nobody visits keeps even odds."""
        s = state.tensors
        even = self.family.smoothing / self.states
        start = torch.cat([s["start"] + even * bool(s["start"].sum() > 0), s["empty"][None]])
        move = torch.cat([s["moves"] + even, s["ends"][:, None]], 1) + FEW * (self.at_most > 1)
        self._goes(start, move)
        self._learn_speech(state)

    def _learn_speech(self, sums: State) -> None:
        self.speech.absorb(sums)
        if self.family.counts == "poisson":
            law = self.speech.law
            self.speech.law = replace(law, tables=tuple(poisson(t.exp()) for t in law.tables))

    # the law

    def log_prob(self, batch: Batch) -> Tensor:
        """Log density or mass of whole sequences, their end included, (n,); -inf for those longer than `at_most`."""
        found = [forward(self.seen(part), self.moves).log_prob for part in portions(batch)]
        many: Any = self.space
        return torch.cat(found).where((batch.lengths >= many.at_least) & (batch.lengths <= self.at_most), -torch.inf) if found else torch.zeros(0).double()

    def seen(self, batch: Batch) -> Seen:
        """How well each state explains each element."""
        return Seen.of(self._joint(self.speech.items(batch.elements)).logsumexp(1).T, batch.lengths)

    def smoothed(self, batch: Batch) -> Tensor:
        """p(state | whole sequence) of every element, end to end, (N, K)."""
        seen = self.seen(batch)
        found = forward(seen, self.moves)
        row, place = batch.rows()
        return (found.law * backward(seen, self.moves, found))[place, row]

    def filtered(self, batch: Batch) -> Tensor:
        """p(state | sequence so far) of every element, end to end, (N, K)."""
        row, place = batch.rows()
        return forward(self.seen(batch), self.moves).law[place, row]

    def viterbi(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The likeliest states of each sequence (n, longest), -1 after its end, and log p(states, sequence), (n,)."""
        return likeliest(self.seen(batch), self.moves)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """States one after the other, then what they say; sequences of single whole numbers in other ways, too."""
        return Told(self, {}).sample(n, rng, how)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """Exact for how a sequence begins and for what is known of single elements."""
        return Told(self, {}).given(evidence, rng)

    def begin(self, prompt: Batch) -> Whereabouts:
        """Where sequences of single whole numbers stand that begin so."""
        return Whereabouts.after(self, prompt)

    def step(self, cache: Whereabouts, token: Tensor | None) -> Tensor:
        """Log masses of the next element and, last, of the end, (n, size + 1), after taking one in."""
        if token is not None:
            cache.push(token)
        return cache.law()

    def state(self) -> State:
        """Starts, moves and what states say."""
        speech = self.speech.state()
        return State({**speech.tensors, "start": self.moves.start, "move": self.moves.move})

    def restore(self, state: State) -> None:
        """Takes them back."""
        tensors = dict(state.tensors)
        start, move = tensors.pop("start", None), tensors.pop("move", None)
        k = 0 if move is None or move.ndim != 2 else len(move)
        if start is None or move is None or not k or move.shape != (k, k + 1) or start.shape != (k + 1,) or move.dtype != torch.float64:
            raise ModelError("these are not the moves of a hidden Markov model", code="MODEL_DAMAGED")
        self._blank(k)
        self.speech.restore(State(tensors))
        self.moves = Moves(start, move, self.at_most)


def _mean_length(data: Source) -> int:
    few = data.take(torch.arange(min(1000, len(data))))
    return int(few.lengths.double().mean().ceil()) if len(few) else 1


def _pieces(data: Source) -> Any:
    for batch in data.chunks(4096):
        yield from portions(batch)


@dataclass(frozen=True, kw_only=True)
class HMM(Family):
    """A chain of `states` hidden states (0: by BIC); each says elements by a mixture of `parts` Gaussians, or categories, or counts.

    `covariance` is that of a part: full, diag, tied (one for all) or spherical. `counts` says whether whole numbers are categories or
    have a Poisson law, cut where the data end. `smoothing` counts as many moves and categories, spread evenly.

    >>> space = Many(Discrete(2), 4)
    >>> body = HMM(states=2).build(space, Rng(0))
    >>> body.log_prob(Batch(Batch(torch.tensor([0, 1])), length=torch.tensor([2]))).exp()
    tensor([0.0370], dtype=torch.float64)
    """

    distribution = Hidden
    states: Annotated[int, Interval(ge=0, le=4096), Tried(0, 4, 8, 16, 32)] = 0
    parts: Annotated[int, Interval(ge=1, le=256)] = 1
    covariance: Annotated[Literal["full", "diag", "tied", "spherical"], Tried("full", "diag")] = "full"
    counts: Literal["categories", "poisson"] = "categories"
    rounds: Annotated[int, Interval(ge=1, le=100_000)] = 200
    tolerance: Annotated[float, Interval(ge=0, le=1)] = 1e-4
    ridge: Annotated[float, Interval(gt=0, le=1)] = 1e-6
    smoothing: Annotated[float, Interval(ge=0, le=1_000_000)] = 0.01

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but sequences of numbers, categories or rows of them."""
        fits = isinstance(space, Many) and space.ordered and isinstance(space.of, Reals | Discrete | Row)
        if not fits or (isinstance(space.of, Row) and Mixed.refuses(space.of)) or (space.at_least and not space.fixed):  # type: ignore[union-attr]
            return "takes sequences of Reals, Discrete or rows of them, of any length or all of one"
        return None
