"""What makes the style of pictures: which features go together, wherever they are."""
from __future__ import annotations

import torch
from torch import Tensor

from ilk.families._perceptual import ALWAYS, Looks
from ilk.rng import Rng
from ilk.train.adamw import AdamW

PATCH, PATCHES, STEPS, RATE, CHUNK = 32, 2000, 150, 0.03, 32
TINY = 1e-8


def gram(features: Tensor) -> Tensor:
    """How features (B, channels, height, width) go together, (B, channels, channels): their mean products (Gatys et al. 2016, equation 3)."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def adain(x: Tensor, like: Tensor) -> Tensor:
    """Features (B, channels, height, width) with the mean and spread of each channel of others, (1 or B, channels, ...) (Huang & Belongie 2017, equation 8)."""
    (middle, off), (wanted, wide) = ((f.mean((2, 3), keepdim=True), f.std((2, 3), correction=0, keepdim=True)) for f in (x, like))
    return wide * (x - middle) / off.clamp_min(TINY) + wanted


def looks(pictures: list[Tensor]) -> Looks:
    """Features learned from pictures (B, channels, height, width) in [-1, 1] by telling mirrored patches of them apart."""
    with ALWAYS.child("init").as_global():
        net = Looks(tuple(pictures[0].shape[1:]))
    net.learn(torch.cat([_patches(p, ALWAYS.child("patch", i)) for i, p in enumerate(pictures)]))
    return net


def _patches(x: Tensor, rng: Rng) -> Tensor:
    """Squares from anywhere in pictures, reflected at the edge where those are smaller."""
    high, wide = (min(PATCH, s) for s in x.shape[2:])
    rows = rng.child("row").integers(PATCHES, len(x))
    top, left = (rng.child(name).integers(PATCHES, size - side + 1).tolist() for name, size, side in (("top", x.shape[2], high), ("left", x.shape[3], wide)))
    cut = torch.stack([x[i, :, t:t + high, k:k + wide] for i, t, k in zip(rows.tolist(), top, left, strict=True)])
    return torch.nn.functional.pad(cut, (0, PATCH - wide, 0, PATCH - high), mode="replicate")


class Style:
    """Features of pictures, the mean style of some, and how far others are from it and from each other."""

    def __init__(self, net: Looks, like: Tensor) -> None:
        self.net, self.like = net, like
        self.wanted = [sum((gram(f).sum(0) for f in level), torch.zeros(())) / len(like) for level in zip(*(self.features(p) for p in like.split(CHUNK)), strict=True)]

    def features(self, x: Tensor) -> list[Tensor]:
        """The pixels themselves, and what the network sees at a half and a quarter of their size."""
        return [x, *self.net.features(x)]

    def away(self, x: Tensor) -> list[Tensor]:
        """Squared distance to the style at each size, (B,)."""
        return [(gram(f) - w).square().sum((1, 2)) for f, w in zip(self.features(x), self.wanted, strict=True)]

    def apart(self, x: Tensor, y: Tensor) -> Tensor:
        """Squared distance of what two pictures show: of the features at the smallest size, (B,)."""
        return (self.features(x)[-1] - self.features(y)[-1]).square().flatten(1).mean(1)

    def drawn(self, x: Tensor, strength: float) -> Tensor:
        """Pictures moved until they look it: `strength` of the loss is the distance to the style, the rest that to what they show, each in units of where it began."""
        with torch.no_grad():
            first = [d.clamp_min(TINY) for d in self.away(x)]
            spread = self.features(x)[-1].var((1, 2, 3)).clamp_min(TINY)
            made = (x + strength * (adain(x, self._one()) - x)).clamp(-1, 1)
        leaf = torch.nn.Parameter(made.clone())
        adam = AdamW([leaf], 0.0)
        for i in range(STEPS):
            adam.forget_gradients()
            style = torch.stack([d / f for d, f in zip(self.away(leaf), first, strict=True)]).mean(0)
            (strength * style + (1 - strength) * self.apart(leaf, x) / spread).sum().backward()  # type: ignore[no-untyped-call]
            adam.step(RATE * (1 - i / STEPS))
            with torch.no_grad():
                leaf.clamp_(-1, 1)
        return leaf.detach()

    def _one(self) -> Tensor:
        """All pictures of the style side by side: their colours are those of one."""
        return self.like.transpose(0, 1).flatten(1)[None, :, None]
