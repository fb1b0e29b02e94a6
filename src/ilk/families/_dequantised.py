"""A flow over whole numbers: what fills them up to real ones is learned, and the score is a bound."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.special import ndtr

from ilk.batch import Batch
from ilk.distribution import How, Phase
from ilk.families._flow_map import Mapped
from ilk.families._labelled import CHUNK, Bounded
from ilk.nets._bijections import stacked
from ilk.nets._monotone import Affine
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.space import Discrete

if TYPE_CHECKING:
    from ilk.families.flow import Flow  # noqa: F401

DRAWS, LAYERS = 4, 2


class Dequantised(Mapped, Bounded["Flow"]):
    """log p(x) >= E log p(x + u) - log q(u | x), u in [0, 1) (Theis et al. 2016; Ho et al. 2019, equation 12).

    u = Phi(v), v a flow of normal noise that knows x: uniform before it learns.
    """

    def build_net(self) -> None:
        """The flow of the numbers, and that of what fills them up."""
        super().build_net()
        if not isinstance(self.space, Discrete):
            raise TypeError("only whole numbers are filled up")
        self.last, d = torch.tensor(self.space.each).reshape(self.outer) - 1, prod(self.outer)
        self.filling: nn.Module = stacked(d, Affine(), LAYERS, MLP(width=self.family.width, depth=2), d, "autoregressive")

    def filled(self, x: Tensor) -> Tensor:
        """By uniform noise."""
        return x + Rng(0).child("fill").uniform(*x.shape)

    def phases(self) -> Sequence[Phase]:
        """Minus the bound at one draw, of items with noise on them."""
        return [Phase("flow", self._learned, lambda batch, rng: -self._drawn(batch, rng, blur=True))]

    def _learned(self) -> Iterator[nn.Parameter]:
        yield from self.map.parameters()
        yield from self.filling.parameters()

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Minus the bound."""
        return -self.log_prob_bound(batch, rng)

    def _drawn(self, batch: Batch, rng: Rng, blur: bool = False) -> Tensor:
        """log p(x + u) - log q(u | x) at one u an item, (B,)."""
        x = batch.tensor
        noise = rng.child("fill").normal(len(x), prod(self.outer)).to(self.center)
        v, volume = self.filling(noise, self.standard(x).flatten(1))
        cost = 0.5 * (v.double().square() - noise.double().square()).sum(1) - volume.double()
        y = self.standard(x + ndtr(v.double()).reshape(x.shape))
        found: Tensor = self.nats(self.blurred(y, rng) if blur else y, self.told(batch.context)) - cost
        return found

    def bound(self, batch: Batch, rng: Rng) -> Tensor:
        """The mean over some draws, (B,)."""
        return torch.stack([self._drawn(batch, rng.child("draw", i)) for i in range(DRAWS)]).mean(0)

    @torch.no_grad()
    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """The whole number below each real one, within the range."""
        z = rng.child("z").normal(n, *self.outer)
        parts = [self.made(z[i:i + CHUNK], {k: b.cut(i, i + CHUNK) for k, b in context.items()}) for i in range(0, max(1, n), CHUNK)]
        x = torch.cat(parts).floor().long()
        return Batch(x.clamp_min(0).minimum(self.last.to(x.device)))
