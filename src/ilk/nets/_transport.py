"""Ways along a velocity, and how much they stretch what goes along: densities of continuous flows (Chen et al. 2018)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor

from ilk.rng import Rng

Velocity = Callable[[Tensor, float], Tensor]   # x (B, *shape), time -> dx/dt, a row by itself


def every_direction(x: Tensor) -> Tensor:
    """One unit vector for each number of an item, (numbers, 1, *shape): with these a trace is exact."""
    d = prod(x.shape[1:])
    return torch.eye(d, dtype=x.dtype).reshape(d, 1, *x.shape[1:])


def signs(x: Tensor, many: int, rng: Rng) -> Tensor:
    """Random directions, (many, B, *shape), each of whose traces is right in the mean (Hutchinson 1989)."""
    rows = [(rng.child("probe", k).uniform(*x.shape) < 0.5).to(x.dtype) * 2 - 1 for k in range(many)]
    return torch.stack(rows)


def stretched(velocity: Velocity, x: Tensor, time: float, probes: Tensor) -> tuple[Tensor, Tensor]:
    """The velocity at x, and p . (dv/dx) p for each probe p, (probes, B) float64."""
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        v = velocity(at, time)
        pulled = [torch.autograd.grad(v, at, p.expand_as(v), retain_graph=True)[0] for p in probes]
    return v.detach(), torch.stack([(g * p).flatten(1).double().sum(1) for g, p in zip(pulled, probes, strict=True)])


def carried(velocity: Velocity, x: Tensor, times: Sequence[float], probes: Tensor) -> tuple[Tensor, Tensor]:
    """Where x ends, and the integral of what `stretched` says on the way, (probes, B): Runge and Kutta's method of order four.

    The log density falls by the trace: by the sum over every direction, or by the mean over random ones.

    >>> x, total = carried(lambda x, t: 0.5 * x, torch.ones(1, 2), [0.0, 1.0, 2.0], every_direction(torch.ones(1, 2)))
    >>> round(float(x[0, 0]), 2), round(float(total.sum()), 4)
    (2.72, 2.0)
    """
    total = torch.zeros(len(probes), len(x), dtype=torch.double)
    for now, ahead in pairwise(times):
        step, middle = ahead - now, (now + ahead) / 2
        a, at_a = stretched(velocity, x, now, probes)
        b, at_b = stretched(velocity, x + step / 2 * a, middle, probes)
        c, at_c = stretched(velocity, x + step / 2 * b, middle, probes)
        d, at_d = stretched(velocity, x + step * c, ahead, probes)
        x = x + step / 6 * (a + 2 * b + 2 * c + d)
        total += step / 6 * (at_a + 2 * at_b + 2 * at_c + at_d)
    return x, total
