"""The bijection of a normalizing flow between items and standard normal noise: its layers, the scales of the data, how it trains."""
from __future__ import annotations

from collections.abc import Mapping
from math import log, pi, prod
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Neural, Plan
from ilk.errors import UsageError
from ilk.nets._bijections import WIDEST, stacked
from ilk.nets._context import Context
from ilk.nets._glow import Glow, folds
from ilk.nets._monotone import Affine, Monotone, Spline
from ilk.nets.mlp import MLP
from ilk.rng import Rng

if TYPE_CHECKING:
    from ilk.families.flow import Flow  # noqa: F401

LOOK = 20_000
NOISE, ENOUGH, MANY = 0.4, 100, 50_000


class Mapped(Neural["Flow"]):
    """z = f(x; context) standard normal; log p(x) = log N(z) + log |df/dx| (Rezende & Mohamed 2015; Dinh et al. 2017)."""

    center: Tensor
    scale: Tensor
    blur: Tensor

    def build_net(self) -> None:
        """The bijection of standardised items; scales of the data are buffers."""
        f = self.family
        self.outer: tuple[int, ...] = getattr(self.space, "shape", ())
        self.picture = f.structure == "glow" or (f.structure is None and folds(self.outer) > 0)
        self.shape = self.outer if self.picture else (prod(self.outer),)
        self.context = Context(self.about)
        self.register_buffer("center", torch.zeros(self.shape[0], *[1] * (len(self.shape) - 1)))
        self.register_buffer("scale", torch.ones(self.center.shape))
        self.register_buffer("blur", torch.zeros(0 if self.picture or self.shape[0] > WIDEST else self.shape[0], self.shape[0]))
        how = self._how()
        layers = f.layers or (8 if self.picture else 3)
        net = MLP(width=f.width, depth=2, dropout=f.dropout)
        self.map: Any = Glow(self.shape, how, layers, net, self.context.width) if self.picture else stacked(self.shape[0], how, layers, net, self.context.width, f.structure)

    def _how(self) -> Monotone:
        affine = self.family.transform == "affine" or (self.family.transform is None and self.picture)
        return Affine() if affine else Spline(self.family.bins, self.family.bound)

    @property
    def kind(self) -> torch.dtype:
        """The number format of the bijection; its networks may compute in another."""
        return self.center.dtype

    def prepare(self, data: Source) -> None:
        """Centre and scale of every number (of a channel, in pictures), from at most 20,000 items; then what layers start from."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        x = self.filled(few.tensor).double().reshape(len(few), *self.shape)
        over = (0, 2, 3) if self.picture else (0,)
        spread, center = (t.reshape(self.center.shape) for t in torch.std_mean(x, over, correction=0))
        self.center.copy_(center)
        self.scale.copy_(spread.where(spread > 1e-6 * (1 + center.abs()), torch.ones_like(spread)))
        self.context.prepare(few.context)
        self.map.prepare(self.standard(x), self.told(few.context))
        if len(self.blur):
            self.blur.copy_(self._noise(len(data)) * torch.linalg.inv(self.map.steps[1].start))

    def filled(self, x: Tensor) -> Tensor:
        """Items as real numbers, to look at before training."""
        return x

    def _noise(self, items: int) -> float:
        """How much noise items learn with, in units of their own once they have covariance 1: the fewer there are, the more."""
        if self.family.noise is not None:
            return self.family.noise
        return min(NOISE, ENOUGH / items) if items < MANY else 0.0

    def blurred(self, x: Tensor, rng: Rng) -> Tensor:
        """Standardised items with noise on them (Rothfuss et al. 2019)."""
        return x + (rng.child("noise").normal(*x.shape).to(x) @ self.blur.T).to(x) if len(self.blur) and float(self.blur[0, 0]) else x

    def plan(self, items: int) -> Plan:
        """Enough passes for small data; weights averaged."""
        batch = int(min(32 if self.picture else 256, max(16, items // 16)))
        steps = int(min(max(1000, 60 * items // batch), 12_000))
        return Plan(steps=steps, batch=batch, rate=1e-3 if items < MANY else 3e-3, weight_decay=0.01, ema=0.995, evaluate_every=max(20, steps // 40))

    def standard(self, x: Tensor) -> Tensor:
        """Items as the bijection knows them."""
        return ((x.reshape(len(x), *self.shape) - self.center) / self.scale).to(self.kind)

    def told(self, context: Mapping[str, Batch]) -> Tensor | None:
        """The context as vectors; None for a flow that learned without."""
        if self.about and not context:
            raise UsageError(f"this can be done only with {', '.join(self.about)}", code="CONTEXT")
        return self.context(context) if self.about else None

    def made(self, z: Tensor, context: Mapping[str, Batch]) -> Tensor:
        """The numbers that some noise makes, (n, *shape of an item) float64."""
        x = self.map.inverse(z.reshape(len(z), *self.shape).to(self.kind), self.told(context))[0]
        found: Tensor = (x.double() * self.scale + self.center).reshape(len(z), *self.outer)
        return found

    def nats(self, x: Tensor, about: Tensor | None) -> Tensor:
        """Log density of standardised items in raw units, (B,) float64."""
        z, volume = self.map(x, about)
        d = prod(self.shape)
        volume = volume.double() - self.scale.double().log().sum() * (d // len(self.scale))
        nats: Tensor = volume - 0.5 * z.flatten(1).double().square().sum(1) - 0.5 * d * log(2 * pi)
        return nats
