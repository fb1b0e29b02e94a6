"""From noise to items, level by level: a way that can be left anywhere and gone on with."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import pi
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Unfinished, end
from ilk.errors import UsageError
from ilk.nets._noise import levels
from ilk.rng import Rng
from ilk.samplers._contract import Denoise, Sampler, Stage
from ilk.samplers.churn import parting
from ilk.samplers.dpm_solver import DPMSolver

if TYPE_CHECKING:
    from ilk.families._denoising import Denoising
    from ilk.families._denoising_given import Box

CHUNK = 256
LITTLE = 1e-4  # of a range, less than which is taken for its nearest end
SLACK = 0.01   # share of a variance by which what is kept may be off: a network that is sure and wrong does not throw the rest far
Known = Mapping[str, Batch]
Terms = Sequence[tuple[Known, float]]   # contexts, and how strongly each is leant towards


def sampling(how: How | None) -> Sampler:
    """The how as a way of denoising, by default one of 10 network calls; UsageError for one that is not."""
    if how is None:
        return DPMSolver(steps=10)
    if not isinstance(how, Sampler):
        raise UsageError(f"{type(how).__name__} does not draw from noise", code="HOW", param="how", remedy="Heun, DPMSolver, Euler, DDIM, DDPM and Langevin do")
    return how


@dataclass(frozen=True, eq=False)
class Partway:
    """Standardised items from which noise of the level at time `strength` is denoised; from time 1 nothing of them is left."""

    x: Tensor
    strength: float

    def cut(self, start: int, stop: int) -> Partway:
        """The items from start to stop."""
        return Partway(self.x[start:stop], self.strength)


@dataclass(frozen=True, eq=False)
class Walks:
    """How n items of a model are made, each told its context, all in a box if there is one; `CHUNK` at a time go through the network.

    They begin as noise, or partway from some items.
    """

    whole: Denoising
    n: int
    rng: Rng
    sampler: Sampler
    context: Known
    box: Box | None = None
    leans: Terms = ()
    begin: Partway | None = None

    @torch.no_grad()
    def last(self) -> Batch:
        """What comes out."""
        every = levels(self.whole.path, self.sampler.steps, self.begin.strength if self.begin else 1.0)
        return self._shown([end(walk.stages(walk.start(every[0]), every)) for walk in self._each()])

    @torch.no_grad()
    def states(self, since: Unfinished | None) -> Iterator[Unfinished]:
        """All states, or those after one of them."""
        sampler = parting(self.sampler) if since is not None and since.branched else self.sampler
        every, walks = levels(self.whole.path, sampler.steps), replace(self, sampler=sampler)._each()
        begun = [walk.start(every[0]) for walk in walks] if since is None else [_stage(since.take(torch.arange(i, min(i + CHUNK, self.n)))) for i in self._starts()]
        done, of = (0, len(every) - 1) if since is None else (since.step, since.step + sum(s < begun[0].sigma for s in every))
        if since is None:
            yield self._state(begun, 0, of)
        for step, stages in enumerate(zip(*(walk.stages(at, every) for walk, at in zip(walks, begun, strict=True)), strict=True), done + 1):
            yield replace(self._state(stages, step, of), branched=since is not None and since.branched)

    def _starts(self) -> range:
        return range(0, max(1, self.n), CHUNK)

    def _each(self) -> list[_Walk]:
        return [_Walk(self, i) for i in self._starts()]

    def denoise(self, first: int) -> Denoise:
        """What takes noise from the items of one chunk."""
        context = {k: b.cut(first, first + CHUNK) for k, b in self.context.items()}
        alike = [({k: b.take(torch.zeros(min(CHUNK, self.n - first), dtype=torch.long)) for k, b in c.items()}, w) for c, w in self.leans]
        return self.whole.guided(context, self.whole.family.guidance if self.sampler.guidance is None else self.sampler.guidance, alike)

    def _state(self, stages: Sequence[Stage], step: int, of: int) -> Unfinished:
        x, sigma = torch.cat([at.x for at in stages]), stages[0].sigma
        way, ahead = {"x": x, "sigma": torch.full((len(x),), sigma, dtype=torch.double)}, {}
        if stages[0].before is not None:
            ahead = {"data": torch.cat([at.before[0] for at in stages if at.before is not None]), "before": torch.full_like(way["sigma"], stages[0].before[1])}
        return Unfinished(replace(self._shown(stages), context=self.context), step, of, way, ahead)

    def _shown(self, stages: Sequence[Stage]) -> Batch:
        """Noise and all, at the spread of data."""
        items = Batch(torch.cat([self.whole.raw(at.x / (1 + at.sigma**2) ** 0.5) for at in stages]))
        return items if self.box is None else self.box.clamped(items)


class _Walk:
    """One chunk: the items from `first` on."""

    def __init__(self, of: Walks, first: int) -> None:
        self.whole, self.sampler, self.box, self.free = of.whole, of.sampler, of.box, of.denoise(first)
        self.rows = (min(CHUNK, of.n - first), of.rng.at(first))
        self.begin = of.begin.cut(first, first + CHUNK).x if of.begin else 0.0
        if self.box is not None:
            self.low, self.high = self.whole.standard(self.box.low[None]), self.whole.standard(self.box.high[None])

    def noise(self, name: str, number: int) -> Tensor:
        """Of all items, standard normal."""
        n, rng = self.rows
        return rng.child(name, number).normal(n, *self.whole.shape).float()

    def start(self, most: float) -> Stage:
        """Noise, and what the items begin with if they do."""
        return Stage(self.begin + self.noise("start", 0) * most, most)

    def stages(self, at: Stage, every: Sequence[float]) -> Iterator[Stage]:
        """All that come after one, at those of the levels that are lower."""
        ahead = [sigma for sigma in every if sigma < at.sigma]
        for number, sigma in enumerate(ahead, len(every) - 1 - len(ahead)):
            at = self._after(at, sigma, number) if len(at.x) else Stage(at.x, sigma)
            yield at

    def _after(self, at: Stage, ahead: float, number: int) -> Stage:
        return self.sampler.step(self.free if self.box is None else self._inside, at, ahead, number, lambda i: self.noise("step", i))

    def _inside(self, x: Tensor, sigma: float) -> Tensor:
        return within(self.free, x, sigma, self.low, self.high)


def within(denoise: Denoise, x: Tensor, sigma: float, low: Tensor, high: Tensor) -> Tensor:
    """The expected data given that they lie in a box: the rest moves along, as far as the denoiser's own covariance sigma^2 dD/dx says.

    Gaussian conditioning on the box's expected point, with one conjugate gradient (Rozet et al. 2024): exact for a single number of Gaussian data.
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        data = denoise(x, sigma)
    plain = data.detach()
    off = _inside(plain, sigma / (1 + sigma**2) ** 0.5, low, high) - plain
    spread = sigma**2 * torch.autograd.grad(data, x, off)[0]
    size, slack = _dot(off, off), SLACK * sigma**2 / (1 + sigma**2)
    step = size / (_dot(off, spread).clamp_min(0) + slack * size).clamp_min(1e-12)
    most = off.abs().flatten(1).amax(1).reshape(step.shape)   # nothing is tied more closely than by itself, whatever a network says where noise is high
    return (plain + (step * spread).clamp(-most, most)).clamp(low, high)


def _inside(data: Tensor, spread: float, low: Tensor, high: Tensor) -> Tensor:
    """The means of normal laws that are cut to ranges, as if the data were standard normal; the nearest ends of ranges that hold next to nothing."""
    a, b = (low - data) / spread, (high - data) / spread
    held = torch.special.ndtr(b) - torch.special.ndtr(a)
    mean: Tensor = data + spread * ((-a.square() / 2).exp() - (-b.square() / 2).exp()) / (2 * pi) ** 0.5 / held.clamp_min(LITTLE)
    return mean.where(held > LITTLE, data).clamp(low, high)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Products of items, shaped to multiply them."""
    return (a * b).flatten(1).sum(1).reshape(-1, *[1] * (a.ndim - 1))


def _stage(since: Unfinished) -> Stage:
    before = (since.ahead["data"], float(since.ahead["before"][0])) if since.ahead else None
    return Stage(since.way["x"], float(since.way["sigma"][0]), before)
