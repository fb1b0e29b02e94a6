"""Causal convolutions with holes that double from layer to layer (van den Oord et al. 2016), over a whole stretch or a token at a time.

Each looks at two places, so it is one product of both side by side; a token later it needs what stood there before, which a ring keeps.
"""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import relu


class Layer(nn.Module):
    """tanh times sigmoid of two places, then what is added to the way on and what goes straight to the output."""

    def __init__(self, width: int, skip: int, dilation: int, about: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.both = nn.Linear(2 * width, 2 * width)
        self.out = nn.Linear(width, width + skip)
        self.told = nn.Linear(about, 2 * width, bias=False) if about else None

    def forward(self, before: Tensor, now: Tensor, about: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is `dilation` places apart, (..., width) each -> the way on (..., width), and a share of the output (..., skip)."""
        raw = self.both(torch.cat([before, now], -1))
        if about is not None and self.told is not None:
            raw = raw + self.told(about)
        one, other = raw.chunk(2, -1)
        gone = self.out(one.tanh() * other.sigmoid())
        return now + gone[..., :now.shape[-1]], gone[..., now.shape[-1]:]


class WaveNet(nn.Module):
    """What is said of the next token from the last `sees` ones, (B, T, gives)."""

    def __init__(self, tokens: int, gives: int, sizes: tuple[int, int, Sequence[int]], about: int) -> None:
        super().__init__()
        width, skip, dilations = sizes
        self.sees = 1 + sum(dilations)
        self.embed = nn.Embedding(tokens, width)
        self.layers: Sequence[Layer] = nn.ModuleList([Layer(width, skip, d, about) for d in dilations])  # type: ignore[assignment]
        self.mix, self.head = nn.Linear(skip, skip), nn.Linear(skip, gives)

    def forward(self, tokens: Tensor, about: Tensor | None) -> Tensor:
        """(B, sees - 1 + T) tokens, and what is known beside them (B, about)."""
        return self.walk(tokens, about)[0]

    def walk(self, tokens: Tensor, about: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """The same with the ring of each layer after the last token: the oldest of what the next token needs comes first."""
        h, many = self.embed(tokens), tokens.shape[1] - self.sees + 1
        told, rings = None if about is None else about[:, None], []
        total = h.new_zeros(())
        for layer in self.layers:
            d = layer.dilation
            rings.append(h[:, h.shape[1] - d:])
            h, share = layer(h[:, :-d], h[:, d:], told)
            total = total + share[:, share.shape[1] - many:]
        return self.say(total), rings

    def advance(self, token: Tensor, about: Tensor | None, rings: Sequence[Tensor], time: int) -> Tensor:
        """What is said after one token more, (B, gives); the rings, written in place, go round at their own lengths."""
        h: Tensor = self.embed(token)
        total = h.new_zeros(())
        for layer, ring in zip(self.layers, rings, strict=True):
            at = time % layer.dilation
            before = ring[:, at].clone()
            ring[:, at] = h
            h, share = layer(before, h, about)
            total = total + share
        return self.say(total)

    def say(self, total: Tensor) -> Tensor:
        """The output, of the shares of all layers."""
        found: Tensor = self.head(relu(self.mix(relu(total))))
        return found
