"""The networks of a hierarchical autoencoder: features of an item from the bottom up, and codes from the top down."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ilk.nets.grid import halved

Sides = tuple[int, ...]                 # of a grid of features; () where they are one vector
Told = Callable[[int, Tensor], Tensor]  # level and features from above -> its u, (B, codes, *sides)


@dataclass(frozen=True)
class Sizes:
    """Sizes: channels of features, numbers of a code at each place, the sides of the grid at each level from the top, dropout."""

    width: int
    codes: int
    sides: tuple[Sides, ...]
    dropout: float


def sides_of(takes: tuple[int, ...], levels: int | None) -> tuple[Sides, ...]:
    """The grid of each level from the top: from two rows or columns to half a picture's sides; items of other shapes have none.

    >>> sides_of((1, 28, 28), None), sides_of((5,), None)
    (((2, 2), (4, 4), (7, 7), (14, 14)), ((), ()))
    """
    if len(takes) != 3:
        return ((),) * (levels or 2)
    most = next(n for n in range(1, 64) if min(halved(takes[1:], n)) <= 2)
    many = levels or max(2, most)
    return tuple(halved(takes[1:], round(most + (1 - most) * i / (many - 1))) for i in range(many))


def layer(takes: int, gives: int, sides: Sides, kernel: int = 3) -> nn.Module:
    """Linear, or a convolution over a grid."""
    return nn.Conv2d(takes, gives, kernel, padding=kernel // 2) if sides else nn.Linear(takes, gives)


def fitted(h: Tensor, sides: Sides) -> Tensor:
    """Features on another grid: averaged where it is coarser, repeated where it is finer."""
    if h.shape[2:] == torch.Size(sides):
        return h
    if h.shape[2] > sides[0]:
        return F.adaptive_avg_pool2d(h, (sides[0], sides[1]))
    return F.interpolate(h, size=[*sides])


class Block(nn.Module):
    """Two layers and a way past them, which is all there is at first."""

    def __init__(self, sizes: Sizes, sides: Sides) -> None:
        super().__init__()
        self.first, self.second = (layer(sizes.width, sizes.width, sides) for _ in range(2))
        self.drop = nn.Dropout(sizes.dropout)
        _silence(self.second)

    def forward(self, h: Tensor) -> Tensor:
        """(B, width, *sides) -> the same."""
        out: Tensor = self.second(self.drop(F.silu(self.first(F.silu(h)))))
        return h + out


class Says(nn.Module):
    """Mean and log variance from features, both 0 at first."""

    def __init__(self, takes: int, sizes: Sizes, sides: Sides) -> None:
        super().__init__()
        self.first = layer(takes, sizes.width, sides)
        self.last = layer(sizes.width, 2 * sizes.codes, sides, 1)
        _silence(self.last)

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """(B, takes, *sides) -> two of (B, codes, *sides)."""
        mean, log_var = self.last(F.silu(self.first(F.silu(h)))).chunk(2, 1)
        return mean, log_var


class Level(nn.Module):
    """One level: the code is z = m(h) + s(h) u with u standard normal under p, so that q has to say only how u differs.

    That is the residual posterior of Vahdat & Kautz (2020), section 3.2, with both differences in units of the prior.
    """

    def __init__(self, sizes: Sizes, sides: Sides) -> None:
        super().__init__()
        self.prior, self.posterior = Says(sizes.width, sizes, sides), Says(2 * sizes.width, sizes, sides)
        self.enter, self.block = layer(sizes.codes, sizes.width, sides, 1), Block(sizes, sides)

    def guess(self, h: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(u), given features from above and from the item."""
        mean, log_var = self.posterior(torch.cat([h, seen], 1))
        return mean.float(), log_var.float().clamp(-12, 6)

    def forward(self, h: Tensor, u: Tensor) -> Tensor:
        """The features with a code in them."""
        mean, log_var = self.prior(h)
        z = mean + (0.5 * log_var.clamp(-8, 8)).exp() * u.to(h.dtype)
        out: Tensor = self.block(h + self.enter(z))
        return out


class Ladder(nn.Module):
    """Items of shape `takes` (and what is known beside them) to codes and back to `gives` numbers each.

    The way down is shared by p and q, which adds what it saw on its way up (Soenderby et al. 2016; Child 2021).
    """

    def __init__(self, takes: tuple[int, ...], gives: tuple[int, ...], about: int, sizes: Sizes) -> None:
        super().__init__()
        self.gives, self.sizes = gives, sizes
        near = sizes.sides[-1]
        self.stem = nn.Conv2d(takes[0], sizes.width, 4, stride=2, padding=1) if near else nn.Linear(prod(takes), sizes.width)
        self.up = nn.ModuleList([Block(sizes, s) for s in sizes.sides])
        self.start = nn.Parameter(torch.zeros(sizes.width, *sizes.sides[0]))
        self.down = nn.ModuleList([Level(sizes, s) for s in sizes.sides])
        self.known = nn.Linear(about, 2 * sizes.width) if about else None
        self.out = nn.Sequential(nn.SiLU(), nn.ConvTranspose2d(sizes.width, gives[0], 4, stride=2, padding=1) if near else nn.Linear(sizes.width, prod(gives)))

    def _known(self, about: Tensor | None) -> tuple[Tensor | float, Tensor | float]:
        """What to add to the features of the item, and of the top."""
        if self.known is None or about is None:
            return 0.0, 0.0
        known = self.known(about.to(self.start.dtype)).reshape(len(about), -1, *[1] * len(self.sizes.sides[0]))
        up, top = known.chunk(2, 1)
        return up, top

    def features(self, x: Tensor, about: Tensor | None) -> list[Tensor]:
        """Of items, at every level from the top."""
        x = x.to(self.start.dtype)
        if self.sizes.sides[0]:
            x = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2)).contiguous(memory_format=torch.channels_last)
        h, found = self.stem(x if self.sizes.sides[0] else x.flatten(1)) + self._known(about)[0], []
        for block, sides in reversed(list(zip(self.up, self.sizes.sides, strict=True))):
            h = block(fitted(h, sides))
            found.append(h)
        return found[::-1]

    def guess(self, level: int, above: Tensor, seen: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(u) of a level, given the features from above and those of the items."""
        found: tuple[Tensor, Tensor] = self.down[level].guess(above, seen[level])  # type: ignore[operator]
        return found

    def descend(self, n: int, about: Tensor | None, told: Told) -> Tensor:
        """What the last layer says of n items, told the u of each level."""
        h = self.start + torch.zeros(n, *[1] * self.start.ndim, dtype=self.start.dtype, device=self.start.device) + self._known(about)[1]
        for i, (level, sides) in enumerate(zip(self.down, self.sizes.sides, strict=True)):
            h = fitted(h, sides)
            h = level(h, told(i, h))
        out: Tensor = self.out(h)
        if self.sizes.sides[0]:
            out = out[..., :self.gives[1], :self.gives[2]]
        return out.reshape(n, *self.gives).float()


def _silence(module: nn.Module) -> None:
    """A layer that adds nothing yet."""
    for p in module.parameters():
        nn.init.zeros_(p)
