"""Generative adversarial network: one network makes items, another tells them from data; four losses, penalties, packing, labels."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ilk.batch import Batch
from ilk.distribution import AnyNet, Family, Net, Plan, Port
from ilk.families._adversary import Adversarial, pictures, refuses
from ilk.families._searched import Search
from ilk.nets._context import Context
from ilk.nets.dcgan import DCGAN
from ilk.nets.mlp import MLP
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.space import Space

MOST = 64   # codes where nobody says


class Gan(Adversarial):
    """A generator of normal codes and its critic; samples, but no density."""

    @property
    def codes(self) -> int:
        """How many normal numbers make an item."""
        return self.family.codes or min(MOST, 2 * prod(self.shape))

    def build_generator(self) -> nn.Module:
        """Codes, and the context beside them, to items."""
        return self.critic_net()(Port("decode", (self.codes,), self.shape, self.context.width))

    def critic_net(self) -> Net:
        """Both networks are of one recipe."""
        chosen: Net = self.family.net or (DCGAN() if pictures(self.shape) else MLP(width=128, depth=3))
        return chosen

    def made(self, n: int, rng: Rng, about: Tensor | None, psi: float = 1.0) -> Tensor:
        """Normal numbers from the middle `psi` of their law, through the generator."""
        z = torch.special.ndtri(0.5 + psi * (rng.child("z").uniform(n, self.codes) - 0.5)).to(self.center.device)
        return self.pictured(z, about)

    def search(self) -> Search:
        """Codes to items."""
        def mean(z: Tensor, about: Mapping[str, Batch]) -> Tensor:
            return self.pictured(z, self.context(about) if self.about else None).flatten(1)

        def items(z: Tensor, about: Mapping[str, Batch], rng: Rng) -> Batch:
            x = self.pictured(z, self.context(about) if self.about else None)
            return Batch((x.double() * self.scale + self.center).reshape(len(z), *getattr(self.space, "shape", ())))
        return Search(self.codes, mean, items, self.standard)

    def pictured(self, z: Tensor, about: Tensor | None) -> Tensor:
        """Standardised items of normal codes (n, codes), float32."""
        kind = next(self.generator.parameters()).dtype
        out: Tensor = self.generator(z.to(kind), *([] if about is None else [about.to(kind)])).float()
        return out.tanh() if pictures(self.shape) else out

    def plan(self, items: int) -> Plan:
        """Many small steps; weights averaged."""
        batch = int(min(64 if pictures(self.shape) else 128, max(16, items // 16)))
        steps = int(min(max(1500, 100 * items // batch), 6000 if pictures(self.shape) else 15_000))
        return Plan(steps=steps, batch=batch, rate=1e-3, weight_decay=0.0, ema=0.999)


@dataclass(frozen=True, kw_only=True)
class GAN(Family):
    """A game of two networks (Goodfellow et al. 2014): a generator of `codes` normal numbers (by default twice as many as an item has, 64
    at most), and a critic that sees `pack` items at a time.

    `penalty` keeps the critic's slope in bounds, times `strength` (by default 10, R1 .1); `spectral` keeps every layer's largest singular
    value at 1 (Miyato et al. 2018). The critic has `turns` turns for each of the generator's. It samples; there is no density.

    >>> import torch
    >>> from ilk.space import Reals
    >>> GAN(codes=4, net=MLP(width=16)).build(Reals((3,)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 3])
    """

    distribution = Gan
    lazy: ClassVar[int] = 4   # one item in so many has its slope looked at
    loss: Annotated[Literal["non_saturating", "wasserstein", "least_squares", "hinge"], Tried("non_saturating", "wasserstein", "hinge")] = "non_saturating"
    penalty: Annotated[Literal["none", "gradient", "r1", "dragan"], Tried("r1", "gradient", "dragan")] = "r1"
    strength: Annotated[float, Interval(ge=0, le=10_000)] | None = None
    spectral: bool = False
    pack: Annotated[int, Interval(ge=1, le=32), Tried(1, 2, 4)] = 2
    turns: Annotated[int, Interval(ge=1, le=100)] = 1
    codes: Annotated[int, Interval(ge=1, le=4096)] | None = None
    net: AnyNet = None

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals."""
        return refuses(space)

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
