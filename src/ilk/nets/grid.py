"""A convolutional network between pictures and smaller grids of vectors, by halving or doubling their sides."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional as F

from ilk.distribution import Net, Port
from ilk.errors import UsageError


class Residual(nn.Module):
    """Two convolutions and a way past them, which is all there is at first."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.drop = nn.Dropout(dropout)
        self.second = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, h: Tensor) -> Tensor:
        """(B, width, h, w) -> the same."""
        out: Tensor = self.second(self.drop(F.silu(self.first(F.silu(h)))))
        return h + out


class Encoder(nn.Module):
    """(B, c, H, W), filled up with zeros at the right and below, -> (B, gives, H / 2^n, W / 2^n)."""

    def __init__(self, port: Port, recipe: Grid, halvings: int) -> None:
        super().__init__()
        self.step = 2**halvings
        layers: list[nn.Module] = [] if halvings else [nn.Conv2d(port.takes[0], recipe.width, 3, padding=1)]
        for i in range(halvings):
            layers += [nn.Conv2d(port.takes[0] if i == 0 else recipe.width, recipe.width, 4, stride=2, padding=1), Residual(recipe.width, recipe.dropout)]
        layers += [Residual(recipe.width, recipe.dropout) for _ in range(recipe.blocks)]
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(recipe.width, port.gives[0], 1))

    def forward(self, x: Tensor) -> Tensor:
        """What the last layer says."""
        high, wide = x.shape[-2:]
        x = F.pad(x, (0, -wide % self.step, 0, -high % self.step))
        out: Tensor = self.layers(x.contiguous(memory_format=torch.channels_last))
        return out.contiguous()


class Decoder(nn.Module):
    """(B, c, h, w) -> (B, gives, H, W), cut at the right and below."""

    def __init__(self, port: Port, recipe: Grid, doublings: int) -> None:
        super().__init__()
        self.sides = port.gives[1:]
        layers: list[nn.Module] = [nn.Conv2d(port.takes[0], recipe.width, 3, padding=1)]
        layers += [Residual(recipe.width, recipe.dropout) for _ in range(recipe.blocks)]
        for _ in range(doublings):
            layers += [nn.ConvTranspose2d(recipe.width, recipe.width, 4, stride=2, padding=1), Residual(recipe.width, recipe.dropout)]
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(recipe.width, port.gives[0], 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        """What the last layer says."""
        out: Tensor = self.layers(z.contiguous(memory_format=torch.channels_last))
        return out[..., :self.sides[0], :self.sides[1]].contiguous()


@dataclass(frozen=True, kw_only=True)
class Grid(Net):
    """Convolutions of `width` channels: a residual block after each halving (or doubling) of the sides, and `blocks` more where they are smallest.

    >>> Grid(width=8)(Port("encode", (1, 28, 28), (4, 7, 7)))(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 4, 7, 7])
    """

    width: Annotated[int, Interval(ge=1, le=4096)] = 64
    blocks: Annotated[int, Interval(ge=0, le=64)] = 2
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    def __call__(self, port: Port) -> nn.Module:
        """The network for a port; UsageError if there is none."""
        large, small = (port.takes, port.gives) if port.role == "encode" else (port.gives, port.takes)
        if port.role not in ("encode", "decode") or port.about or len(large) != 3 or len(small) != 3:
            raise UsageError(f"Grid encodes pictures (channels, height, width) as grids, or decodes them, not {port.takes} to {port.gives}", code="NET", param="net")
        halvings = next((n for n in range(16) if small[1:] == halved(large[1:], n)), None)
        if halvings is None:
            raise UsageError(f"Grid halves and doubles sides, and {large[1:]} does not become {small[1:]} by that", code="NET", param="net")
        return Encoder(port, self, halvings) if port.role == "encode" else Decoder(port, self, halvings)


def halved(sides: tuple[int, ...], times: int) -> tuple[int, ...]:
    """The sides of a grid that covers a picture in squares of 2^times pixels a side."""
    return tuple(-(-side // 2**times) for side in sides)
