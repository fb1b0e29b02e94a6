"""A bijection of pictures at several sizes (Kingma & Dhariwal 2018): activations normalised, channels mixed, half of them moved by a convolutional network."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ilk.nets._bijections import Composed, Mapped
from ilk.nets._monotone import Monotone
from ilk.nets.mlp import MLP

LEAST, MOST = 4, 3   # the shortest side that is left, and how often pictures are folded


def folds(shape: Sequence[int]) -> int:
    """How often a picture can be folded, 2 x 2 pixels into channels of one; 0 for what is none."""
    if len(shape) != 3:
        return 0
    height, width = shape[1:]
    count = 0
    while count < MOST and height % 2 == 0 == width % 2 and min(height, width) // 2 >= LEAST:
        height, width, count = height // 2, width // 2, count + 1
    return count


class Actnorm(nn.Module):
    """Every channel scaled and shifted; it starts so that the first batch has mean 0 and variance 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale, self.shift = (nn.Parameter(torch.zeros(channels, 1, 1)) for _ in range(2))

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """Towards noise."""
        s = self.log_scale.to(x.dtype)
        return (x + self.shift.to(x.dtype)) * s.exp(), (s.sum() * _pixels(x)).expand(len(x))

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """Back."""
        s = self.log_scale.to(z.dtype)
        return z * (-s).exp() - self.shift.to(z.dtype), (-s.sum() * _pixels(z)).expand(len(z))

    def prepare(self, x: Tensor) -> None:
        """Starts from a batch."""
        spread, center = torch.std_mean(x, (0, 2, 3), correction=0)
        self.shift.data.copy_(-center[:, None, None])
        self.log_scale.data.copy_(-spread.clamp_min(1e-3).log()[:, None, None])


class Mix(nn.Module):
    """Channels by a matrix P L U, a rotation at first: its determinant is that of U."""

    place: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        turn, _ = torch.linalg.qr(torch.randn(channels, channels))
        place, lower, upper = torch.linalg.lu(turn)
        self.register_buffer("place", place)
        self.register_buffer("sign", upper.diagonal().sign())
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(upper.diagonal().abs().log())

    def factors(self, kind: torch.dtype) -> tuple[Tensor, Tensor]:
        """L and U."""
        lower, upper = self.lower.to(kind).tril(-1), self.upper.to(kind).triu(1)
        return lower + torch.eye(len(lower), dtype=kind, device=lower.device), upper + (self.sign.to(kind) * self.log_scale.to(kind).exp()).diag()

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """The product at every pixel."""
        lower, upper = self.factors(x.dtype)
        weight = self.place.to(x.dtype) @ lower @ upper
        return conv2d(x, weight[:, :, None, None]), (self.log_scale.to(x.dtype).sum() * _pixels(x)).expand(len(x))

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """By substitution."""
        lower, upper = self.factors(z.dtype)
        half = torch.linalg.solve_triangular(lower, self.place.to(z.dtype).T, upper=False, unitriangular=True)
        weight = torch.linalg.solve_triangular(upper, half, upper=True)
        return conv2d(z, weight[:, :, None, None]), (-self.log_scale.to(z.dtype).sum() * _pixels(z)).expand(len(z))


class Convolved(nn.Module):
    """Half of the channels moves as the other half says, through a network of three convolutions; nothing moves at first."""

    def __init__(self, channels: int, how: Monotone, net: MLP, about: int) -> None:
        super().__init__()
        self.how, self.first = how, channels - channels // 2
        self.moves = channels - self.first
        self.take = nn.Conv2d(self.first, net.width, 3, padding=1)
        self.middle = nn.Conv2d(net.width, net.width, 1)
        self.last = nn.Conv2d(net.width, self.moves * how.many, 3, padding=1)
        self.beside = nn.Linear(about, net.width) if about else None
        self.drop = nn.Dropout(net.dropout)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def theta(self, still: Tensor, about: Tensor | None) -> Tensor:
        """(B, moves, height, width, many)."""
        kind = self.take.weight.dtype
        h = self.take(still.to(kind))
        if self.beside is not None and about is not None:
            h = h + self.beside(about.to(kind))[..., None, None]
        h = torch.relu(self.middle(torch.relu(h)))
        out: Tensor = self.last(self.drop(h)).to(still.dtype)
        return out.reshape(len(out), self.moves, self.how.many, *out.shape[2:]).movedim(2, -1)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Mapped:
        """Told by the half that stays."""
        still, moves = x.tensor_split([self.first], 1)
        y, slope = self.how.forward(moves, self.theta(still, about))
        return torch.cat([still, y], 1), slope.flatten(1).sum(1)

    def inverse(self, z: Tensor, about: Tensor | None = None) -> Mapped:
        """The half that stays is known already."""
        still, moves = z.tensor_split([self.first], 1)
        x, slope = self.how.inverse(moves, self.theta(still, about))
        return torch.cat([still, x], 1), slope.flatten(1).sum(1)


class Glow(nn.Module):
    """At each size: pixels folded, some steps, and half of the channels done. Codes lie where the pixels they came of lie."""

    def __init__(self, shape: Sequence[int], how: Monotone, steps: int, net: MLP, about: int) -> None:
        super().__init__()
        channels, levels = shape[0], []
        for level in range(folds(shape)):
            channels = 4 * (channels if level == 0 else channels - channels // 2)
            levels.append(Composed([part for _ in range(steps) for part in (Actnorm(channels), Mix(channels), Convolved(channels, how, net, about))]))
        self.levels: Any = nn.ModuleList(levels)

    def forward(self, x: Tensor, about: Tensor | None = None, level: int = 0) -> Mapped:
        """Pictures to noise of the same shape, from a level on."""
        x, volume = self.levels[level](_folded(x), about)
        if level + 1 < len(self.levels):
            done, rest = _halves(x)
            rest, more = self.forward(rest, about, level + 1)
            x, volume = torch.cat([done, rest], 1), volume + more
        return _spread(x), volume

    def inverse(self, z: Tensor, about: Tensor | None = None, level: int = 0) -> Mapped:
        """Noise to pictures."""
        z, more = _folded(z), z.new_zeros(len(z))
        if level + 1 < len(self.levels):
            done, rest = _halves(z)
            rest, more = self.inverse(rest, about, level + 1)
            z = torch.cat([done, rest], 1)
        x, volume = self.levels[level].inverse(z, about)
        return _spread(x), volume + more

    def prepare(self, x: Tensor, about: Tensor | None) -> None:
        """Every activation starts normalised, by at most 256 pictures (Salimans & Kingma 2016)."""
        x, about = x[:256], None if about is None else about[:256]
        for level in self.levels:
            x = _halves(level.prepare(_folded(x), about))[1]


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Channels that are done, and those that go on."""
    return x[:, :x.shape[1] // 2], x[:, x.shape[1] // 2:]


def _folded(x: Tensor) -> Tensor:
    """2 x 2 pixels as channels of one; torch's own function leaves a batch of none as it is."""
    b, c, h, w = x.shape
    return x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(b, 4 * c, h // 2, w // 2)


def _spread(x: Tensor) -> Tensor:
    """Back."""
    b, c, h, w = x.shape
    return x.reshape(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3).reshape(b, c // 4, 2 * h, 2 * w)


def _pixels(x: Tensor) -> int:
    return x.shape[2] * x.shape[3]
