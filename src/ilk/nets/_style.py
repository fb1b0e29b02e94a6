"""Networks of StyleGAN: codes to styles, and pictures drawn from a constant by convolutions that styles modulate (Karras et al. 2019, 2020)."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu, linear

from ilk.nets._pair import halvings, smallest

TINY, LEAK = 1e-8, 0.2


class Even(nn.Module):
    """A linear layer whose weights all learn at one pace whatever its width (Karras et al. 2018, section 4.1); `pace` below 1 slows it."""

    def __init__(self, takes: int, gives: int, bias: float = 0.0, pace: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(gives, takes) / pace)
        self.bias = nn.Parameter(torch.full((gives,), bias / pace))
        self.pace = pace

    def forward(self, x: Tensor) -> Tensor:
        """(B, takes) to (B, gives)."""
        return linear(x, self.weight * (self.pace / sqrt(self.weight.shape[1])), self.bias * self.pace)


class Styles(nn.Module):
    """Codes (B, codes), brought to one length, and what is known (B, about), to styles (B, width)."""

    def __init__(self, codes: int, about: int, width: int, depth: int) -> None:
        super().__init__()
        self.known = Even(about, codes) if about else None
        wide = [codes * (2 if about else 1), *[width] * depth]
        self.layers = nn.ModuleList([Even(a, b, pace=0.01) for a, b in zip(wide, wide[1:], strict=False)])

    def forward(self, z: Tensor, about: Tensor | None = None) -> Tensor:
        """The styles."""
        h = _level(z)
        if self.known is not None and about is not None:
            h = torch.cat([h, _level(self.known(about))], 1)
        for layer in self.layers:
            h = leaky_relu(layer(h), LEAK) * sqrt(2)
        return h


def _level(x: Tensor) -> Tensor:
    return x * (x.square().mean(1, keepdim=True) + TINY).rsqrt()


class Modulated(nn.Module):
    """A convolution whose weights a style scales by channel that comes in, and a norm by channel that goes out (Karras et al. 2020, equations 1 and 3).

    The scales are put on what comes in and what goes out, which is the same and needs no weights of each item's own.
    """

    def __init__(self, takes: int, gives: int, style: int, size: int, normed: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(gives, takes, size, size))
        self.style = Even(style, takes, bias=1.0)
        self.normed = normed

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, takes, h, w) and styles (B, style) to (B, gives, h, w)."""
        weight, scale = self.weight / sqrt(self.weight[0].numel()), self.style(w)
        y: Tensor = conv2d(x * scale[:, :, None, None], weight, padding=weight.shape[-1] // 2)
        if not self.normed:
            return y
        norm: Tensor = (scale.square() @ weight.square().sum((2, 3)).T + TINY).rsqrt()
        return y * norm[:, :, None, None]


class Layer(nn.Module):
    """A modulated convolution, noise, and a nonlinearity; at twice the size if it is the first of a size."""

    def __init__(self, takes: int, gives: int, style: int, larger: bool) -> None:
        super().__init__()
        self.draw = Modulated(takes, gives, style, 3)
        self.noise, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(gives, 1, 1))
        self.larger = larger

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """What the next layer sees."""
        h = self.draw(_twice(x) if self.larger else x, w)
        return leaky_relu(h + self.noise * noise + self.bias, LEAK) * sqrt(2)


def _twice(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="bilinear")


class Synthesis(nn.Module):
    """Styles, one a layer, and noise to a picture (C, H, W): the sum of what every size draws, the smaller ones enlarged, cut to size."""

    def __init__(self, shape: tuple[int, ...], style: int, width: int) -> None:
        super().__init__()
        self.shape, many = shape, halvings(shape)
        wide = [width * 2**i for i in range(many, -1, -1)]
        self.start = nn.Parameter(torch.randn(wide[0], *smallest(shape)))
        pairs = [(wide[0], wide[0], False)] + [(a, b, up) for i, b in enumerate(wide[1:]) for a, up in ((wide[i], True), (b, False))]
        self.layers = nn.ModuleList([Layer(a, b, style, up) for a, b, up in pairs])
        self.colours = nn.ModuleList([Modulated(c, shape[0], style, 1, normed=False) for c in wide])
        self.bias = nn.Parameter(torch.zeros(shape[0], 1, 1))

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Height and width at every layer."""
        high, wide = smallest(self.shape)
        return [(high << (i + 1) // 2, wide << (i + 1) // 2) for i in range(len(self.layers))]

    def states(self, w: Tensor, noise: Sequence[Tensor]) -> Iterator[Tensor]:
        """What every layer makes of styles (B, layers, style) and noise (B, 1, height, width) of each layer's size."""
        h = self.start.expand(len(w), -1, -1, -1)
        for i, layer in enumerate(self.layers):
            h = layer(h, w[:, i], noise[i])
            yield h

    def forward(self, w: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """(B, C, H, W), not squashed."""
        seen, colours = self.bias, iter(self.colours)
        for i, h in enumerate(self.states(w, noise)):
            if i % 2 == 0:   # the last layer of its size
                seen = (_twice(seen) if i else seen) + next(colours)(h, w[:, i])
        return seen[..., : self.shape[1], : self.shape[2]]
