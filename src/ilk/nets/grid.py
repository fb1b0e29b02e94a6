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
        self.step, width = 2**halvings, recipe.width
        widths = [port.takes[0], *[width] * halvings]
        layers: list[nn.Module] = []
        for takes in widths[:-1]:
            layers += [nn.Conv2d(takes, width, 4, stride=2, padding=1), nn.SiLU()]
        layers += [nn.Conv2d(widths[-1], width, 3, padding=1), *(Residual(width, recipe.dropout) for _ in range(recipe.blocks))]
        self.layers = nn.Sequential(*layers, nn.SiLU(), nn.Conv2d(width, port.gives[0], 1))

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
        self.sides, width = port.gives[1:], recipe.width
        layers: list[nn.Module] = [nn.Conv2d(port.takes[0], width, 3, padding=1), *(Residual(width, recipe.dropout) for _ in range(recipe.blocks))]
        for gives in [*[width] * (doublings - 1), port.gives[0]][:doublings]:
            layers += [nn.SiLU(), nn.ConvTranspose2d(width, gives, 4, stride=2, padding=1)]
        self.layers = nn.Sequential(*layers, *([] if doublings else [nn.SiLU(), nn.Conv2d(width, port.gives[0], 3, padding=1)]))

    def forward(self, z: Tensor) -> Tensor:
        """What the last layer says."""
        out: Tensor = self.layers(z.contiguous(memory_format=torch.channels_last))
        return out[..., :self.sides[0], :self.sides[1]].contiguous()


@dataclass(frozen=True, kw_only=True)
class Grid(Net):
    """Convolutions of `width` channels: some that halve (or double) the sides, and `blocks` residual ones where they are smallest.

    The form of van den Oord et al. (2017), section 4.1.

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
