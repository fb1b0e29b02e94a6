"""A convolutional encoder and decoder of images: halved until they are small, then a vector; and back (Radford et al. 2015)."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from ilk.distribution import Net, Port
from ilk.errors import UsageError

SMALL, MULTIPLES = 7, (1, 2, 4)   # the side from which images are small, and channels by how often they were halved


class Block(nn.Module):
    """A convolution and a way past it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> the same."""
        return x + F.silu(self.conv(x))


class Down(nn.Module):
    """(B, c, h, w) and, if there is a context, (B, about) -> (B, *gives)."""

    def __init__(self, port: Port, recipe: Conv) -> None:
        super().__init__()
        self.gives = port.gives
        sides, channels = sizes(port.takes), recipe.channels(port.takes)
        self.first = nn.Conv2d(port.takes[0], channels[0], 6, stride=2, padding=2)
        self.shrink = nn.ModuleList([nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in zip(channels, channels[1:], strict=False)])
        self.see = nn.ModuleList([Block(c) for c in channels[1:]])
        self.sum = nn.Linear(channels[-1] * prod(sides[-1]) + port.about, recipe.hidden)
        self.last = nn.Linear(recipe.hidden, prod(port.gives))

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        """What the last layer says."""
        h = F.silu(self.first(_even(x).contiguous(memory_format=torch.channels_last)))
        for shrink, see in zip(self.shrink, self.see, strict=True):
            h = see(F.silu(shrink(_even(h))))
        flat = h.flatten(1)
        out: Tensor = self.last(F.silu(self.sum(flat if about is None else torch.cat([flat, about], 1))))
        return out.reshape(-1, *self.gives)


class Up(nn.Module):
    """(B, *takes) and, if there is a context, (B, about) -> (B, c, h, w)."""

    def __init__(self, port: Port, recipe: Conv) -> None:
        super().__init__()
        self.sides, channels = sizes(port.gives)[::-1], recipe.channels(port.gives)[::-1]
        self.first = nn.Linear(prod(port.takes) + port.about, recipe.hidden)
        self.spread = nn.Linear(recipe.hidden, channels[0] * prod(self.sides[0]))
        self.see = nn.ModuleList([Block(c) for c in channels[:-1]])
        self.grow = nn.ModuleList([nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in zip(channels, channels[1:], strict=False)])
        self.last = nn.ConvTranspose2d(channels[-1], port.gives[0], 6, stride=2, padding=2)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        """What the last layer says."""
        flat = x.flatten(1)
        h = F.silu(self.spread(F.silu(self.first(flat if about is None else torch.cat([flat, about], 1)))))
        h = h.unflatten(1, (-1, *self.sides[0])).contiguous(memory_format=torch.channels_last)
        for see, grow, (high, wide) in zip(self.see, self.grow, self.sides[1:-1], strict=True):
            h = F.silu(grow(see(h)))[..., :high, :wide]
        high, wide = self.sides[-1]
        out: Tensor = self.last(h)
        return out[..., :high, :wide].contiguous()


def _even(x: Tensor) -> Tensor:
    """Filled up with zeros to an even height and width."""
    return F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))


@dataclass(frozen=True, kw_only=True)
class Conv(Net):
    """Convolutions at each size, `width` channels where the image was halved once and up to 4 times as many below; `hidden` units on the way to the vector.

    >>> Conv(width=8)(Port("encode", (1, 28, 28), (16,)))(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 16])
    >>> Conv(width=8)(Port("decode", (16,), (3, 9, 8)))(torch.zeros(5, 16)).shape
    torch.Size([5, 3, 9, 8])
    """

    width: Annotated[int, Interval(ge=1, le=4096)] = 16
    hidden: Annotated[int, Interval(ge=1, le=65536)] = 256

    def channels(self, image: tuple[int, ...]) -> list[int]:
        """How many there are after each halving."""
        return [self.width * MULTIPLES[min(i, len(MULTIPLES) - 1)] for i in range(len(sizes(image)) - 1)]

    def __call__(self, port: Port) -> nn.Module:
        """The network for a port; UsageError if there is none."""
        image = {"encode": port.takes, "decode": port.gives}.get(port.role)
        if image is None or len(image) != 3 or min(image[1:]) < 4:
            raise UsageError(f"Conv encodes and decodes images (channels, height, width) of 4 x 4 pixels or more; it can't {port.role} {port.takes}",
                             code="NET", param="net")
        return Down(port, self) if port.role == "encode" else Up(port, self)


def sizes(image: tuple[int, ...]) -> list[tuple[int, int]]:
    """Height and width of an image, halved (upwards) once at least and until no side is above 7."""
    found = [image[1:]]
    while len(found) < 2 or max(found[-1]) > SMALL:
        found.append(tuple(-(-n // 2) for n in found[-1]))
    return [(h, w) for h, w in found]
