"""adapter: a narrow network after every layer, added to what comes out of it; nothing else learns (Houlsby et al. 2019)."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from ..rng import Rng
from ..tuning import Tuning, freeze, named
from ._places import blocks, once, width

MARK = "adapter"


class _Bottleneck(nn.Module):
    def __init__(self, down: Tensor) -> None:
        super().__init__()
        self.down = nn.Parameter(down)
        self.up = nn.Parameter(torch.zeros_like(down.T))
        self.bias = nn.Parameter(torch.zeros_like(down[:, 0]))

    def forward(self, h: Tensor) -> Tensor:
        """The same shape; the same numbers while `up` is 0."""
        return h + linear(gelu(linear(h, self.down, self.bias)), self.up)


def _after(block: nn.Module, args: tuple[Any, ...], out: Any) -> Any:
    bottleneck = getattr(block, MARK)
    return bottleneck(out) if isinstance(out, Tensor) else (bottleneck(out[0]), *out[1:])


@dataclass(frozen=True, kw_only=True)
class Adapter(Tuning):
    """h + up gelu(down h + bias) after every layer, through `size` numbers; `up` is 0 at first. It can't be merged."""

    size: Annotated[int, Interval(ge=1, le=65_536)] = 32

    def apply(self, net: nn.Module, rng: Rng) -> Mapping[str, nn.Parameter]:
        """Hangs one on every layer: the network computes exactly what it did."""
        once(net, MARK)
        layers, wide = blocks(net), width(net)
        freeze(net)
        like = next(net.parameters())
        for i, layer in enumerate(layers):
            layer.add_module(MARK, _Bottleneck((rng.child(i).normal(self.size, wide) / wide**0.5).to(like)))
            layer.register_forward_hook(_after)
        return named(net, lambda name: f".{MARK}." in f".{name}")
