"""What makes the style of pictures: which features go together, wherever they are."""
from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, pad

from ilk.families._perceptual import ALWAYS, Looks
from ilk.rng import Rng

PATCH, PATCHES, STEPS, CHUNK = 32, 2000, 80, 32
GRID, FAINT, NOISE, TINY = 4, 0.1, 0.1, 1e-8   # pixels to a place of the coarse grid; the spread of all features that counts for faint ones; of the start


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
    return pad(cut, (0, PATCH - wide, 0, PATCH - high), mode="replicate")


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

    def shown(self, x: Tensor) -> Tensor:
        """What pictures show, whatever their style: where on a coarse grid each feature is strong, over its own mean and spread, (B, features, ...)."""
        size = max(1, x.shape[2] // GRID), max(1, x.shape[3] // GRID)
        return torch.cat([_even(adaptive_avg_pool2d(f, size)) for f in self.features(x)], 1)

    def apart(self, x: Tensor, y: Tensor) -> Tensor:
        """How far what two pictures show is from each other, (B,): about 1 where it has nothing in common."""
        return (self.shown(x) - self.shown(y)).square().flatten(1).mean(1) / 2

    def drawn(self, x: Tensor, strength: float, rng: Rng) -> Tensor:
        """A picture (1, ...) moved until it looks it: `strength` of the loss is the distance to the style in units of where it began, the rest that to what it showed."""
        with torch.no_grad():
            first, shown = [d.clamp_min(TINY) for d in self.away(x)], self.shown(x)
            fresh = NOISE * rng.normal(*x.shape).to(x)   # a texture of no disorder would stay what it is
            start = (x + strength * (adain(x, self._one()) + fresh - x)).clamp(-1, 1)

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            leaf = torch.from_numpy(flat).float().reshape(x.shape).requires_grad_()
            style = torch.stack([d / f for d, f in zip(self.away(leaf), first, strict=True)]).mean()
            value = strength * style + (1 - strength) * (self.shown(leaf) - shown).square().mean() / 2
            return float(value.detach()), torch.autograd.grad(value, leaf)[0].double().flatten().numpy()

        found = minimize(loss, start.double().flatten().numpy(), jac=True, method="L-BFGS-B", bounds=Bounds(-1, 1), options={"maxiter": STEPS})
        return torch.from_numpy(found.x).float().reshape(x.shape)

    def _one(self) -> Tensor:
        """All pictures of the style side by side: their colours are those of one."""
        return self.like.transpose(0, 1).flatten(1)[None, :, None]


def _even(f: Tensor) -> Tensor:
    """Features (B, channels, height, width) around their means and over their spreads; faint ones stay so."""
    each, all_of_it = (f.std(over, correction=0, keepdim=True) for over in ((2, 3), (1, 2, 3)))
    return (f - f.mean((2, 3), keepdim=True)) / (each + FAINT * all_of_it + TINY)
