"""A convolutional network over images at several sizes, with names and shapes of diffusers' UNet2DModel.

Its state dict loads there unchanged, and theirs here. Convolutions take nine tenths of the time, so they get the memory
layout that they are fastest in, and one of them is done in less than half the arithmetic (see Larger).
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Annotated

import torch
from annotated_types import Interval, Len
from torch import Tensor, nn
from torch.nn import functional as F

from ilk.distribution import Net, Port
from ilk.errors import UsageError
from ilk.nets._looking import Known, Looking, silence

SLOWEST = 10_000  # the longest period of the time features, in radians


class Resnet(nn.Module):
    """Two convolutions and a way past them; what is known scales and shifts in between (Perez et al. 2018)."""

    def __init__(self, takes: int, gives: int, recipe: UNet2D) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(recipe.groups, takes)
        self.conv1 = nn.Conv2d(takes, gives, 3, padding=1)
        self.time_emb_proj = nn.Linear(4 * recipe.channels[0], 2 * gives)
        self.norm2 = nn.GroupNorm(recipe.groups, gives)
        self.dropout = nn.Dropout(recipe.dropout)
        self.conv2 = nn.Conv2d(gives, gives, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(takes, gives, 1) if takes != gives else None
        silence(self.conv2)

    def forward(self, x: Tensor, known: Known) -> Tensor:
        """(B, takes, h, w) and what is known, (B, 4 channels[0]) -> (B, gives, h, w)."""
        scale, shift = self.time_emb_proj(known.vector)[..., None, None].chunk(2, 1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        past: Tensor = x if self.conv_shortcut is None else self.conv_shortcut(x)
        return past.add(self.conv2(self.dropout(F.silu(h))))


class Attention(nn.Module):
    """Every place looks at every other."""

    def __init__(self, channels: int, recipe: UNet2D) -> None:
        super().__init__()
        self.heads = channels // recipe.head
        self.group_norm = nn.GroupNorm(recipe.groups, channels)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])
        silence(self.to_out[0])

    def forward(self, x: Tensor, known: Known) -> Tensor:
        """(B, channels, h, w) -> the same."""
        b, c, high, wide = x.shape
        h = self.group_norm(x).flatten(2).mT
        q, k, v = (layer(h).reshape(b, high * wide, self.heads, -1).transpose(1, 2) for layer in (self.to_q, self.to_k, self.to_v))
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, high * wide, c)
        out: Tensor = self.to_out[0](seen)
        return x + out.mT.reshape(b, c, high, wide)


class Smaller(nn.Module):
    """Half the size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, channels, h / 2, w / 2)."""
        out: Tensor = self.conv(x)
        return out


class Larger(nn.Module):
    """Twice the size: every pixel four times, then a 3 x 3 convolution.

    Equal pixels share their products, so both are one transposed convolution whose 4 x 4 kernel holds sums of the 3 x 3
    weights: 4 products per output pixel and channel instead of 9.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, channels, 2h, 2w)."""
        sums = F.avg_pool2d(self.conv.weight, 2, stride=1, padding=1, divisor_override=1)
        return F.conv_transpose2d(x, sums.flip(2, 3).transpose(0, 1), self.conv.bias, stride=2, padding=1)


class Stage(nn.Module):
    """What happens at one size: residual blocks, each with attention after it as far as there is any, to words too if there are any."""

    def __init__(self, takes: Sequence[int], gives: int, recipe: UNet2D, attends: int, words: int) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([Resnet(t, gives, recipe) for t in takes])
        one = [Looking(gives, gives // recipe.head, recipe.groups, words) if words else Attention(gives, recipe) for _ in range(attends)]
        self.attentions = nn.ModuleList(one)
        self.downsamplers, self.upsamplers = nn.ModuleList(), nn.ModuleList()

    def at(self, i: int, h: Tensor, known: Known) -> Tensor:
        """The i-th block."""
        h = self.resnets[i](h, known)
        return self.attentions[i](h, known) if i < len(self.attentions) else h

    def forward(self, h: Tensor, known: Known) -> list[Tensor]:
        """What comes of every block, and of making it smaller."""
        found: list[Tensor] = []
        for i in range(len(self.resnets)):
            found.append(self.at(i, found[-1] if found else h, known))
        return [*found, *(layer(found[-1]) for layer in self.downsamplers)]

    def back(self, h: Tensor, known: Known, kept: list[Tensor]) -> Tensor:
        """The same with what was kept on the way down, the last first."""
        for i in range(len(self.resnets)):
            h = self.at(i, torch.cat([h, kept.pop()], 1), known)
        return self.upsamplers[0](h) if len(self.upsamplers) else h


class UNet(nn.Module):
    """(B, c, h, w), a time (B,) and, if there is a context, (B, about) -> (B, gives, h, w).

    Sizes that can't be halved often enough are filled up with zeros at the right and below, and cut again.
    """

    def __init__(self, port: Port, recipe: UNet2D) -> None:
        super().__init__()
        self.port, self.recipe = port, recipe
        first, last, known = recipe.channels[0], recipe.channels[-1], 4 * recipe.channels[0]
        self.conv_in = nn.Conv2d(port.takes[0], first, 3, padding=1)
        self.time_embedding = nn.ModuleDict({"linear_1": nn.Linear(first, known), "linear_2": nn.Linear(known, known)})
        self.class_embedding = nn.Embedding(port.about, known) if port.about else None
        self.down_blocks, kept = _down(recipe, port.words)
        self.mid_block = Stage([last] * 2, last, recipe, 1, port.words)
        self.up_blocks = _up(recipe, kept, port.words)
        self.conv_norm_out = nn.GroupNorm(recipe.groups, first)
        self.conv_out = nn.Conv2d(first, port.gives[0], 3, padding=1)
        silence(self.conv_out)

    def forward(self, x: Tensor, time: Tensor, about: Tensor | None = None) -> Tensor:
        """What the last layer says, in the number format of x."""
        return self._said(x, Known(self._known(time, about, self.conv_in.weight.dtype)))

    def look(self, x: Tensor, time: Tensor, about: Tensor, words: Tensor, there: Tensor) -> Tensor:
        """The same, looking at words (B, places, port.words) wherever `there` is one."""
        kind = self.conv_in.weight.dtype
        return self._said(x, Known(self._known(time, about, kind), words.to(kind), there))

    def _said(self, x: Tensor, known: Known) -> Tensor:
        high, wide = x.shape[-2:]
        step, kind = 2 ** (len(self.down_blocks) - 1), self.conv_in.weight.dtype
        h = F.pad(x, (0, -wide % step, 0, -high % step)) if wide % step or high % step else x
        out = self._through(h.to(kind).contiguous(memory_format=torch.channels_last), known)
        return out[..., :high, :wide].to(x.dtype).contiguous()

    def _known(self, time: Tensor, about: Tensor | None, kind: torch.dtype) -> Tensor:
        """Time and context as one vector each, (B, 4 channels[0])."""
        half = self.recipe.channels[0] // 2
        angle = time[:, None].float() * torch.exp(torch.arange(half, device=time.device) * (-log(SLOWEST) / half))
        wave = torch.cat([angle.cos(), angle.sin()], 1).to(kind)
        known: Tensor = self.time_embedding["linear_2"](F.silu(self.time_embedding["linear_1"](wave)))
        if self.class_embedding is not None and about is not None:
            known = known + about.to(kind) @ self.class_embedding.weight
        return F.silu(known)

    def _through(self, x: Tensor, known: Known) -> Tensor:
        kept = [self.conv_in(x)]
        for stage in self.down_blocks:
            kept += stage(kept[-1], known)
        h = self.mid_block(kept[-1], known)[-1]
        for stage in self.up_blocks:
            h = stage.back(h, known, kept)  # type: ignore[operator]
        out: Tensor = self.conv_out(F.silu(self.conv_norm_out(h)))
        return out


def _down(recipe: UNet2D, words: int) -> tuple[nn.ModuleList, list[int]]:
    """The stages on the way down, and the channels of all that they keep."""
    stages, kept = nn.ModuleList(), [recipe.channels[0]]
    for i, c in enumerate(recipe.channels):
        stage = Stage([kept[-1], *[c] * (recipe.blocks - 1)], c, recipe, recipe.attends(i) * recipe.blocks, words)
        kept += [c] * recipe.blocks
        if i < len(recipe.channels) - 1:
            stage.downsamplers.append(Smaller(c))
            kept.append(c)
        stages.append(stage)
    return stages, kept


def _up(recipe: UNet2D, kept: list[int], words: int) -> nn.ModuleList:
    """The stages on the way up: one block more each, for what was kept of making it smaller."""
    stages, below = nn.ModuleList(), recipe.channels[-1]
    for i, c in reversed(list(enumerate(recipe.channels))):
        takes = [(c if j else below) + kept.pop() for j in range(recipe.blocks + 1)]
        stage = Stage(takes, c, recipe, recipe.attends(i) * (recipe.blocks + 1), words)
        if i:
            stage.upsamplers.append(Larger(c))
        stages.append(stage)
        below = c
    return stages


@dataclass(frozen=True, kw_only=True)
class UNet2D(Net):
    """A U-shaped network: `width` times `multiples` channels at each halving, `blocks` residual blocks each.

    The middle, at the lowest size, looks everywhere (attention in heads of `head` channels); `attention` of the lowest
    sizes do so after every block too. The context may be any vector; that of a label (one-hot) is an embedding.
    Where the port has words, attention is to them as well, with names and shapes of UNet2DConditionModel.

    >>> UNet2D(width=16, head=16)(Port("denoise", (1, 8, 8), (1, 8, 8)))(torch.zeros(5, 1, 8, 8), torch.zeros(5)).shape
    torch.Size([5, 1, 8, 8])
    """

    width: Annotated[int, Interval(ge=4, le=4096)] = 32
    multiples: Annotated[tuple[Annotated[int, Interval(ge=1, le=64)], ...], Len(1, 8)] = (1, 2)
    blocks: Annotated[int, Interval(ge=1, le=16)] = 1
    attention: Annotated[int, Interval(ge=0, le=8)] = 0
    head: Annotated[int, Interval(ge=1, le=1024)] = 32
    groups: Annotated[int, Interval(ge=1, le=1024)] = 8
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    @property
    def channels(self) -> tuple[int, ...]:
        """How many there are at each size, the largest first."""
        return tuple(self.width * m for m in self.multiples)

    def attends(self, level: int) -> bool:
        """Whether the blocks of a level (0 is the largest size) are followed by attention."""
        return level >= len(self.multiples) - self.attention

    def __call__(self, port: Port) -> nn.Module:
        """The network for a port; UsageError if there is none."""
        if why := self._wrong(port):
            raise UsageError(f"UNet2D {why}", code="NET", param="net")
        return UNet(port, self)

    def _wrong(self, port: Port) -> str:
        last = 2 ** (len(self.multiples) - 1)
        if port.role != "denoise":
            return f"denoises; it can't {port.role}"
        if len(port.takes) != 3 or len(port.gives) != 3 or port.takes[1:] != port.gives[1:]:
            return f"maps images (channels, height, width) to images of the same size, not {port.takes} to {port.gives}"
        if min(port.takes[1:]) < last:
            return f"halves its images {len(self.multiples) - 1} times, and {port.takes[1]} x {port.takes[2]} pixels are too few: take fewer multiples"
        if self.width % self.groups or self.width % 2:
            return f"needs an even width that its {self.groups} groups divide, not {self.width}"
        odd = [c for i, c in enumerate(self.channels) if (self.attends(i) or i == len(self.channels) - 1) and c % self.head]
        return f"can't divide {odd[0]} channels into heads of {self.head}" if odd else ""
