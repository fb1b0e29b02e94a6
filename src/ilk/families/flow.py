"""Normalizing flows: exact densities of arrays and pictures by a bijection to noise, affine or spline, coupled or autoregressive."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, pi, prod
from typing import Annotated, Any, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Family, How, Met, Neural, Phase, Plan
from ilk.errors import UsageError
from ilk.given import About, Evidence
from ilk.nets._bijections import WIDEST, stacked
from ilk.nets._context import Context
from ilk.nets._glow import Glow, folds
from ilk.nets._monotone import Affine, Monotone, Spline
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.space import Reals, Space

LOOK, CHUNK = 20_000, 4096
NOISE, ENOUGH, MANY = 0.4, 100, 50_000


class Bijective(Neural["Flow"]):
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
        x = few.tensor.double().reshape(len(few), *self.shape)
        over = (0, 2, 3) if self.picture else (0,)
        spread, center = (t.reshape(self.center.shape) for t in torch.std_mean(x, over, correction=0))
        self.center.copy_(center)
        self.scale.copy_(spread.where(spread > 1e-6 * (1 + center.abs()), torch.ones_like(spread)))
        self.context.prepare(few.context)
        self.map.prepare(self.standard(few), self._about(few))
        if len(self.blur):
            self.blur.copy_(self._noise(len(data)) * torch.linalg.inv(self.map.steps[1].start))

    def _noise(self, items: int) -> float:
        """How much noise items learn with, in units of their own once they have covariance 1: the fewer there are, the more."""
        if self.family.noise is not None:
            return self.family.noise
        return min(NOISE, ENOUGH / items) if items < MANY else 0.0

    def phases(self) -> Sequence[Phase]:
        """The negative log density, of items with noise on them (Rothfuss et al. 2019)."""
        return [Phase("flow", self.map.parameters, self._loss)]

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        x = self.standard(batch)
        if len(self.blur) and float(self.blur[0, 0]):
            x = x + (rng.child("noise").normal(*x.shape).to(x) @ self.blur.T).to(x)
        return -self._nats(x, self._about(batch))

    def plan(self, items: int) -> Plan:
        """Enough passes for small data; weights averaged."""
        batch = int(min(32 if self.picture else 256, max(16, items // 16)))
        steps = int(min(max(1000, 60 * items // batch), 12_000))
        return Plan(steps=steps, batch=batch, rate=1e-3 if items < MANY else 3e-3, weight_decay=0.01, ema=0.995, evaluate_every=max(20, steps // 40))

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """The same: nothing is drawn."""
        return -self.log_prob(batch)

    def standard(self, batch: Batch) -> Tensor:
        """Items as the bijection knows them."""
        return ((batch.tensor.reshape(len(batch), *self.shape) - self.center) / self.scale).to(self.kind)

    def _about(self, batch: Batch) -> Tensor | None:
        if self.about and not batch.context:
            raise UsageError(f"this can be done only with {', '.join(self.about)}", code="CONTEXT")
        return self.context(batch.context) if self.about else None

    def _nats(self, x: Tensor, about: Tensor | None) -> Tensor:
        z, volume = self.map(x, about)
        d = prod(self.shape)
        volume = volume.double() - self.scale.double().log().sum() * (d // len(self.scale))
        nats: Tensor = volume - 0.5 * z.flatten(1).double().square().sum(1) - 0.5 * d * log(2 * pi)
        return nats

    @torch.no_grad()
    def log_prob(self, batch: Batch) -> Tensor:
        """Log density in nats, (B,) float64. Items without labels: of the sum over labels, each at its share."""
        if self.about and not batch.context and self.context.sizes is not None:
            labels = [self.context.labels(torch.full((len(batch),), i)) for i in range(len(self.context.share))]
            return torch.stack([self.log_prob(replace(batch, context=said)) + share for said, share in zip(labels, self.context.share, strict=True)]).logsumexp(0)
        return torch.cat([self._nats(self.standard(part), self._about(part)) for part in _cut(batch)])

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Labels by their shares in training, then items from noise."""
        return self.draw(n, rng, self.context.draw(n, rng.child("label")) if self.about else {})

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        return self.decode(Batch(rng.child("z").normal(n, *self.outer), context=context))

    @torch.no_grad()
    def encode(self, batch: Batch) -> Batch:
        """The noise that each item is made from."""
        return Batch(torch.cat([self.map(self.standard(part), self._about(part))[0] for part in _cut(batch)]).double().reshape(len(batch), *self.outer))

    @torch.no_grad()
    def decode(self, codes: Batch) -> Batch:
        """The item that each noise makes."""
        made = [self.map.inverse(part.tensor.reshape(len(part), *self.shape).to(self.kind), self._about(part))[0] for part in _cut(codes)]
        return Batch((torch.cat(made).double() * self.scale + self.center).reshape(len(codes), *self.outer))

    def code_space(self) -> Space:
        """As many numbers as the items have."""
        return self.space

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """p(x | context), exactly; nothing of the items themselves."""
        return Told(self, evidence.context) if isinstance(evidence, About) else None


def _cut(batch: Batch) -> list[Batch]:
    return [batch.cut(i, i + CHUNK) for i in range(0, max(1, len(batch)), CHUNK)]


class Told:
    """A flow whose context is known."""

    def __init__(self, whole: Bijective, context: Mapping[str, Batch]) -> None:
        self.whole, self.context, self.met = whole, context, Met("exact")

    def _said(self, n: int) -> dict[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items with this context."""
        return self.whole.draw(n, rng, self._said(n))

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x | context)."""
        return self.whole.log_prob(replace(batch, context=self._said(len(batch))))


@dataclass(frozen=True, kw_only=True)
class Flow(Family):
    """A bijection to noise in `layers`, each a monotone `transform` of numbers whose parameters a network of `width` gives.

    `structure` says what the network sees: half of the numbers (Dinh et al. 2017), those before (Papamakarios et al. 2017), the noise of
    those before (Kingma et al. 2016), or a picture at several sizes (Kingma & Dhariwal 2018). None: a picture's for pictures, else those before.
    Splines (Durkan et al. 2019) have `bins` between -bound and bound, in standard deviations. Few items learn with `noise` on them.

    >>> flow = Flow(layers=2, width=16).build(Reals((3,)), Rng(0))
    >>> flow.log_prob(Batch(torch.zeros(2, 3))) + 1.5 * log(2 * pi)
    tensor([0., 0.], dtype=torch.float64)
    """

    distribution = Bijective
    structure: Literal["coupling", "autoregressive", "inverse", "glow"] | None = None
    transform: Literal["affine", "spline"] | None = None
    layers: Annotated[int, Interval(ge=1, le=256)] | None = None
    width: Annotated[int, Interval(ge=1, le=16384)] = 64
    bins: Annotated[int, Interval(ge=2, le=256)] = 8
    bound: Annotated[float, Interval(gt=0, le=100)] = 4.0
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    noise: Annotated[float, Interval(ge=0, le=10)] | None = None

    def refuses(self, space: Space) -> str | None:
        """Anything but Reals; for the structure of pictures, anything but pictures."""
        if not isinstance(space, Reals) or prod(space.shape) < 1:
            return "takes Reals"
        return "of this structure takes pictures, (channels, height, width) with even sides of at least 8" if self.structure == "glow" and not folds(space.shape) else None

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
