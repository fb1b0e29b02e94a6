"""Autoencoder: items through a narrow code and back. It compresses and cleans; it has no law of codes, so it makes and scores nothing by itself."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import AnyNet, Family, Phase
from ilk.families._autoencoding import Autoencoding
from ilk.families._likelihood_of import likelihood
from ilk.rng import Rng
from ilk.space import Discrete, Reals, Space


class Coder(Autoencoding["Autoencoder"]):
    """x -> code -> x: squared error of standardised numbers, cross-entropy of bits (Hinton & Salakhutdinov 2006)."""

    def build_net(self) -> None:
        """The encoder gives the code itself."""
        self.bits = isinstance(self.space, Discrete)
        self.make(self.family.net, likelihood("auto", self.space, "fixed"), self.family.codes, self.family.codes)

    def phases(self) -> Sequence[Phase]:
        """The error of what comes back."""
        return [Phase("autoencoder", self.parameters, self._loss)]

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """The error of items that nothing was done to."""
        return self._error(batch, self.likelihood.shown(self.raw(batch)))

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        return self._error(batch, self._corrupted(self.likelihood.shown(self.raw(batch)), rng.child("corrupt")))

    def _error(self, batch: Batch, shown: Tensor) -> Tensor:
        """Minus log p(x | code), in nats: of reals half the squared error, up to a constant."""
        y = self.through(self.decoder, self.through(self.encoder, shown, None), None)
        return -self.likelihood.log_prob(y, self.raw(batch))

    def _corrupted(self, x: Tensor, rng: Rng) -> Tensor:
        """Noise on numbers; bits tossed anew (Vincent et al. 2008)."""
        share = self.family.noise
        if not share:
            return x
        if not self.bits:
            return x + share * rng.normal(*x.shape).to(x)
        coins = rng.child("coin").uniform(*x.shape) < 0.5
        return x.where(rng.uniform(*x.shape).to(x.device) >= share, coins.to(x))

    @torch.no_grad()
    def encode(self, batch: Batch) -> Batch:
        """The code of each item."""
        return Batch(self.through(self.encoder, self.likelihood.shown(self.raw(batch)), None))


@dataclass(frozen=True, kw_only=True)
class Autoencoder(Family):
    """A code of `codes` numbers from which an item comes back as well as it can; with `noise` it learns to clean what was spoilt.

    `net` is a recipe of ilk.nets, or any callable from Port to nn.Module.

    >>> model = Autoencoder(codes=2).build(Reals((3,)), Rng(0))
    >>> model.decode(model.encode(Batch(torch.zeros(4, 3)))).tensor.shape
    torch.Size([4, 3])
    """

    distribution = Coder
    codes: Annotated[int, Interval(ge=1, le=4096)] = 16
    noise: Annotated[float, Interval(ge=0, le=1)] = 0.0
    net: AnyNet = None

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals and binary Discrete."""
        fits = isinstance(space, Reals) or (isinstance(space, Discrete) and bool(space.shape) and set(space.each) == {2})
        return None if fits else "takes Reals, or Discrete of two values"
