"""Visible units of a Boltzmann machine as exponential families: exp(carrier(v) + v eta) of each, with or without something known of it."""
from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, pi
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ilk.families._mixture_given import between, log_between
from ilk.rng import Rng
from ilk.space import Discrete

SLACK, HALF_LOG_2PI = 1e-9, 0.5 * log(2 * pi)


class Units(Protocol):
    """What a machine asks of its visible units; `eta` (n, V) is what hidden units and biases send to them."""

    def carrier(self, v: Tensor) -> Tensor:
        """What an item has of itself, whatever the hidden units say, (n,); -inf where it breaks what is known."""

    def log_norm(self, eta: Tensor) -> Tensor:
        """Log of the sum, or integral, over all v of exp(carrier(v) + v eta), (n,)."""

    def noise(self, rng: Rng, n: int) -> Tensor:
        """What `draw` needs for n items."""

    def draw(self, eta: Tensor, noise: Tensor) -> Tensor:
        """Units given the hidden ones, (n, V)."""

    def mean(self, eta: Tensor) -> Tensor:
        """Their expectation."""

    def free(self) -> int | None:
        """How many bits would list them all; None if they can't be listed."""

    def listed(self, index: Tensor) -> Tensor:
        """The values with these numbers among all that are left."""


@dataclass(frozen=True, eq=False)
class Binary:
    """Zeros and ones, each value with a log weight, (2, V)."""

    log_weight: Tensor

    @classmethod
    def of(cls, space: Discrete) -> Binary:
        """Nothing known, but where a place has one value only."""
        log_weight = torch.zeros(2, len(space.each), dtype=torch.double)
        log_weight[1, torch.tensor(space.each) < 2] = -inf
        return cls(log_weight)

    @property
    def tilt(self) -> Tensor:
        """Log odds that the weights alone give; 0 where they rule out both values."""
        return (self.log_weight[1] - self.log_weight[0]).nan_to_num(0.0, inf, -inf)

    def carrier(self, v: Tensor) -> Tensor:
        """The weights of the values."""
        return torch.where(v > 0.5, self.log_weight[1], self.log_weight[0]).sum(1, dtype=torch.double)

    def log_norm(self, eta: Tensor) -> Tensor:
        """Both values summed."""
        if not bool(self.log_weight.any()):
            return softplus(eta, threshold=50).sum(1, dtype=torch.double)
        return torch.logaddexp(self.log_weight[0].to(eta.dtype), eta + self.log_weight[1]).sum(1, dtype=torch.double)

    def noise(self, rng: Rng, n: int) -> Tensor:
        """Uniform."""
        return rng.single(n, self.log_weight.shape[1])

    def draw(self, eta: Tensor, noise: Tensor) -> Tensor:
        """Each by its own odds."""
        return (noise < self.mean(eta)).to(eta.dtype)

    def mean(self, eta: Tensor) -> Tensor:
        """The chance of a one."""
        return (eta + self.tilt.to(eta.dtype)).sigmoid()

    def free(self) -> int:
        """As many bits as there are places with both values left."""
        return int(self.log_weight.isfinite().all(0).sum())

    def listed(self, index: Tensor) -> Tensor:
        """Bits of the numbers at the places that are free, the only value left elsewhere."""
        free = self.log_weight.isfinite().all(0)
        v = (self.log_weight[1] > -inf).double().repeat(len(index), 1)
        v[:, free] = bits(index, int(free.sum()))
        return v


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Numbers with unit variance given the hidden units, each inside [low, high], (V,) both; fixed where these are equal."""

    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, many: int) -> Gaussian:
        """Nothing known."""
        edge = torch.full((many,), inf, dtype=torch.double)
        return cls(-edge, edge)

    @property
    def fixed(self) -> Tensor:
        """Which have one value."""
        return self.low == self.high

    @property
    def ranged(self) -> Tensor:
        """Which have a range with an end."""
        return ~self.fixed & (self.low.isfinite() | self.high.isfinite())

    def carrier(self, v: Tensor) -> Tensor:
        """Half the squared norm, negative."""
        slack = SLACK * (1 + v.abs())
        inside = ((v >= self.low - slack) & (v <= self.high + slack)).all(1)
        return (-0.5 * v.double().square().sum(1)).where(inside, -inf)

    def log_norm(self, eta: Tensor) -> Tensor:
        """Gaussian integrals, over a range where there is one."""
        eta = eta.double()
        each = 0.5 * eta.square() + HALF_LOG_2PI
        if bool((ranged := self.ranged).any()):
            each[:, ranged] += log_between(self.low[ranged] - eta[:, ranged], self.high[ranged] - eta[:, ranged])
        if bool((fixed := self.fixed).any()):
            x = self.low[fixed]
            each[:, fixed] = x * eta[:, fixed] - 0.5 * x.square()
        return each.sum(1)

    def noise(self, rng: Rng, n: int) -> Tensor:
        """Standard normal."""
        return rng.normal(n, len(self.low))

    def draw(self, eta: Tensor, noise: Tensor) -> Tensor:
        """Normal around eta; the same noise taken through the inverse distribution function of a range."""
        wide = eta.double()
        v = wide + noise
        if bool((ranged := self.ranged).any()):
            a, b = (edge[ranged] - wide[:, ranged] for edge in (self.low, self.high))
            v[:, ranged] = wide[:, ranged] + between(a, b, torch.special.ndtr(noise[:, ranged]))
        return v.where(~self.fixed, self.low).to(eta.dtype)

    def mean(self, eta: Tensor) -> Tensor:
        """Eta itself where nothing is known."""
        return eta

    def free(self) -> None:
        """They can't be listed."""

    def listed(self, index: Tensor) -> Tensor:
        """None are."""
        return torch.zeros(0, len(self.low), dtype=torch.double)


def bits(index: Tensor, many: int) -> Tensor:
    """Whole numbers in binary, (n, many) float64, the least bit first.

    >>> bits(torch.tensor([6]), 3).tolist()
    [[0.0, 1.0, 1.0]]
    """
    return ((index[:, None] >> torch.arange(many)) & 1).double()
