"""Increasing functions of single numbers, with parameters that a network may give: affine, or a rational-quadratic spline. Parameters of 0 are the identity."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

LIMIT = 4.0      # the most that an affine function scales by is e to this
LEAST = 1e-4     # of the whole: the narrowest and lowest that a bin gets
FREE = 2.0       # the slope at a knot is at most e to this times the harmonic mean of those of the bins beside it
TINY = 1e-30


class Monotone(Protocol):
    """A function of x (...) with `many` parameters each, (..., many): its values and their log slopes, and the same of its inverse."""

    @property
    def many(self) -> int: ...
    def forward(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]: ...
    def inverse(self, y: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Affine:
    """x -> x e^s + t; s is kept within 4 by a tanh (Dinh et al. 2017)."""

    many: int = 2

    def forward(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled and shifted."""
        s = LIMIT * torch.tanh(theta[..., 0] / LIMIT)
        return torch.addcmul(theta[..., 1], x, s.exp()), s

    def inverse(self, y: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Shifted and scaled back."""
        s = LIMIT * torch.tanh(theta[..., 0] / LIMIT)
        return (y - theta[..., 1]) * (-s).exp(), -s


@dataclass(frozen=True)
class Spline:
    """A rational-quadratic spline of so many bins from -bound to bound onto the same (Durkan et al. 2019, equations 4 to 8).

    The slope at each knot is free, at the outer two as well: beyond them the function goes on straight. It is learned in
    units of what the bins beside it rise by, so that no bin has a flat middle and the inverse loses few digits.
    """

    bins: int
    bound: float

    @property
    def many(self) -> int:
        """Widths, heights, and slopes at the knots."""
        return 3 * self.bins + 1

    def forward(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Values and log slopes."""
        inside = x.clamp(-self.bound, self.bound)
        u = (inside + self.bound) / (2 * self.bound)
        left, size, d0, d1 = self._bin(u, theta, 0)
        slope, part = size[..., 1] / size[..., 0], (u - left[..., 0]) / size[..., 0]
        mixed, log_slope = _mixed(part, slope, d0, d1)
        y = (left[..., 1] + size[..., 1] * mixed) * (2 * self.bound) - self.bound
        return torch.addcmul(y, x - inside, log_slope.exp()), log_slope

    def inverse(self, y: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The root of the quadratic, in whichever of its two forms loses no digits."""
        inside = y.clamp(-self.bound, self.bound)
        v = (inside + self.bound) / (2 * self.bound)
        left, size, d0, d1 = self._bin(v, theta, 1)
        slope, up = size[..., 1] / size[..., 0], ((v - left[..., 1]) / size[..., 1]).clamp(0, 1)
        bend = up * (d0 + d1 - 2 * slope)
        a, b, c = slope - d0 + bend, d0 - bend, slope * up
        root = torch.addcmul(b * b, a, c, value=4).clamp_min(TINY).sqrt()
        part = (2 * c).where(b >= 0, root - b) / (b + root).where(b >= 0, 2 * a)
        _, log_slope = _mixed(part, slope, d0, d1)
        x = (left[..., 0] + size[..., 0] * part) * (2 * self.bound) - self.bound
        return torch.addcmul(x, y - inside, (-log_slope).exp()), -log_slope

    def _bin(self, u: Tensor, theta: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Lower left corner and size of the bin that u lies in, (..., 2) each, and the slopes at its ends."""
        k = self.bins
        share = theta[..., :2 * k].unflatten(-1, (2, k)).softmax(-1) * (1 - k * LEAST) + LEAST
        ends = share.cumsum(-1)
        place = (u[..., None] >= ends[..., axis, :-1]).sum(-1, keepdim=True)
        near = torch.cat([place, place - 1, place + 1], -1).clamp(0, k - 1)
        sizes = share.gather(-1, near[..., None, :].expand(*place.shape[:-1], 2, 3))
        end, size = ends.gather(-1, place[..., None].expand(*place.shape[:-1], 2, 1))[..., 0], sizes[..., 0]
        slopes = sizes[..., 1, :] / sizes[..., 0, :]
        here, beside = slopes[..., :1], slopes[..., 1:]
        free = theta[..., 2 * k:].gather(-1, torch.cat([place, place + 1], -1))
        knots = (FREE * torch.tanh(free / FREE)).exp() * (2 * here * beside / (here + beside))
        return end - size, size, knots[..., 0], knots[..., 1]


def _mixed(part: Tensor, slope: Tensor, d0: Tensor, d1: Tensor) -> tuple[Tensor, Tensor]:
    """How far up its bin the curve is at a part of its width, and the log of its slope there."""
    rest = 1 - part
    both = part * rest
    below = torch.addcmul(slope, d0 + d1 - 2 * slope, both)
    up = part * torch.addcmul(d0 * rest, slope, part) / below
    rise = d1 * part.square() + 2 * slope * both + d0 * rest.square()
    return up, torch.log(rise * (slope / below).square())
