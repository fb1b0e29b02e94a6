"""A convolutional pair for images: one network halves them until they are small, the other doubles them from a code (DCGAN)."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from ilk.distribution import Port
from ilk.nets._pair import PairNet, halvings, smallest


class Drawer(nn.Module):
    """A code, (B, codes) and (B, about), to images: transposed convolutions of stride 2, cut to size."""

    def __init__(self, port: Port, width: int) -> None:
        super().__init__()
        self.gives, self.low = port.gives, smallest(port.gives)
        many = halvings(port.gives)
        wide = [width * 2**i for i in range(many, -1, -1)]
        self.first = nn.Linear(port.takes[0] + port.about, wide[0] * prod(self.low))
        self.layers = nn.ModuleList([nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False) for a, b in zip(wide, wide[1:], strict=False)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(c) for c in wide])
        self.last = nn.Conv2d(wide[-1], port.gives[0], 3, padding=1)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        """(B, channels, height, width), not squashed."""
        h = self.first(x if about is None else torch.cat([x, about], 1)).unflatten(1, (-1, *self.low))
        h = relu(self.norms[0](h))
        for layer, norm in zip(self.layers, self.norms[1:], strict=True):
            h = relu(norm(layer(h)))
        out: Tensor = self.last(h)
        return out[..., : self.gives[1], : self.gives[2]]


class Viewer(nn.Module):
    """Images to vectors: convolutions of stride 2. Not normalised over the batch, or a penalty on the slope of one item would be one on others."""

    def __init__(self, port: Port, width: int) -> None:
        super().__init__()
        wide = [width * 2**i for i in range(halvings(port.takes) + 1)]
        self.first = nn.Conv2d(port.takes[0], width, 3, padding=1)
        self.layers = nn.ModuleList([nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(wide, wide[1:], strict=False)])
        self.last = nn.Linear(wide[-1] * prod(n // 2 ** len(self.layers) for n in port.takes[1:]), prod(port.gives))

    def forward(self, x: Tensor) -> Tensor:
        """(B, *gives)."""
        h = leaky_relu(self.first(x), 0.2)
        for layer in self.layers:
            h = leaky_relu(layer(h), 0.2)
        out: Tensor = self.last(h.flatten(1))
        return out


@dataclass(frozen=True, kw_only=True)
class DCGAN(PairNet):
    """Strided convolutions (Radford et al. 2016), `width` channels at full size and twice as many at each halving.

    >>> DCGAN(width=8)(Port("decode", (4,), (1, 28, 28)))(torch.zeros(2, 4)).shape
    torch.Size([2, 1, 28, 28])
    """

    drawer, viewer = Drawer, Viewer
