"""Normalizing flows: exact densities of arrays and pictures by a bijection to noise, affine or spline, coupled or autoregressive."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Family, How, Met, Phase
from ilk.families._dequantised import Dequantised
from ilk.families._flow_map import Mapped
from ilk.given import About, Evidence
from ilk.nets._context import Context
from ilk.nets._glow import folds
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.space import Discrete, Reals, Space

CHUNK = 4096


class Bijective(Mapped):
    """The density of numbers."""

    def phases(self) -> Sequence[Phase]:
        """The negative log density, of items with noise on them."""
        return [Phase("flow", self.map.parameters, self._loss)]

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        return -self.nats(self.blurred(self.standard(batch.tensor), rng), self.told(batch.context))

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """The same: nothing is drawn."""
        return -self.log_prob(batch)

    def log_prob(self, batch: Batch) -> Tensor:
        """Log density in nats, (B,) float64. Items without labels: of the sum over labels, each at its share. Derivatives are in the items only."""
        with torch.set_grad_enabled(batch.tensor.requires_grad):
            return self._log_prob(batch)

    def _log_prob(self, batch: Batch) -> Tensor:
        if self.about and not batch.context and self.context.sizes is not None:
            labels = [self.context.labels(torch.full((len(batch),), i)) for i in range(len(self.context.share))]
            return torch.stack([self._log_prob(replace(batch, context=said)) + share for said, share in zip(labels, self.context.share, strict=True)]).logsumexp(0)
        return torch.cat([self.nats(self.standard(part.tensor), self.told(part.context)) for part in _cut(batch)])

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Labels by their shares in training, then items from noise."""
        return self.draw(n, rng, self.context.draw(n, rng.child("label")) if self.about else {})

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        return self.decode(Batch(rng.child("z").normal(n, *self.outer), context=context))

    @torch.no_grad()
    def encode(self, batch: Batch) -> Batch:
        """The noise that each item is made from."""
        return Batch(torch.cat([self.map(self.standard(part.tensor), self.told(part.context))[0] for part in _cut(batch)]).double().reshape(len(batch), *self.outer))

    @torch.no_grad()
    def decode(self, codes: Batch) -> Batch:
        """The item that each noise makes."""
        return Batch(torch.cat([self.made(part.tensor, part.context) for part in _cut(codes)]))

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
    Whole numbers come as real ones, filled up by uniform noise; with `dequantise` "variational" they come as they are, and the noise is learned
    (Ho et al. 2019): the score is a higher bound.

    >>> from math import log, pi
    >>> flow = Flow(layers=2, width=16).build(Reals((3,)), Rng(0))
    >>> flow.log_prob(Batch(torch.zeros(2, 3))) + 1.5 * log(2 * pi)
    tensor([0., 0.], dtype=torch.float64)
    """

    distribution = Bijective
    structure: Literal["coupling", "autoregressive", "inverse", "glow"] | None = None
    transform: Literal["affine", "spline"] | None = None
    layers: Annotated[Annotated[int, Interval(ge=1, le=256)] | None, Tried(None, 4, 8)] = None
    width: Annotated[int, Interval(ge=1, le=16384), Tried(32, 64, 128)] = 64
    bins: Annotated[int, Interval(ge=2, le=256), Tried(4, 8, 16)] = 8
    bound: Annotated[float, Interval(gt=0, le=100)] = 4.0
    dropout: Annotated[float, Interval(ge=0, lt=1), Tried(0.0, 0.1, 0.3)] = 0.0
    noise: Annotated[float, Interval(ge=0, le=10)] | None = None
    dequantise: Literal["uniform", "variational"] = "uniform"

    def becomes(self, space: Space) -> type[Mapped]:
        """A density of numbers, a bound for whole ones."""
        return Dequantised if isinstance(space, Discrete) else Bijective

    def refuses(self, space: Space) -> str | None:
        """Anything but Reals, or whole numbers if they are to be filled up here; for the structure of pictures, anything but pictures."""
        wanted = Reals if self.dequantise == "uniform" else Discrete
        if not isinstance(space, wanted) or prod(space.shape) < 1:
            return f"takes {wanted.__name__}" + " where it learns to fill up whole numbers" * (wanted is Discrete)
        return "of this structure takes pictures, (channels, height, width) with even sides of at least 8" if self.structure == "glow" and not folds(space.shape) else None

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
