"""Attention of the places of an image to each other and to words, with names and shapes of diffusers' Transformer2DModel."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-6


@dataclass(frozen=True, eq=False)
class Known:
    """What a network is told: a vector an item, (B, channels); the vectors of words, (B, places, words), and where there is one."""

    vector: Tensor
    words: Tensor | None = None
    there: Tensor | None = None


def silence(layer: nn.Module) -> None:
    """A layer that adds nothing yet, so that a new network is nearly linear."""
    for p in layer.parameters():
        nn.init.zeros_(p)


class _Attend(nn.Module):
    """Each of some vectors asks all of a source."""

    def __init__(self, width: int, heads: int, source: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k, self.to_v = (nn.Linear(source, width, bias=False) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, width), (B, S, source) -> (B, T, width)."""
        q, k, v = (h.unflatten(-1, (self.heads, -1)).transpose(1, 2) for h in (self.to_q(x), self.to_k(source), self.to_v(source)))
        out: Tensor = self.to_out[0](F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2))
        return out


class _Gate(nn.Module):
    """A layer that another one of its size opens (Shazeer 2020)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., inner)."""
        value, gate = self.proj(x).chunk(2, -1)
        out: Tensor = value * F.gelu(gate)
        return out


class _Alone(nn.Module):
    """Two layers of each vector by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(_Gate(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> the same."""
        out: Tensor = self.net(x)
        return out


class _Block(nn.Module):
    """Places look at places, then at words, then each by itself (Vaswani et al. 2017)."""

    def __init__(self, width: int, heads: int, words: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1, self.attn2 = _Attend(width, heads, width), _Attend(width, heads, words)
        self.ff = _Alone(width)

    def forward(self, h: Tensor, words: Tensor, mask: Tensor | None) -> Tensor:
        """(B, T, width) -> the same."""
        same = self.norm1(h)
        h = h + self.attn1(same, same)
        h = h + self.attn2(self.norm2(h), words, mask)
        out: Tensor = h + self.ff(self.norm3(h))
        return out


class Looking(nn.Module):
    """Cross-attention as in Rombach et al. 2022; it adds nothing yet when it is new."""

    def __init__(self, channels: int, heads: int, groups: int, words: int) -> None:
        super().__init__()
        self.words = words
        self.norm = nn.GroupNorm(groups, channels, eps=EPS)
        self.proj_in, self.proj_out = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList([_Block(channels, heads, words)])
        silence(self.proj_out)

    def forward(self, x: Tensor, known: Known) -> Tensor:
        """(B, channels, h, w) -> the same; without words they are one vector of zeros."""
        words = known.words if known.words is not None else x.new_zeros(len(x), 1, self.words)
        mask = None if known.there is None else known.there[:, None, None]
        h = self.proj_in(self.norm(x).flatten(2).mT)
        h = self.proj_out(self.transformer_blocks[0](h, words, mask))
        return x + torch.unflatten(h.mT, 2, x.shape[2:])
