"""Discrete diffusion: whole numbers hidden or scrambled, and found again by a network that sees the others; a bound, samples in few steps."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ..batch import Batch, Source, stack
from ..distribution import AnyNet, Family, How, Neural, Phase, Plan, Unfinished, end
from ..given import About, Evidence
from ..nets._context import Partly
from ..nets._guess import Guess
from ..recipe import Tried
from ..rng import Rng
from ..space import Discrete, Many, Space
from ._discrete_given import Told, tables_of
from ._discrete_noise import NOISES, Law, stratified

LOOK, CHUNK, LONGEST, ROUNDS = 100_000, 512, 128, 128


class DiscreteDiffusing(Neural["DiscreteDiffusion"]):
    """p(x) = the law of what is made step by step, each step guessing every position by itself."""

    def __init__(self, family: DiscreteDiffusion, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        atom = space.of if isinstance(space, Many) else space
        if not isinstance(atom, Discrete):
            raise TypeError("discrete diffusion makes whole numbers")
        self.sequence = isinstance(space, Many)
        self.shape, self.sizes = ((space.at_most,), atom.each * space.at_most) if isinstance(space, Many) else (atom.shape, atom.each)
        self.free = torch.zeros(len(self.sizes), max(self.sizes), dtype=torch.double)
        super().__init__(family, space, rng, about)

    def build_net(self) -> None:
        """The network, the noise, and the context, of which any part may go untold."""
        f = self.family
        self.context = Partly(self.about)
        self.net = Guess(self.sizes, self.shape, self.context.width if self.about else 0, f.net, self.sequence)
        many = ROUNDS if f.kind == "absorbing" and f.steps is None and len(self.sizes) > LONGEST else f.steps
        self.noise = NOISES[f.kind](self.sizes, f.schedule, many)

    def prepare(self, data: Source) -> None:
        """The first guess is the marginals of at most 100,000 items."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        self.net.start_at(self.flat(few))
        self.context.prepare(few.context)

    def phases(self) -> Sequence[Phase]:
        """Minus the bound, at one step an item."""
        return [Phase("discrete_diffusion", self.net.parameters, self._loss)]

    def plan(self, items: int) -> Plan:
        """So many passes, and more the fewer items there are; weights averaged over some hundreds of steps."""
        convolves = len(self.shape) > 1
        batch = int(min(64 if convolves or self.sequence else 256, max(16, items // 16)))
        steps = int(min(max(600, self.family.epochs * items // batch), 3000 if convolves or self.sequence else 12_000))
        return Plan(steps=steps, batch=batch, rate=2e-3, weight_decay=0.01, ema=0.999, evaluate_every=max(100, steps // 12))

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        told = self.context.told(batch.context, len(batch), self.context.kept(self.family.drop, len(batch), rng.child("drop"))) if self.about else None
        x, at = self.flat(batch), rng.child("at").uniform(len(batch))
        return self.noise.nats(lambda x, time: self.net(x, 1000 * time, told), x, at.to(x.device), rng)

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Minus the bound, of all steps that the draws reach."""
        return -self.log_prob_bound(batch, rng)

    def law(self, context: Mapping[str, Batch], n: int, guidance: float) -> Law:
        """Log weights of the values of n items, leaning towards their context (Ho & Salimans 2022); what it lacks is not told."""
        told = self.context.told(context, n) if self.about else None
        if told is None or not context or guidance == 1:
            return lambda x, time: self.net(x, 1000 * time, told)
        free = self.context.told({}, n)

        def leaning(x: Tensor, time: Tensor) -> Tensor:
            asked, plain = self.net(x.repeat(2, 1), 1000 * time.repeat(2), torch.cat([told, free])).log_softmax(-1).chunk(2)
            there = plain > -torch.inf
            leant: Tensor = (plain + guidance * (asked - plain).where(there, 0.0)).where(there, -torch.inf)
            return leant
        return leaning

    @torch.no_grad()
    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """The variational bound on the law of sampling without guidance, in the mean over `draws` steps evenly apart, (B,) float64.

        A mean over noise, so it may lie above the bound by chance. An item without a context is scored as one that is told nothing.
        """
        return torch.cat([torch.zeros(0, dtype=torch.double), *(self._bound(batch.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(batch), CHUNK))])

    def _bound(self, batch: Batch, rng: Rng) -> Tensor:
        x, net = self.flat(batch), self.law(batch.context, len(batch), 1.0)
        every = stratified(rng.child("at"), len(x), self.family.draws)
        nats = [self.noise.nats(lambda x, time: net(x, time).double(), x, at.to(x.device), rng.child("draw", i)) for i, at in enumerate(every)]
        return -torch.stack(nats).mean(0)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items, told nothing of a context."""
        return self.draw(n, rng, {}, how)

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        return self.found(n, rng, context, self.free)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The items after every round: what is not found yet as it would be if it were found now."""
        return self.unfolded(n, rng, {} if since is None else since.items.context, self.free, since)

    def found(self, n: int, rng: Rng, context: Mapping[str, Batch], tables: Tensor) -> Batch:
        """Items given their context, every guess leaning on the tables."""
        walks = self._walks(n, rng, context, tables, None)
        return replace(stack([end(walk).items for walk in walks]), context={})

    def unfolded(self, n: int, rng: Rng, context: Mapping[str, Batch], tables: Tensor, since: Unfinished | None) -> Iterator[Unfinished]:
        """Their states."""
        begun = [] if since is None else [since.take(rows) for rows in _spans(n)]
        return Unfinished.together(self._walks(n, rng, context, tables, since), begun)

    def _walks(self, n: int, rng: Rng, context: Mapping[str, Batch], tables: Tensor, since: Unfinished | None) -> list[Iterator[Unfinished]]:
        """`CHUNK` items at a time go through the network."""
        return [self._walk(rng.at(i * CHUNK), {k: b.take(rows) for k, b in context.items()}, tables, rows, since and since.take(rows))
                for i, rows in enumerate(_spans(n))]

    @torch.no_grad()
    def _walk(self, rng: Rng, context: Mapping[str, Batch], tables: Tensor, rows: Tensor, since: Unfinished | None) -> Iterator[Unfinished]:
        for state in self.noise.states(self.law(context, len(rows), self.family.guidance), len(rows), tables, rng, since):
            yield replace(state, items=replace(self.batch(state.items.tensor), context=context), branched=since is not None and since.branched)

    def flat(self, batch: Batch) -> Tensor:
        """Items as (B, positions)."""
        return (batch.elements if self.sequence else batch).tensor.reshape(len(batch), len(self.sizes))

    def batch(self, flat: Tensor) -> Batch:
        """And back."""
        if self.sequence:
            return Batch(Batch(flat.flatten()), length=torch.full((len(flat),), len(self.sizes)))
        return Batch(flat.reshape(len(flat), *self.shape))

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """A context, met exactly; values that are kept or weighed, which every guess leans on."""
        if isinstance(evidence, About):
            return Told(self, evidence.context, self.free)
        tables = tables_of(evidence, self.sizes)
        return None if tables is None else Told(self, {}, tables)


def _spans(n: int) -> list[Tensor]:
    """The rows of n items, some at a time."""
    return [torch.arange(i, min(n, i + CHUNK)) for i in range(0, max(1, n), CHUNK)]


@dataclass(frozen=True, kw_only=True)
class DiscreteDiffusion(Family):
    """Diffusion of whole numbers (Austin et al. 2021): they are hidden ("absorbing"; Sahoo et al. 2024) or scrambled ("uniform").

    Items are made in `steps` steps, by the schedule; None finds up to 128 hidden positions one at a time, and takes 128 steps for
    more of them, or 64 for scrambled ones. `draws` steps an item make the bound. A context is forgotten with chance `drop`, so
    that `guidance` above 1 can sharpen what it asks for.

    >>> model = DiscreteDiffusion().build(Discrete((2, 3), (2,)), Rng(0))
    >>> model.sample(4, Rng(1)).tensor.shape
    torch.Size([4, 2])
    """

    distribution = DiscreteDiffusing
    kind: Annotated[Literal["absorbing", "uniform"], Tried("absorbing", "uniform")] = "absorbing"
    schedule: Literal["linear", "cosine"] = "linear"
    steps: Annotated[int, Interval(ge=1, le=10_000)] | None = None
    draws: Annotated[int, Interval(ge=1, le=100_000)] = 8
    guidance: Annotated[float, Interval(ge=0, le=100)] = 1.0
    drop: Annotated[float, Interval(gt=0, lt=1)] = 0.1
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 60
    net: AnyNet = None

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but whole numbers of a fixed count."""
        why = "takes whole numbers: records, pictures of few levels, sequences all of one length"
        if isinstance(space, Many):
            single = isinstance(space.of, Discrete) and space.of.shape == ()
            return None if single and space.ordered and space.fixed and space.at_most else why
        return None if isinstance(space, Discrete) and prod(space.shape) >= 1 else why

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels, captions and arrays of numbers."""
        return Partly.refuses(about)
