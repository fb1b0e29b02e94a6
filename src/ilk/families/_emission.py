"""p(item | what a decoder says): Bernoulli, Gaussian with learned variances, or mixtures of discretised logistics."""
from __future__ import annotations

from abc import ABC, abstractmethod
from math import log, pi, prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from ilk.rng import Rng
from ilk.space import Discrete, Reals, Space

Likelihood = Literal["gaussian", "logistic"]
MOST, MIXTURE, LEAST_SIDE = 65_536, 5, 8


class Emission(nn.Module, ABC):
    """The law of an item, given `outputs` numbers that a network says of it.

    Networks see it as `inputs`: a single number as (1,), an array of 8 rows and columns at least as a picture of one channel.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape
        self.inputs = self.outputs = (1, *shape) if len(shape) == 2 and min(shape) >= LEAST_SIDE else shape or (1,)

    def prepare(self, x: Tensor) -> None:
        """Looks at some items before training. By default not."""

    @abstractmethod
    def shown(self, x: Tensor) -> Tensor:
        """Items as networks see them, float32 (B, *inputs)."""

    @abstractmethod
    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Nats of items, given what is said of each, (B,) float64."""

    @abstractmethod
    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """One item for each y."""

    @abstractmethod
    def mean(self, y: Tensor) -> Tensor:
        """The expected item for each y, as an item: whole numbers are rounded."""


class Bits(Emission):
    """y are logits."""

    def shown(self, x: Tensor) -> Tensor:
        """Zeros and ones."""
        return x.float().reshape(len(x), *self.inputs)

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Bernoulli."""
        x, y = self.shown(x), y.float()
        return (x * y - softplus(y)).flatten(1).double().sum(1)

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """Each bit by its chance."""
        return (rng.uniform(len(y), *self.inputs).to(y.device) < y.double().sigmoid()).long().reshape(len(y), *self.shape)

    def mean(self, y: Tensor) -> Tensor:
        """The likelier value."""
        return (y > 0).long().reshape(len(y), *self.shape)


class Normal(Emission):
    """y are means in standard units; each place has one variance around it, which is learned."""

    center: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.log_var = nn.Parameter(torch.zeros(self.inputs))
        self.register_buffer("center", torch.zeros(self.inputs))
        self.register_buffer("scale", torch.ones(self.inputs))

    def prepare(self, x: Tensor) -> None:
        """Centre and scale of every place."""
        x = x.double().reshape(len(x), *self.inputs)
        spread = x.std(0, correction=0)
        self.center.copy_(x.mean(0))
        self.scale.copy_(spread.where(spread > 1e-6 * (1 + x.mean(0).abs()), torch.ones_like(spread)))

    def noise(self) -> Tensor:
        """Log variances. They are learned in eighths, so that they keep up with the networks."""
        return (8 * self.log_var.float()).clamp(-14, 4)

    def shown(self, x: Tensor) -> Tensor:
        """In standard units."""
        return ((x.reshape(len(x), *self.inputs) - self.center) / self.scale).float()

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Density in the items' own units."""
        log_var = self.noise()
        nats = -0.5 * ((self.shown(x) - y.float()).square() * (-log_var).exp() + log_var + log(2 * pi))
        return nats.flatten(1).double().sum(1) - self.scale.double().log().sum()

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """Mean plus noise."""
        noise = rng.normal(len(y), *self.inputs).to(y.device)
        return ((y.double() + (0.5 * self.noise()).exp() * noise) * self.scale + self.center).reshape(len(y), *self.shape)

    def mean(self, y: Tensor) -> Tensor:
        """The means in the items' own units."""
        return (y.double() * self.scale + self.center).reshape(len(y), *self.shape)


class Logistics(Emission):
    """Whole numbers below `levels`, each place by a mixture of logistic laws whose cells are counted (Salimans et al. 2017, eq. 2).

    y are the mixture's log weights, means and log scales, where 0 to levels - 1 lies in [-1, 1]; the outer cells have no end.
    """

    def __init__(self, shape: tuple[int, ...], levels: int) -> None:
        super().__init__(shape)
        self.levels = levels
        self.outputs = (3 * MIXTURE * self.inputs[0], *self.inputs[1:])

    def shown(self, x: Tensor) -> Tensor:
        """In [-1, 1]."""
        return (2 / (self.levels - 1) * x.float() - 1).reshape(len(x), *self.inputs)

    def _laws(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log weights, means, log scales, each (B, mixture, *inputs); at first the means are spread evenly."""
        weight, mean, scale = y.float().reshape(len(y), 3, MIXTURE, *self.inputs).unbind(1)
        spread = torch.linspace(-0.8, 0.8, MIXTURE, device=y.device).reshape(-1, *[1] * len(self.inputs))
        return weight.log_softmax(1), mean + spread, (scale - 1.5).clamp(-8, 4)

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """The mass of each cell, by s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)) for the sigmoid s: it can't underflow."""
        weight, mean, scale = self._laws(y)
        cell, x = 2 / (self.levels - 1) * (-scale).exp(), self.shown(x)[:, None]
        middle = (x - mean) * (-scale).exp()
        below, above = logsigmoid(middle + cell / 2), logsigmoid(cell / 2 - middle)
        end = 1 - 0.5 / (self.levels - 1)
        inside = below + above + (-torch.expm1(-cell)).log()
        nats = torch.where(x < -end, below, torch.where(x > end, above, inside))
        return (weight + nats).logsumexp(1).flatten(1).double().sum(1)

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """A law of each place's mixture, then a number of it, in its cell."""
        weight, mean, scale = self._laws(y)
        u = rng.uniform(len(y), 2, *self.inputs).to(y.device)
        which = (u[:, :1] > weight.double().exp().cumsum(1)).sum(1, keepdim=True).clamp_max(MIXTURE - 1)
        x = mean.gather(1, which) + scale.gather(1, which).exp() * u[:, 1:].logit()
        return self._cells(x[:, 0])

    def mean(self, y: Tensor) -> Tensor:
        """The mixture's mean, in its cell."""
        weight, mean, _ = self._laws(y)
        return self._cells((weight.exp() * mean).sum(1))

    def _cells(self, x: Tensor) -> Tensor:
        return ((x + 1) * ((self.levels - 1) / 2)).round().clamp(0, self.levels - 1).long().reshape(len(x), *self.shape)


def emission(space: Space, likelihood: Likelihood) -> Emission:
    """The law for the items of a space that `refuses` lets pass.

    >>> emission(Discrete(256, (1, 8, 8)), "logistic").outputs
    (15, 8, 8)
    """
    if isinstance(space, Discrete) and max(space.each) > 2:
        return Logistics(space.shape, max(space.each))
    return Bits(space.shape) if isinstance(space, Discrete) else Normal(getattr(space, "shape", ()))


def refuses(space: Space, likelihood: Likelihood) -> str | None:
    """Why there is no law for the items of a space, or None if there is one."""
    if isinstance(space, Discrete) and prod(space.shape) > 0 and space.shape:
        if set(space.each) <= {1, 2}:
            return None
        if likelihood == "logistic" and len(set(space.each)) == 1 and space.each[0] <= MOST:
            return None
    if isinstance(space, Reals) and likelihood == "gaussian" and prod(space.shape) > 0:
        return None
    return "takes Reals, or Discrete of two values" if likelihood == "gaussian" else f"takes Discrete of one size up to {MOST} for all places"
