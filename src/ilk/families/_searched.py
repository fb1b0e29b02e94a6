"""Models that make items from normal codes, with part of the item known: codes are searched whose items have it."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, prod

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met
from ilk.families._denoising_given import Box, box_of
from ilk.given import Evidence, Weigh
from ilk.rng import Rng
from ilk.space import Discrete, Reals, Space

NEAR, STEPS, RATE, CHUNK = 0.1, 60, 0.25, 256   # how near in standard deviations of the data; of the search
Said = Callable[[int, Rng], Mapping[str, Batch]]


@dataclass(frozen=True, eq=False)
class Search:
    """How a model with `size` codes an item makes one: the numbers that are looked at, (B, D) and differentiable, and the item itself.

    `shown` says raw numbers as they are looked at.
    """

    size: int
    mean: Callable[[Tensor, Mapping[str, Batch]], Tensor]
    items: Callable[[Tensor, Mapping[str, Batch], Rng], Batch]
    shown: Callable[[Tensor], Tensor]


class Searched:
    """Items whose known part is as it is, the rest made of codes that were searched for it.

    Each search starts from a code of its own and stays near it, the known numbers blurred by `NEAR` (randomised maximum likelihood, Oliver et
    al. 1996): of a linear model with such noise these are exact draws of the posterior. What is known is put in exactly.
    """

    def __init__(self, search: Search, box: Box, said: Said, whole: bool) -> None:
        self.search, self.box, self.said, self.met = search, box, said, Met("guided")
        self.known = ((box.low > -inf) | (box.high < inf)).flatten()
        self.low, self.high = (_shown(search, end, whole) for end in (box.low, box.high))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items with what is known."""
        context, parts = self.said(n, rng), []
        for i in range(0, max(1, n), CHUNK):
            here, about = rng.at(i), {k: b.cut(i, i + CHUNK) for k, b in context.items()}
            codes = self.codes(min(CHUNK, n - i), here, about)
            with torch.no_grad():
                parts.append(self.search.items(codes, about, here.child("x")).tensor)
        x = torch.cat(parts)
        return Batch(x.double().clamp(self.box.low, self.box.high).to(x.dtype))

    def codes(self, n: int, rng: Rng, about: Mapping[str, Batch]) -> Tensor:
        """Codes by Adam (Kingma & Ba 2015) from the nearest start there is."""
        start = rng.child("z").normal(n, self.search.size).float()
        blur = NEAR * rng.child("blur").normal(n, len(self.known)).float()
        z, mean, square = start, torch.zeros_like(start), torch.zeros_like(start)
        for step in range(1, STEPS + 1 if n else 1):
            slope = self._slope(z, start, blur, about)
            mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope.square()
            rate = RATE * min(1.0, 2 - 2 * step / STEPS)
            z = z - rate * (mean / (1 - 0.9**step)) / ((square / (1 - 0.99**step)).sqrt() + 1e-8)
        return z

    @torch.enable_grad()
    def _slope(self, z: Tensor, start: Tensor, blur: Tensor, about: Mapping[str, Batch]) -> Tensor:
        z = z.detach().requires_grad_()
        x = self.search.mean(z, about) - blur
        off = (x.clamp(self.low, self.high) - x)[:, self.known]
        loss = (z - start).square().sum() / 2 + off.square().sum() / (2 * NEAR**2)
        return torch.autograd.grad(loss, z)[0]


def _shown(search: Search, end: Tensor, whole: bool) -> Tensor:
    """Ends as they are looked at; infinite ones stay so."""
    there = end.isfinite()
    raw = end.where(there, torch.zeros_like(end))[None]
    return search.shown(raw.long() if whole else raw).flatten().double().where(there.flatten(), end.flatten()).float()


def searched(search: Search | None, evidence: Evidence, space: Space, said: Said) -> Searched | None:
    """The model with part of its items known; None for evidence that says something else, or that a search can't see."""
    if search is None:
        return None
    box = _ranges(evidence, space) if isinstance(evidence, Weigh) else box_of(evidence, getattr(space, "shape", ()))
    if box is None or not isinstance(space, Reals | Discrete):
        return None
    whole = isinstance(space, Discrete)
    blank = torch.zeros(1, *space.shape, dtype=torch.long if whole else torch.double)
    return Searched(search, box, said, whole) if search.shown(blank).numel() == prod(space.shape) else None


def _ranges(evidence: Weigh, space: Space) -> Box | None:
    """Tables that allow neighbouring values alike, as ranges; None for others."""
    if not isinstance(space, Discrete):
        return None
    low, high = (torch.full((prod(space.shape),), end, dtype=torch.double) for end in (-inf, inf))
    for place, table in evidence.tables.items():
        left = (table > -inf).nonzero()[:, 0]
        if not len(left) or len(left) != left[-1] - left[0] + 1 or bool((table[left] != table[left[0]]).any()):
            return None
        if len(left) < len(table):
            low[place], high[place] = left[0], left[-1]
    return Box(low.reshape(space.shape), high.reshape(space.shape))
