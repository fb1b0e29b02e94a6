"""A hidden Markov model with something known: how a sequence begins, or what is known of its elements by place. Exact."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch, stack
from ilk.decoding._draw import Drawing
from ilk.distribution import How, Met
from ilk.errors import UsageError
from ilk.families._hmm_chain import Seen, back_drawn, final, forward, walks
from ilk.families._mixture_given import Asked, MixturePosterior, asked
from ilk.given import At, Begin, Evidence, Fix, Parts, Weigh
from ilk.rng import Elements, Rng
from ilk.space import Discrete, Reals, Row, Space

if TYPE_CHECKING:
    from ilk.families.hmm import Hidden


class Told:
    """p(sequence | what is known of the elements at some places, which are all there)."""

    def __init__(self, whole: Hidden, said: Mapping[int, MixturePosterior], begun: Tensor | None = None) -> None:
        self.whole, self.said, self.begun = whole, said, begun
        self.places = max(said, default=-1) + 1
        log_fit = torch.zeros(self.places, whole.states, dtype=torch.float64)
        for place, one in said.items():
            log_fit[place] = whole.by_state(one.log_weight) - whole.speech.scale[list(one.said.fixed)].log().sum()
        self.found = forward(Seen.of(log_fit, torch.tensor([self.places])), whole.moves)
        top = log_fit.amax(1).sum()
        mass = float(self.found.mass.log().sum() + top) if self.places <= whole.at_most else -torch.inf
        exact = all(one.met.sort == "exact" for one in said.values())
        error = sum(one.met.log_mass_error**2 for one in said.values()) ** 0.5
        self.met = Met("exact", mass) if exact else Met("estimate", mass, error)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Hidden states from the last known place back, on from there, then what they say."""
        if how is not None:
            return self._drawn(n, rng, how)
        moves = self.whole.moves
        states, length = walks(moves, n, rng.child("states"), back_drawn(self.found, moves, n, rng.child("known")))
        start = length.cumsum(0) - length
        row = torch.arange(n).repeat_interleave(length)
        own = Elements.of(rng.child("speech"), row, torch.arange(len(states)) - start[row])
        pieces, order = [spoken(self.whole, None, states, own)], torch.arange(len(states))
        for place, said in self.said.items():
            here = start + place
            order[here] = len(states) + torch.arange(n) + n * (len(pieces) - 1)
            pieces.append(spoken(self.whole, said, states[here], rng.child("place", place)))
        return Batch(stack(pieces).take(order), length=length)

    def _drawn(self, n: int, rng: Rng, how: How) -> Batch:
        """Element by element, in another way than by its law."""
        if not self.whole.size or (self.said and self.begun is None):
            raise UsageError(f"{type(how).__name__} draws sequences of single whole numbers, of which at most the beginning is known", code="HOW", param="how")
        prefix = torch.zeros(0, dtype=torch.long) if self.begun is None else self.begun

        def begins(start: int, stop: int) -> Whereabouts:
            many = stop - start
            return self.whole.begin(Batch(Batch(prefix.repeat(many)), length=torch.full((many,), len(prefix))))
        return Drawing(self.whole, begins, prefix, self.whole.at_most - len(prefix)).items(n, rng, how)

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(sequence | what is known), -inf where it has no such place."""
        total = self.whole.log_prob(batch) - self.met.log_mass
        start = batch.lengths.cumsum(0) - batch.lengths
        there = batch.lengths >= self.places
        for place, said in self.said.items():
            here = batch.elements.take((start + place)[there])
            total[there] += said.log_prob(here) - self.whole.speech.log_prob(here) + said.met.log_mass
        return total.where(there, -torch.inf)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """More of the same, at other places."""
        if isinstance(evidence, Begin):
            more = {i: held(self.whole.space.of, evidence.elements, i) for i in range(len(evidence.elements))}  # type: ignore[union-attr]
        elif isinstance(evidence, At):
            more = dict(evidence.places)
        else:
            return None
        speech = self.whole.speech
        found = {place: asked(speech, evidence) for place, evidence in more.items()}
        said = {place: MixturePosterior(speech, one, Rng(0).child("known")) for place, one in found.items() if one is not None}
        if more.keys() & self.said.keys() or len(said) < len(more):
            return None
        return Told(self.whole, {**self.said, **said}, evidence.elements if isinstance(evidence, Begin) and not self.said else None)


def held(space: Space, elements: Batch | Tensor, i: int) -> Evidence:
    """What is known of an element that is known whole."""
    if isinstance(elements, Tensor):
        elements = Batch(elements)
    if isinstance(space, Row):
        return Parts({name: held(part, elements.parts[name], i) for name, part in space.parts.items()})
    value = elements.tensor[i].flatten().tolist()
    if isinstance(space, Reals):
        return Fix(dict(enumerate(value)))
    tables = {}
    for j, size in enumerate(space.each if isinstance(space, Discrete) else ()):
        tables[j] = torch.full((size,), -torch.inf, dtype=torch.float64)
        tables[j][int(value[j])] = 0.0
    return Weigh(tables)


def spoken(whole: Hidden, said: MixturePosterior | None, states: Tensor, rng: Rng) -> Batch:
    """What states say, as far as it is not known."""
    law = MixturePosterior(whole.speech, Asked(), rng) if said is None else said
    parts = law.log_weight.reshape(whole.states, -1)
    part = rng.child("part").pick(parts[states], len(states))
    return law.made(states * parts.shape[1] + part, rng)


@dataclass(eq=False)
class Whereabouts:
    """Where sequences stand: p(state now | so far), (n, K), how many elements they have, and which (`size`: none), a step a tensor."""

    whole: Hidden
    now: Tensor
    length: Tensor
    heard: list[Tensor]

    @classmethod
    def after(cls, whole: Hidden, prompt: Batch) -> Whereabouts:
        """After some beginnings."""
        law = forward(whole.seen(prompt), whole.moves).law
        now = final(law, prompt.lengths) if len(law) else torch.zeros(len(prompt), whole.states, dtype=torch.float64)
        return cls(whole, now, prompt.lengths.clone(), list(prompt.padded(whole.size).T))

    def pick(self, rows: Tensor) -> Whereabouts:
        """Some of them."""
        return Whereabouts(self.whole, self.now[rows], self.length[rows], [token[rows] for token in self.heard])

    def cut(self, length: int) -> Whereabouts:
        """The sequences as they stood after at most so many elements."""
        every = torch.stack([torch.full_like(self.length, self.whole.size), *self.heard], 1)
        there = every < self.whole.size
        there &= there.cumsum(1) <= length
        return Whereabouts.after(self.whole, Batch(Batch(every[there]), length=there.sum(1)))

    def push(self, token: Tensor) -> None:
        """Takes one element in; one that has ended stands still."""
        goes = token < self.whole.size
        new = self._ahead()[:, :-1] * self.whole.says()[:, token.clamp_max(self.whole.size - 1)].T
        self.now = (new / new.sum(1, keepdim=True).clamp_min(1e-300)).where(goes[:, None], self.now)
        self.length = self.length + goes
        self.heard.append(token)

    def law(self) -> Tensor:
        """Log masses of the next element and of the end."""
        ahead = self._ahead()
        return torch.cat([ahead[:, :-1] @ self.whole.says(), ahead[:, -1:]], 1).log()

    def _ahead(self) -> Tensor:
        """p(next state), the end last, (n, K + 1)."""
        moves = self.whole.moves
        found = (self.now @ moves.move).where(self.length[:, None] > 0, moves.start)
        only = torch.zeros_like(found)
        only[:, -1] = 1
        return found.where(self.length[:, None] < self.whole.at_most, only)
