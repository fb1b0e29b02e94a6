"""A plain network: linear layers with a smooth nonlinearity, residual where widths agree."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, prod
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ilk.distribution import Net, Port

WAVES = 64


class Layers(nn.Module):
    """(B, *takes) and, if there is a context, (B, about) -> (B, *gives)."""

    def __init__(self, port: Port, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        self.gives = port.gives
        self.first = nn.Linear(prod(port.takes) + port.about, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth - 1)])
        self.last = nn.Linear(width, prod(port.gives))
        self.drop = nn.Dropout(dropout)

    def turned(self, x: Tensor, turns: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """The same with each layer scaled and shifted."""
        (scale, shift), *rest = turns
        h = nn.functional.silu(torch.addcmul(shift, self.first(x.flatten(1)), 1 + scale))
        for layer, (scale, shift) in zip(self.hidden, rest, strict=True):
            h = h + nn.functional.silu(torch.addcmul(shift, layer(self.drop(h)), 1 + scale))
        out: Tensor = self.last(self.drop(h))
        return out.reshape(-1, *self.gives)

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        """The output of the last layer."""
        h = x.flatten(1)
        h = nn.functional.silu(self.first(h if about is None else torch.cat([h, about], 1)))
        for layer in self.hidden:
            h = h + nn.functional.silu(layer(self.drop(h)))
        out: Tensor = self.last(self.drop(h))
        return out.reshape(-1, *self.gives)


class Timed(nn.Module):
    """Layers that are told a time, in 0 to 1000: (B, *takes), (B,), (B, about) -> (B, *gives).

    The time, as waves of many lengths, and the context scale and shift every layer (Perez et al. 2018): beside x in the first
    layer they would drown it.
    """

    def __init__(self, port: Port, recipe: MLP) -> None:
        super().__init__()
        width = recipe.width
        self.layers = Layers(replace(port, about=0), width, recipe.depth, recipe.dropout)
        self.known = nn.Linear(WAVES + port.about, width)
        self.turns = nn.ModuleList([nn.Linear(width, 2 * width) for _ in range(recipe.depth)])

    def forward(self, x: Tensor, time: Tensor, about: Tensor | None = None) -> Tensor:
        """The output of the last layer."""
        seen = waves(time)
        known = nn.functional.silu(self.known(seen if about is None else torch.cat([seen, about], 1)))
        return self.layers.turned(x, [turn(known).chunk(2, 1) for turn in self.turns])


def waves(time: Tensor) -> Tensor:
    """Times from 0 to 1000 as cosines and sines of many lengths, (B,) -> (B, WAVES)."""
    half = WAVES // 2
    angle = time[:, None].float() / 10 * torch.exp(torch.arange(half, device=time.device) * (-log(1000) / half))
    return torch.cat([angle.cos(), angle.sin()], 1)


@dataclass(frozen=True, kw_only=True)
class MLP(Net):
    """A multilayer perceptron of `depth` hidden layers of `width` units.

    >>> MLP(width=16)(Port("encode", (3,), (2,)))(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    width: Annotated[int, Interval(ge=1, le=16384)] = 256
    depth: Annotated[int, Interval(ge=1, le=64)] = 2
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    def __call__(self, port: Port) -> nn.Module:
        """The network for a port."""
        if port.role == "denoise":
            return Timed(port, self)
        return Layers(port, self.width, self.depth, self.dropout)
