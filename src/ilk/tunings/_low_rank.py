"""What LoRA and its kin share: a matrix W becomes W + scale B A, of which A and B learn; B is 0 at first."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from ..rng import Rng
from ..tuning import Tuning, freeze, named
from ._places import matrices, once, upright

MARK = "lora"


class Low(nn.Module):
    """What is added to one linear map: A (rank, inputs), B (outputs, rank), and the lengths of the rows of W where directions learn apart from them."""

    def __init__(self, host: nn.Module, first: Tensor, scale: float, drop: float, lengths: bool) -> None:
        super().__init__()
        weight = upright(host)
        self.scale, self.drop = scale, drop
        self.a = nn.Parameter(first.to(weight))
        self.b = nn.Parameter(torch.zeros(weight.shape[0], len(first), dtype=weight.dtype, device=weight.device))
        self.length = nn.Parameter(weight.detach().norm(dim=1)) if lengths else None

    def matrix(self, host: nn.Module) -> Tensor:
        """What W has become, (outputs, inputs)."""
        whole = upright(host) + self.scale * self.b @ self.a
        return whole if self.length is None else whole * (self.length / whole.norm(dim=1))[:, None]

    def forward(self, x: Tensor, out: Tensor, host: nn.Module) -> Tensor:
        """The map's output on x with that added. Exactly the old one while B is 0."""
        more: Tensor = self.scale * linear(linear(dropout(x, self.drop, self.training), self.a), self.b)
        if self.length is None:
            return out + more
        # the norm counts as constant going back (Liu et al. 2024, section 4.3)
        share = self.length / (upright(host) + self.scale * self.b @ self.a).detach().norm(dim=1)
        bare = out - host.bias if isinstance(host.bias, Tensor) else out
        found: Tensor = out + (share - 1) * bare + share * more
        return found


def _add(host: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
    found: Tensor = getattr(host, MARK)(args[0], out, host)
    return found


@dataclass(frozen=True, kw_only=True)
class LowRankTuning(Tuning):
    """`targets` is a regular expression found in the names of linear maps; what is added to each has `rank` and is scaled by `alpha`."""

    lengths: ClassVar[bool] = False
    rank: Annotated[int, Interval(ge=1, le=4096)] = 8
    alpha: Annotated[float, Interval(gt=0, le=10_000)] = 16.0
    targets: str = r"(^|\.)(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj|c_attn|c_proj|c_fc|qkv|out|up|down)$"
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0

    @property
    @abstractmethod
    def scale(self) -> float:
        """What B A is multiplied by."""

    def apply(self, net: nn.Module, rng: Rng) -> Mapping[str, nn.Parameter]:
        """Hangs A and B beside every target: the network computes exactly what it did."""
        once(net, MARK)
        places = matrices(net, self.targets)
        freeze(net)
        for name, host in places.items():
            inputs = upright(host).shape[1]
            first = (2 * rng.child(name).uniform(self.rank, inputs) - 1) / inputs**0.5
            host.add_module(MARK, Low(host, first, self.scale, self.dropout, self.lengths))
            host.register_forward_hook(_add)
        return named(net, lambda name: f".{MARK}." in f".{name}")

    def merge(self, net: nn.Module) -> Mapping[str, Tensor]:
        """All weights, those of the targets with B A added."""
        found = {name: t for name, t in net.state_dict().items() if f".{MARK}." not in f".{name}"}
        for name, host in net.named_modules():
            if isinstance(low := getattr(host, MARK, None), Low):
                whole = low.matrix(host).detach()
                found[f"{name}.weight" if name else "weight"] = whole if isinstance(host, nn.Linear) else whole.T.contiguous()
        return found
