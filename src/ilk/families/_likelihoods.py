"""Laws of an item given what a decoder says: one class per sort of numbers, shared by families that decode codes."""
from __future__ import annotations

from abc import ABC, abstractmethod
from math import log, pi, prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, one_hot, softplus

from ilk.families._denoising import pictures
from ilk.nets._logistic import drawn, log_mass, parts_of
from ilk.rng import Rng

Variance = Literal["learned", "decoded", "fixed"]
NARROW, WIDE = -14.0, 4.0   # log variances of standardised numbers are kept between
QUICK = 8                   # a log variance is learned in eighths, so that it keeps up with the networks
PARTS = 5                   # logistic laws in a mixture


class Likelihood(nn.Module, ABC):
    """p(x | y): x (B, *shape) in the data's own units, y (B, *outputs) from a decoder; given y, the numbers of an item are independent.

    `inputs` is the shape that an encoder is shown items in.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = self.inputs = self.outputs = shape

    def prepare(self, x: Tensor) -> None:
        """Looks at some items before training: scales. By default nothing."""

    def shown(self, x: Tensor) -> Tensor:
        """Items as networks see them, (B, *inputs)."""
        return x.float()

    @abstractmethod
    def expected(self, y: Tensor) -> Tensor:
        """The mean item as networks see items, (B, *inputs)."""

    @abstractmethod
    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Nats an item, (B,) float64: log mass of whole numbers, log density of reals."""

    @abstractmethod
    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """An item of each law."""

    @abstractmethod
    def mean(self, y: Tensor) -> Tensor:
        """The mean item; of whole numbers the likeliest ones."""


class Counting(Likelihood):
    """A law of whole numbers."""

    @abstractmethod
    def each(self, y: Tensor, x: Tensor) -> Tensor:
        """Log mass of every number, (B, *shape)."""

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """The sum over numbers, which are independent given y."""
        return self.each(y, x).flatten(1).double().sum(1)


class Bernoulli(Counting):
    """Bits: y are logits."""

    def expected(self, y: Tensor) -> Tensor:
        """The chance of each bit."""
        return y.sigmoid()

    def each(self, y: Tensor, x: Tensor) -> Tensor:
        """Minus the cross-entropy."""
        return -(softplus(y) - x * y)

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """Coins of each bias."""
        return (rng.uniform(len(y), *self.shape).to(y.device) < y.double().sigmoid()).long()

    def mean(self, y: Tensor) -> Tensor:
        """The likelier bit."""
        return (y > 0).long()


class Categorical(Counting):
    """Whole numbers without an order: y are logits of every value, items are shown one-hot."""

    possible: Tensor

    def __init__(self, sizes: tuple[int, ...], shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.most = max(sizes)
        self.inputs = self.outputs = (self.most * shape[0], *shape[1:])
        possible = torch.arange(self.most)[:, None] < torch.tensor(sizes)
        self.register_buffer("possible", possible.reshape(self.most, *shape), persistent=False)

    def shown(self, x: Tensor) -> Tensor:
        """One-hot."""
        return one_hot(x, self.most).movedim(-1, 1).reshape(len(x), *self.inputs).float()

    def expected(self, y: Tensor) -> Tensor:
        """The chance of each value."""
        return self.laws(y).exp().reshape(len(y), *self.inputs)

    def laws(self, y: Tensor) -> Tensor:
        """Log masses, (B, values, *shape): -inf where a place has no such value."""
        return y.reshape(len(y), self.most, *self.shape).masked_fill(~self.possible, -torch.inf).log_softmax(1)

    def each(self, y: Tensor, x: Tensor) -> Tensor:
        """Log masses of the values."""
        return self.laws(y).gather(1, x[:, None])[:, 0]

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """By the inverse of the cumulative masses."""
        total = self.laws(y).double().exp().cumsum(1)
        return (rng.uniform(len(y), *self.shape).to(y.device)[:, None] * total[:, -1:] >= total).sum(1)

    def mean(self, y: Tensor) -> Tensor:
        """The likeliest value."""
        return self.laws(y).argmax(1)


class Scaled(Likelihood):
    """What laws of ordered numbers share: centre and scale of the data, and where the variance comes from.

    "learned": one for every number, for all items; "decoded": the decoder says it of every item; "fixed": that of the data.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, shape: tuple[int, ...], variance: Variance) -> None:
        super().__init__(shape)
        self.outputs = (2 * shape[0], *shape[1:]) if variance == "decoded" else shape
        self.log_var = nn.Parameter(torch.zeros(shape)) if variance == "learned" else None
        unit = (shape[0], 1, 1) if pictures(shape) else shape
        self.register_buffer("center", torch.zeros(unit))
        self.register_buffer("scale", torch.ones(unit))

    def prepare(self, x: Tensor) -> None:
        """Centre and scale, a channel's of pictures, else a number's."""
        x = self.placed(x)
        over = (0, 2, 3) if pictures(self.shape) else (0,)
        center, spread = x.mean(over).reshape(self.center.shape), x.std(over, correction=0).reshape(self.center.shape)
        self.center.copy_(center)
        self.scale.copy_(spread.where(spread > self.least(center), torch.ones_like(spread)))

    def placed(self, x: Tensor) -> Tensor:
        """Items as real numbers, float64."""
        return x.double()

    def least(self, center: Tensor) -> Tensor:
        """The spread from which numbers count as different."""
        return 1e-6 * (1 + center.abs())

    def shown(self, x: Tensor) -> Tensor:
        """Standardised."""
        return ((self.placed(x) - self.center) / self.scale).to(self.center.dtype)

    def expected(self, y: Tensor) -> Tensor:
        """Standardised means."""
        return self.spread(y)[0]

    def spread(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of standardised numbers."""
        if self.outputs != self.shape:
            mean, log_var = y.chunk(2, 1)
            return mean, log_var.clamp(NARROW, WIDE)
        return y, self.noise().to(y.dtype)

    def noise(self) -> Tensor:
        """The log variance that all items share."""
        return torch.zeros(()) if self.log_var is None else (QUICK * self.log_var).clamp(NARROW, WIDE)


class Gaussian(Scaled):
    """Reals around what the decoder says."""

    def log_prob(self, y: Tensor, x: Tensor) -> Tensor:
        """Log density in the data's units."""
        mean, log_var = self.spread(y)
        inside = -0.5 * ((self.shown(x) - mean).square() * (-log_var).exp() + log_var + log(2 * pi))
        return inside.flatten(1).double().sum(1) - self.volume()

    def volume(self) -> Tensor:
        """Nats that standardising takes off."""
        return self.scale.double().log().sum() * (prod(self.shape) / self.scale.numel())

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """Noise of that variance around it."""
        mean, log_var = self.spread(y)
        return (mean + (0.5 * log_var).exp() * rng.normal(len(y), *self.shape).to(y.device)).double() * self.scale + self.center

    def mean(self, y: Tensor) -> Tensor:
        """What the decoder says, in the data's units."""
        return self.spread(y)[0].double() * self.scale + self.center


class DiscretisedLogistic(Counting, Scaled):
    """Levels 0, 1, ... in their order: the mass that a logistic law puts into each level's cell, the outer cells without end (Kingma et al. 2016).

    Levels are placed in [-1, 1].
    """

    last: Tensor

    def __init__(self, sizes: tuple[int, ...], shape: tuple[int, ...], variance: Variance) -> None:
        super().__init__(shape, variance)
        self.register_buffer("last", torch.tensor(sizes).reshape(shape) - 1, persistent=False)

    @property
    def reach(self) -> Tensor:
        """Half a cell."""
        return 1 / self.last.clamp_min(1).double()

    def placed(self, x: Tensor) -> Tensor:
        """In [-1, 1]."""
        return x.double() * (2 * self.reach) - 1

    def law(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Centre and width (the s of the logistic law with as much variance) in [-1, 1]."""
        mean, log_var = self.spread(y)
        return mean * self.scale + self.center, (0.5 * log_var).exp() * self.scale * (3**0.5 / pi)

    def each(self, y: Tensor, x: Tensor) -> Tensor:
        """sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), so that nothing cancels."""
        center, width = self.law(y)
        off, half = self.placed(x).to(y.dtype) - center, self.reach.to(y.dtype)
        first, last = x == 0, x == self.last
        below = logsigmoid((off + half) / width).masked_fill(last, 0.0)
        above = logsigmoid((half - off) / width).masked_fill(first, 0.0)
        inside = (-torch.expm1(-2 * half / width)).log().expand_as(off).masked_fill(first | last, 0.0)
        return below + above + inside

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """A number of the logistic law, to the cell it lies in."""
        center, width = self.law(y)
        return self._levels(center + width * rng.uniform(len(y), *self.shape).to(y.device).logit())

    def mean(self, y: Tensor) -> Tensor:
        """The level that the decoder says."""
        return self._levels(self.law(y)[0])

    def _levels(self, at: Tensor) -> Tensor:
        level = ((at.double() + 1) / (2 * self.reach)).round().long()
        return level.clamp_min(0).minimum(self.last)


class LogisticMixture(Counting):
    """Levels 0, 1, ... in their order, each place by a mixture of logistic laws cut into cells (Salimans et al. 2017, eq. 2), told whole by the decoder."""

    def __init__(self, levels: int, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.levels = levels
        self.outputs = (3 * PARTS * shape[0], *shape[1:])
        self.register_buffer("begun", torch.linspace(-0.8, 0.8, PARTS), persistent=False)

    begun: Tensor

    def shown(self, x: Tensor) -> Tensor:
        """In [-1, 1]."""
        return x.float() * (2 / max(1, self.levels - 1)) - 1

    def laws(self, y: Tensor) -> Tensor:
        """Log weights, means and log scales, (B, *shape, 3 PARTS); at first the means are spread over the levels."""
        told = y.float().reshape(len(y), 3, PARTS, *self.shape).movedim((1, 2), (-2, -1))
        return torch.cat([told[..., 0, :], told[..., 1, :] + self.begun, told[..., 2, :]], -1)

    def each(self, y: Tensor, x: Tensor) -> Tensor:
        """The mass of each level's cell."""
        return log_mass(self.laws(y), x, self.levels)

    def sample(self, y: Tensor, rng: Rng) -> Tensor:
        """A law of each place's mixture, then a number of it, in its cell."""
        return drawn(self.laws(y), rng.uniform(len(y), *self.shape, 2).to(y.device), self.levels)

    def expected(self, y: Tensor) -> Tensor:
        """The mixture's mean, in [-1, 1] or near it."""
        weight, mean, _ = parts_of(self.laws(y))
        return (weight.exp() * mean).sum(-1)

    def mean(self, y: Tensor) -> Tensor:
        """The level nearest to the mixture's mean."""
        return ((self.expected(y) + 1) / 2 * (self.levels - 1)).round().clamp(0, self.levels - 1).long()
