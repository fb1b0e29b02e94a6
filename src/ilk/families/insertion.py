"""Insertion: sequences that grow by tokens put anywhere, so that what is known may stand in several places with holes between."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ..batch import Batch, Source, ragged
from ..decoding._contract import Decoding, Walks, decoding
from ..distribution import Family, How, Neural, Phase, Plan, Unfinished, end
from ..errors import UsageError
from ..given import Evidence
from ..nets._decoder import Shape
from ..nets._slots import Slots
from ..recipe import Tried
from ..rng import Rng, choose
from ..space import Discrete, Many, Space
from ._discrete_noise import stratified
from ._insertion_draft import Apart, Draft, nth
from ._insertion_given import Told
from ._sequence import Known, refuses_sequence
from ._transformer_prefix import Prefix

CHUNK, LOOK = 256, 20_000


class Inserting(Neural["Insertion"]):
    """A draft starts as one open slot. Again and again any of the open slots is taken, and a token put into it, which leaves a slot
    open on each side, or the slot closed; the item is done when none is open. Drafts of `reach` tokens only close: four times as
    many as the longest item learned from, since a network that learned little would never end."""

    reach: Tensor

    def __init__(self, family: Insertion, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        if not isinstance(space, Many) or not isinstance(space.of, Discrete):
            raise TypeError("insertion models a Many of Discrete")
        self.size, self.at_most, self.free = space.of.each[0], space.at_most, (torch.zeros(0, dtype=torch.long),) * 2
        super().__init__(family, space, rng, about)

    def build_net(self) -> None:
        """The network of slots, and what puts a context before the drafts."""
        f = self.family
        self.net = Slots(self.size, Shape(self.size + 2, f.layers, f.heads, f.heads, f.width, max(32, round(f.width / 12) * 32), f.dropout))
        self.beside = Prefix(self.about, f.width) if self.about else None
        self.register_buffer("reach", torch.tensor(self.at_most))

    def prepare(self, data: Source) -> None:
        """How long items are, and the scales of what is known beside them."""
        longest = max(int(chunk.lengths.max()) for chunk in data.chunks(LOOK))
        self.reach.fill_(min(self.at_most, 4 * longest + 8))
        if self.beside is not None:
            self.beside.prepare(data.take(torch.arange(min(len(data), LOOK))).context)

    def phases(self) -> Sequence[Phase]:
        """Minus the bound, at one draft an item."""
        return [Phase("insertion", self.parameters, self._loss)]

    def plan(self, items: int) -> Plan:
        """So many passes over the items, and more the fewer there are."""
        batch = int(min(64, max(16, items // 16)))
        steps = int(min(max(600, self.family.epochs * items // batch), 20_000))
        return Plan(steps=steps, batch=batch, rate=2e-3, weight_decay=0.01, ema=0.999, evaluate_every=max(100, steps // 12))

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        return self._nats(batch, rng.child("at").uniform(len(batch)), rng)

    def _nats(self, batch: Batch, at: Tensor, rng: Rng) -> Tensor:
        """One draw of minus the bound: of the 2 n + 1 steps to an item of n tokens, one is looked at, in the mean over what it may be."""
        x, length, balanced = self._padded(batch), batch.lengths, self.family.order == "balanced"
        steps = 2 * length + 1
        apart = Apart.grown(length, x.shape[1], (at * steps).long().minimum(steps - 1), balanced, rng.child("grown"))
        return apart.nats(self.law(apart.draft(x), batch.context).double(), x, balanced) * steps

    def _padded(self, batch: Batch) -> Tensor:
        found = batch.padded(0)
        return found if found.shape[1] else torch.zeros(len(batch), 1, dtype=torch.long)

    def law(self, draft: Draft, context: Known) -> Tensor:
        """Log chances of what is done in each slot, (n, slots, size + 1), the last being to close it."""
        found: Tensor = self.net(draft.tokens, draft.length, draft.open, None if self.beside is None else self.beside(context))
        only = torch.full((self.size + 1,), -torch.inf).index_fill(0, torch.tensor(self.size), 0.0)
        return only.where((draft.length >= self.reach)[:, None, None], found)

    @torch.no_grad()
    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """E over orders of log p(x, order) - log q(order), in the mean over `draws` steps evenly apart, (B,) float64; -inf for items too long.

        Which open slot is taken has the same chance in p and in q. A mean over noise, so it may lie above the bound by chance.
        """
        if self.beside is not None and not batch.context:
            weight = self._every(batch, rng.child("which")).log_softmax(0)   # with noise of its own: the log of a sum would lie above the bound
            return (weight.exp() * (self._every(batch, rng) - weight)).sum(0)
        parts = [self._bound(batch.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(batch), CHUNK)]
        return torch.cat([torch.zeros(0, dtype=torch.double), *parts])

    def _every(self, batch: Batch, rng: Rng) -> Tensor:
        """Bounds on log p(item, label), (labels, B)."""
        if self.beside is None:
            raise TypeError("nothing is known beside these items")
        return torch.stack([share + self.log_prob_bound(replace(batch, context=said), rng) for said, share in self.beside.every(len(batch))])

    def _bound(self, batch: Batch, rng: Rng) -> Tensor:
        fits = batch.lengths <= self.reach
        cut = Batch(batch.elements.take(fits[batch.rows()[0]]), length=batch.lengths.where(fits, 0), context=batch.context)
        nats = [self._nats(cut, at, rng.child("draw", i)) for i, at in enumerate(stratified(rng.child("at"), len(cut), self.family.draws))]
        return -torch.stack(nats).mean(0).where(fits, torch.inf)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Insertions until no slot is open; labels by their shares."""
        return Told(self, {}, self.free).sample(n, rng, how)

    def draw(self, n: int, rng: Rng, context: Known, how: How | None = None) -> Batch:
        """Items given their context."""
        return self.filled(self.free, n, rng, context, how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The drafts after every step."""
        return Told(self, {}, self.free).unfold(n, rng, how, since)

    def filled(self, stretches: Sequence[Tensor], n: int, rng: Rng, context: Known, how: How | None = None) -> Batch:
        """Items that grow from these stretches, each given its own context."""
        return replace(end(self.grown(Draft.between(stretches, n), rng, context, how)).items, context={})

    @torch.no_grad()
    def grown(self, draft: Draft, rng: Rng, context: Known, how: How | None, done: int = 0) -> Iterator[Unfinished]:
        """Drafts as they grow, until no slot is open, from what `done` steps made."""
        way = decoding(how)
        if isinstance(way, Walks):
            raise UsageError(f"{type(how).__name__} goes from left to right; insertion does not", code="HOW", param="how", remedy="Ancestral, TopK, TopP and MinP do")
        most = int(self.reach) if way is None or way.most is None else min(int(self.reach), int(draft.length[:1].sum()) + way.most)
        yield self._state(draft, done, context)
        while bool(draft.open.any()):
            draft, done = self._step(draft, rng.child("step", done), context, way, most), done + 1
            yield self._state(draft, done, context)

    def _step(self, draft: Draft, rng: Rng, context: Known, way: Decoding | None, most: int) -> Draft:
        """Something done in an open slot of each draft that has one."""
        u, after = rng.uniform(len(draft.length), 2), draft
        for part in draft.open.any(1).nonzero()[:, 0].split(CHUNK):
            now = draft.take(part)
            slot = nth(now.open, u[part, 0])
            law = self.law(now, {k: b.take(part) for k, b in context.items()})[torch.arange(len(part)), slot]
            law = law if way is None else way.logits(law)
            closes = (now.length >= most)[:, None] & (torch.arange(self.size + 1) < self.size)
            after = put(after, part, now.done(slot, choose(law.masked_fill(closes, -torch.inf), u[part, 1]), self.size))
        return after

    def _state(self, draft: Draft, done: int, context: Known) -> Unfinished:
        left = bool(draft.open.any()) * (2 * int(self.reach) + 1)
        way = {"tokens": draft.tokens, "length": draft.length, "open": draft.open}
        return Unfinished(replace(ragged(draft.tokens, draft.length), context=context), done, done + left, way)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """A context, met exactly; stretches that stay, with anything between: insertions leave them as they are."""
        return Told(self, {}, self.free).given(evidence, rng)


def put(drafts: Draft, rows: Tensor, some: Draft) -> Draft:
    """Drafts with some of them replaced."""
    wide = max(drafts.tokens.shape[1], some.tokens.shape[1])
    tokens, length = torch.zeros(len(drafts.length), wide, dtype=torch.long), drafts.length.clone()
    open = torch.zeros(len(drafts.length), wide + 1, dtype=torch.bool)
    tokens[:, :drafts.tokens.shape[1]], open[:, :drafts.open.shape[1]] = drafts.tokens, drafts.open
    tokens[rows], open[rows] = 0, False
    tokens[rows, :some.tokens.shape[1]], open[rows, :some.open.shape[1]], length[rows] = some.tokens, some.open, some.length
    return Draft(tokens, length, open)


@dataclass(frozen=True, kw_only=True)
class Insertion(Family):
    """Sequences by insertion (Stern et al. 2019; Gu et al. 2019): any slot of a draft gets a token, or is closed.

    `order` is that in which items are taken apart to be learned: any, or rather from the middle. `draws` drafts an item make the bound.

    >>> model = Insertion(layers=1, heads=2, width=16).build(Many(Discrete(3), 4), Rng(0))
    >>> model.sample(2, Rng(1)).lengths.tolist() == [int(n) for n in model.sample(3, Rng(1)).lengths[:2]]
    True
    """

    distribution = Inserting
    layers: Annotated[int, Interval(ge=1, le=96)] = 2
    heads: Annotated[int, Interval(ge=1, le=128)] = 4
    width: Annotated[int, Interval(ge=2, le=16_384), Tried(64, 96, 160)] = 96
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    order: Literal["uniform", "balanced"] = "uniform"
    draws: Annotated[int, Interval(ge=1, le=100_000)] = 8
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 40

    def refuses(self, space: Space) -> str | None:
        """Anything but sequences of any length of single whole numbers; widths that the heads can't share."""
        if why := refuses_sequence(space):
            return why
        if isinstance(space, Many) and space.fixed:
            return "takes sequences of any length, not all of one"
        return f"needs a width that is a multiple of twice the heads, not {self.width}" if self.width % (2 * self.heads) else None

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels, numbers, pictures and short sequences."""
        return Prefix.refuses(about)
