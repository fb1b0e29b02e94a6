"""Increasing functions of single numbers, with parameters that a network may give: affine, or a rational-quadratic spline. Parameters of 0 are the identity."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

LIMIT = 4.0      # the most that an affine function scales by is e to this
LEAST = 1e-4     # of the largest that a bin can be: the least
FREE = 2.0       # the slope at a knot is at most e to this times the harmonic mean of those of the bins beside it
FLAT = 0.1       # beyond the bound the slope is from this to 1, so that what lies far out stays where it can be
TINY = 1e-30


Pair = tuple[Tensor, Tensor]


class Side(NamedTuple):
    """A bin along one axis, and the sum of all sizes there."""

    whole: Tensor
    start: Tensor
    size: Tensor


class Monotone(Protocol):
    """A function of x (...) with `many` parameters each, (..., many): its values and their log slopes, and the same of its inverse."""

    @property
    def many(self) -> int: ...
    def forward(self, x: Tensor, theta: Tensor) -> Pair: ...
    def inverse(self, y: Tensor, theta: Tensor) -> Pair: ...


@dataclass(frozen=True)
class Affine:
    """x -> x e^s + t; s is kept within 4 by a tanh (Dinh et al. 2017)."""

    many: int = 2

    def forward(self, x: Tensor, theta: Tensor) -> Pair:
        """Scaled and shifted."""
        s = LIMIT * torch.tanh(theta[..., 0] / LIMIT)
        return torch.addcmul(theta[..., 1], x, s.exp()), s

    def inverse(self, y: Tensor, theta: Tensor) -> Pair:
        """Shifted and scaled back."""
        s = LIMIT * torch.tanh(theta[..., 0] / LIMIT)
        return (y - theta[..., 1]) * (-s).exp(), -s


@dataclass(frozen=True)
class Spline:
    """A rational-quadratic spline of so many bins from -bound to bound onto the same (Durkan et al. 2019, equations 4 to 8).

    The slope at each knot is learned in units of what the bins beside it rise by, so that no bin has a flat middle and the
    inverse loses few digits. Beyond the outer knots the function goes on straight, with a slope of at most 1.
    """

    bins: int
    bound: float

    @property
    def many(self) -> int:
        """Widths, heights, and slopes at the knots."""
        return 3 * self.bins + 1

    def forward(self, x: Tensor, theta: Tensor) -> Pair:
        """Values and log slopes."""
        inside = x.clamp(-self.bound, self.bound)
        wide, high, steep, r0, r1 = self._bin(inside / (2 * self.bound) + 0.5, theta, 0)
        part = ((wide.whole * (inside / (2 * self.bound) + 0.5) - wide.start) / wide.size).clamp(0, 1)
        up, log_slope = _curve(part, r0, r1, steep)
        y = torch.addcmul(high.start, high.size, up) / high.whole * (2 * self.bound) - self.bound
        return torch.addcmul(y, x - inside, log_slope.exp()), log_slope

    def inverse(self, y: Tensor, theta: Tensor) -> Pair:
        """The root of the quadratic, in whichever of its two forms loses no digits."""
        inside = y.clamp(-self.bound, self.bound)
        wide, high, steep, r0, r1 = self._bin(inside / (2 * self.bound) + 0.5, theta, 1)
        up = ((high.whole * (inside / (2 * self.bound) + 0.5) - high.start) / high.size).clamp(0, 1)
        bend = up * (r0 + r1 - 2)
        a, b = 1 - r0 + bend, r0 - bend
        root = torch.addcmul(b * b, a, up, value=4).clamp_min(TINY).sqrt()
        part = ((2 * up).where(b >= 0, root - b) / (b + root).where(b >= 0, 2 * a)).clamp(0, 1)
        _, log_slope = _curve(part, r0, r1, steep)
        x = torch.addcmul(wide.start, wide.size, part) / wide.whole * (2 * self.bound) - self.bound
        return torch.addcmul(x, y - inside, (-log_slope).exp()), -log_slope

    def _bin(self, u: Tensor, theta: Tensor, axis: int) -> tuple[Side, Side, Tensor, Tensor, Tensor]:
        """The bin that u lies in, along both axes; how steep it is, and in units of that the slopes at its ends."""
        place, whole, start, sizes = Bins.apply(u, theta[..., :2 * self.bins], axis)  # type: ignore[no-untyped-call]
        free = theta[..., 2 * self.bins:].gather(-1, torch.stack([place, place + 1], -1))
        steep = sizes[..., 1, :] / sizes[..., 0, :]
        here, beside = steep[..., :1], steep[..., 1:]
        ends = (FREE * torch.tanh(free / FREE)).exp() * (2 * beside / (here + beside))
        wide, high = (Side(*three) for three in zip(whole.unbind(-1), start.unbind(-1), sizes[..., 0].unbind(-1), strict=True))
        slope = here * (wide.whole / high.whole)[..., None]
        outer = torch.stack([place == 0, place == self.bins - 1], -1)
        ends = ((ends * slope).clamp(FLAT, 1) / slope).where(outer, ends)
        return wide, high, slope[..., 0], ends[..., 0], ends[..., 1]


class Bins(torch.autograd.Function):
    """Of the bin that u falls into along an axis: its place; the sum of all sizes, what lies before it, and the sizes of it and its
    neighbours, along both axes. Written out with its gradient, since most of a spline's time is spent here."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, theta: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """theta (..., 2 bins): sizes are its logistic function."""
        k = theta.shape[-1] // 2
        curve = theta.unflatten(-1, (2, k)).sigmoid()
        each = curve + LEAST
        ends = each @ torch.ones(k, k, dtype=u.dtype, device=u.device).triu()
        total = ends[..., -1]
        place = ((u * total[..., axis])[..., None] >= ends[..., axis, :-1]).sum(-1)
        here = place[..., None, None].expand(*place.shape, 2, 1)
        near = torch.cat([here, (here - 1).clamp_min(0), (here + 1).clamp_max(k - 1)], -1)
        sizes = each.gather(-1, near)
        start = ends.gather(-1, here)[..., 0] - sizes[..., 0]
        ctx.save_for_backward(curve, near)
        ctx.mark_non_differentiable(place)
        return place, total, start, sizes

    @staticmethod
    def backward(ctx: Any, _: Any, total: Tensor, start: Tensor, sizes: Tensor) -> tuple[None, Tensor, None]:
        """Sizes before the bin move its start, all move the sum."""
        curve, near = ctx.saved_tensors
        k = curve.shape[-1]
        before = torch.arange(k, device=curve.device) < near[..., :1]
        found = torch.where(before, (total + start)[..., None], total[..., None]).scatter_add_(-1, near, sizes)
        return None, (found * curve * (1 - curve)).flatten(-2), None


def _curve(part: Tensor, r0: Tensor, r1: Tensor, slope: Tensor) -> Pair:
    """How far up its bin the curve is at a part of its width, and the log of its slope there."""
    rest = 1 - part
    both = part * rest
    below = torch.addcmul(torch.ones((), dtype=part.dtype, device=part.device), r0 + r1 - 2, both)
    near, far = r0 * rest, torch.addcmul(both, r1, part * part)
    up = part * (near + part) / below
    return up, torch.log(slope * torch.addcmul(far + both, near, rest) / below.square())
