"""Where a network can be tuned: its matrices by name, its blocks, the width of what goes through them."""
from __future__ import annotations

import re

from torch import Tensor, nn

from ..errors import UsageError


def matrices(net: nn.Module, pattern: str) -> dict[str, nn.Module]:
    """The linear maps whose names the pattern is found in; never one that is tied to another place, such as an output tied to the embeddings."""
    try:
        asked = re.compile(pattern)
    except re.error as why:
        raise UsageError(f"the targets {pattern[:60]!r} are no regular expression: {why}", code="TARGETS", param="targets") from None
    every = {name: m for name, m in net.named_modules() if is_linear(m) and not _tied(net, m)}
    found = {name: m for name, m in every.items() if asked.search(name)}
    if not found:
        kinds = sorted({name.rpartition(".")[2] for name in every})
        raise UsageError(f"no linear map of this network is named like {pattern[:60]!r}", code="TARGETS", param="targets",
                         remedy=f"there are: {', '.join(kinds[:20]) or 'none'}")
    return found


def is_linear(module: nn.Module) -> bool:
    """nn.Linear, and the Conv1D of GPT-2, whose matrix lies on its side."""
    return type(module) is nn.Linear or type(module).__name__ == "Conv1D"


def upright(module: nn.Module) -> Tensor:
    """The matrix of a linear map as (outputs, inputs)."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    return weight if isinstance(module, nn.Linear) else weight.T


def _tied(net: nn.Module, module: nn.Module) -> bool:
    return sum(p is module.weight for m in net.modules() for p in m._parameters.values()) > 1


def blocks(net: nn.Module) -> list[nn.Module]:
    """The layers of a decoder: the longest list of modules of one class."""
    lists = [list(m) for m in net.modules() if isinstance(m, nn.ModuleList) and len({type(x) for x in m}) == 1]
    if not lists:
        raise UsageError("this network has no list of layers", code="NO_PLACE", param="tuning", remedy="lora")
    return max(lists, key=len)


def width(net: nn.Module) -> int:
    """How many numbers stand for a token inside."""
    found = [m.embedding_dim for m in net.modules() if isinstance(m, nn.Embedding)]
    if not found:
        raise UsageError("this network has no embeddings of tokens", code="NO_PLACE", param="tuning", remedy="lora")
    return found[0]


def once(net: nn.Module, mark: str) -> None:
    """UsageError for a network that is tuned in this way already."""
    if any(mark in name.split(".") for name, _ in net.named_parameters()):
        raise UsageError(f"this network is tuned already ({mark})", code="TUNED", param="tuning", remedy="merge what was learned first")
