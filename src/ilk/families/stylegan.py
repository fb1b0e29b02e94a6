"""StyleGAN: pictures drawn from styles, coarse to fine, which can be mixed and moved to their mean; fresh noise for what is left to chance."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ilk.batch import Batch
from ilk.distribution import Family, Net, Plan
from ilk.families._adversary import Adversarial, pictures
from ilk.nets._context import Context
from ilk.nets._style import Styles, Synthesis
from ilk.nets.resnet import ResNet
from ilk.rng import Rng
from ilk.space import Reals, Space

MIDDLE = 1000   # codes whose styles make the mean style


class Stylegan(Adversarial):
    """A mapping of codes to styles, a synthesis of pictures from styles, and their critic."""

    generator: Painter
    path: Tensor

    def build_generator(self) -> nn.Module:
        """Mapping and synthesis; the running mean of path lengths is a buffer."""
        self.register_buffer("path", torch.zeros(()))
        return Painter(self.shape, self.context.width, self.family)

    def critic_net(self) -> Net:
        """A residual network."""
        return ResNet(width=self.family.width)

    def made(self, n: int, rng: Rng, about: Tensor | None, psi: float = 1.0) -> Tensor:
        """Pictures in -1..1; while it learns, some take the styles of another code from some layer on."""
        w = self.styles(n, rng, about, psi)[:, None].expand(-1, self.layers, -1)
        if self.training and self.layers > 1:
            other = self.styles(n, rng.child("mix"), about, psi)[:, None]
            mixes = rng.child("mixes").uniform(n) < self.family.mixing
            cut = (1 + rng.child("cut").integers(n, self.layers - 1)).where(mixes, torch.tensor(self.layers))
            w = w.where((torch.arange(self.layers) < cut[:, None]).to(w.device)[..., None], other)
        return self.painted(w, rng)

    @property
    def layers(self) -> int:
        """How many layers have a style of their own, from coarse to fine."""
        return len(self.generator.synthesis.layers)

    def styles(self, n: int, rng: Rng, about: Tensor | None = None, psi: float = 1.0) -> Tensor:
        """Styles of n codes, (n, styles); `psi` below 1 moves them to their mean, that of the same context (Karras et al. 2019, appendix B)."""
        w = self._mapped(rng.child("z").normal(n, self.family.codes), about)
        return w if psi == 1 else self.middle(about) * (1 - psi) + psi * w

    def middle(self, about: Tensor | None) -> Tensor:
        """The mean style, (1, styles), or that of each context, (n, styles)."""
        z = Rng(0).child("middle").normal(MIDDLE, self.family.codes)
        if about is None:
            return self._mapped(z, None).mean(0, keepdim=True)
        each, place = about.unique(dim=0, return_inverse=True)
        means = [self._mapped(z, a.expand(MIDDLE, -1)).mean(0) for a in each]
        return torch.stack(means)[place] if means else about.new_zeros(0, self.family.codes)

    def _mapped(self, z: Tensor, about: Tensor | None) -> Tensor:
        kind = self.generator.synthesis.start
        w: Tensor = self.generator.mapping(z.to(kind), *([] if about is None else [about.to(kind)]))
        return w

    def painted(self, w: Tensor, rng: Rng) -> Tensor:
        """Standardised pictures of styles (n, layers, styles), and noise drawn by the rng."""
        synthesis = self.generator.synthesis
        noise = [rng.child("noise", i).normal(len(w), 1, *size).to(w) for i, size in enumerate(synthesis.sizes)]
        drawn: Tensor = synthesis(w, noise)
        return drawn.float().tanh()

    @torch.no_grad()
    def mixed(self, coarse: Tensor, fine: Tensor, layers: int, rng: Rng) -> Batch:
        """Pictures whose first `layers` layers have the styles `coarse`, (n, styles), and the others those of `fine`."""
        here = (torch.arange(self.layers) < layers)[None, :, None]
        x = self.painted(coarse[:, None].where(here, fine[:, None]), rng)
        return Batch(x.double() * self.scale + self.center)

    def generator_loss(self, batch: Batch, rng: Rng) -> Tensor:
        """To be taken for data, and how far the picture moves with the style from its running mean (Karras et al. 2020, equation 4)."""
        loss = super().generator_loss(batch, rng)
        some = -(-len(batch) // self.family.lazy)
        if self.family.path == 0:
            return loss
        about = self._beside(batch)
        far = self.length(some, rng.child("path"), None if about is None else about[:some])
        with torch.no_grad():
            self.path.lerp_(far.mean(), 0.01 if bool(self.path) else 1.0)
        values = self.family.path * len(batch) / some * (far - self.path).square()
        return loss + torch.cat([values, values.new_zeros(len(batch) - some)])

    def length(self, n: int, rng: Rng, about: Tensor | None) -> Tensor:
        """How fast n pictures move with their styles in a random direction of pictures, (n,)."""
        w = self.styles(n, rng, about)[:, None].expand(-1, self.layers, -1)
        x = self.painted(w, rng)
        to = rng.child("to").normal(*x.shape).to(x) / (x.shape[-2] * x.shape[-1]) ** 0.5
        (slope,) = torch.autograd.grad((x * to).sum(), w, create_graph=True)
        return (slope.float().square().sum(2).mean(1) + 1e-12).sqrt()

    def plan(self, items: int) -> Plan:
        """Some thousand small steps; weights averaged."""
        batch = int(min(32, max(8, items // 16)))
        return Plan(steps=int(min(max(1000, 60 * items // batch), 6000)), batch=batch, rate=2e-3, weight_decay=0.0, ema=0.999)


class Painter(nn.Module):
    """What makes pictures: styles of codes, and pictures of styles."""

    def __init__(self, shape: Sequence[int], about: int, recipe: StyleGAN) -> None:
        super().__init__()
        self.mapping = Styles(recipe.codes, about, recipe.codes, recipe.depth)
        self.synthesis = Synthesis(tuple(shape), recipe.codes, recipe.width)


@dataclass(frozen=True, kw_only=True)
class StyleGAN(Family):
    """A generator by styles (Karras et al. 2019, 2020): `codes` normal numbers, `depth` layers to as many of a style, `width` channels at full size.

    While it learns, a share `mixing` of pictures has the styles of two codes. `strength` is that of the penalty on the critic's slope (R1),
    `path` that on uneven steps from style to picture; both look at one item in `lazy`. The critic sees `pack` items at a time.

    >>> StyleGAN(codes=8, width=4).build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """

    distribution = Stylegan
    loss: ClassVar[str] = "non_saturating"
    penalty: ClassVar[str] = "r1"
    spectral: ClassVar[bool] = False
    turns: ClassVar[int] = 1
    codes: Annotated[int, Interval(ge=1, le=4096)] = 64
    depth: Annotated[int, Interval(ge=1, le=16)] = 4
    width: Annotated[int, Interval(ge=1, le=4096)] = 16
    mixing: Annotated[float, Interval(ge=0, le=1)] = 0.9
    strength: Annotated[float, Interval(ge=0, le=10_000)] = 0.05
    path: Annotated[float, Interval(ge=0, le=10_000)] = 2.0
    lazy: Annotated[int, Interval(ge=1, le=64)] = 8
    pack: Annotated[int, Interval(ge=1, le=32)] = 1

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but pictures."""
        fits = isinstance(space, Reals) and pictures(space.shape)
        return None if fits else "takes pictures: Reals of channels, height and width, of at least 4 x 4"

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
