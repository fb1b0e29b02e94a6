"""A residual pair for images: blocks that halve them on the way to a vector, blocks turned by the code that double them on the way back."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, relu

from ilk.distribution import Port
from ilk.nets._pair import PairNet, halvings, smallest


class Up(nn.Module):
    """Two convolutions at twice the size; the code scales and shifts what the batch norms leave (Brock et al. 2019)."""

    def __init__(self, takes: int, gives: int, known: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(takes, affine=False), nn.BatchNorm2d(gives, affine=False)])
        self.turns = nn.ModuleList([nn.Linear(known, 2 * takes), nn.Linear(known, 2 * gives)])
        self.layers = nn.ModuleList([nn.Conv2d(takes, gives, 3, padding=1), nn.Conv2d(gives, gives, 3, padding=1)])
        self.past = nn.Conv2d(takes, gives, 1)

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        """(B, takes, h, w) to (B, gives, 2h, 2w)."""
        h: Tensor = self.layers[0](interpolate(self._turned(0, x, known), scale_factor=2.0))
        h = self.layers[1](self._turned(1, h, known))
        return h.add(interpolate(self.past(x), scale_factor=2.0))

    def _turned(self, i: int, x: Tensor, known: Tensor) -> Tensor:
        scale, shift = self.turns[i](known)[..., None, None].chunk(2, 1)
        return relu(torch.addcmul(shift, self.norms[i](x), 1 + scale))


class Down(nn.Module):
    """Two convolutions, then half the size."""

    def __init__(self, takes: int, gives: int, smaller: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(takes, gives, 3, padding=1), nn.Conv2d(gives, gives, 3, padding=1)])
        self.past = nn.Conv2d(takes, gives, 1)
        self.smaller = smaller

    def forward(self, x: Tensor) -> Tensor:
        """(B, takes, h, w) to (B, gives, h / 2, w / 2)."""
        h: Tensor = self.layers[1](leaky_relu(self.layers[0](leaky_relu(x, 0.2)), 0.2))
        both = (h + self.past(x)) / 2**0.5
        return avg_pool2d(both, 2) if self.smaller else both


class Drawer(nn.Module):
    """A code, (B, codes) and (B, about), to images, cut to size."""

    def __init__(self, port: Port, width: int) -> None:
        super().__init__()
        self.gives, self.low = port.gives, smallest(port.gives)
        known, many = port.takes[0] + port.about, halvings(port.gives)
        wide = [width * 2**i for i in range(many, -1, -1)]
        self.first = nn.Linear(known, wide[0] * prod(self.low))
        self.blocks = nn.ModuleList([Up(a, b, known) for a, b in zip(wide, wide[1:], strict=False)])
        self.norm = nn.BatchNorm2d(wide[-1])
        self.last = nn.Conv2d(wide[-1], port.gives[0], 3, padding=1)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        """(B, channels, height, width), not squashed."""
        known = x if about is None else torch.cat([x, about], 1)
        h = self.first(known).unflatten(1, (-1, *self.low))
        for block in self.blocks:
            h = block(h, known)
        out: Tensor = self.last(relu(self.norm(h)))
        return out[..., : self.gives[1], : self.gives[2]]


class Viewer(nn.Module):
    """Images to vectors; no layer mixes items."""

    def __init__(self, port: Port, width: int) -> None:
        super().__init__()
        wide = [width * 2**i for i in range(halvings(port.takes) + 1)]
        self.first = nn.Conv2d(port.takes[0], width, 3, padding=1)
        self.blocks = nn.ModuleList([*(Down(a, b, True) for a, b in zip(wide, wide[1:], strict=False)), Down(wide[-1], wide[-1], False)])
        self.last = nn.Linear(wide[-1] * prod(n // 2 ** (len(wide) - 1) for n in port.takes[1:]), prod(port.gives))

    def forward(self, x: Tensor) -> Tensor:
        """(B, *gives)."""
        h = self.first(x)
        for block in self.blocks:
            h = block(h)
        out: Tensor = self.last(leaky_relu(h, 0.2).flatten(1))
        return out


@dataclass(frozen=True, kw_only=True)
class ResNet(PairNet):
    """Residual blocks (Miyato & Koyama 2018; Brock et al. 2019), `width` channels at full size and twice as many at each halving.

    >>> ResNet(width=8)(Port("score", (3, 16, 16), (5,)))(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 5])
    """

    drawer, viewer = Drawer, Viewer
