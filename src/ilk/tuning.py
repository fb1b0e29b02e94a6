"""The contract of a way to tune a network: which of its numbers learn, and how what was learned is put back into its matrices."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetPydanticSchema
from pydantic_core import core_schema
from torch import Tensor, nn

from .rng import Rng


@dataclass(frozen=True, kw_only=True)
class Tuning(ABC):
    """A frozen recipe. One file of `tunings/` each."""

    @abstractmethod
    def apply(self, net: nn.Module, rng: Rng) -> Mapping[str, nn.Parameter]:
        """Changes a network in place; the parameters that learn, by name. All others are frozen. UsageError where the network has no place for it."""

    def merge(self, net: nn.Module) -> Mapping[str, Tensor] | None:
        """The network's own weights with what was learned put into them, under their old names; None where that can't be (prompts, adapters)."""
        return None


AnyTuning = Annotated[Tuning, GetPydanticSchema(lambda source, handler: core_schema.any_schema())]  # checked by its own recipe


def freeze(net: nn.Module) -> None:
    """No parameter learns."""
    for p in net.parameters():
        p.requires_grad_(False)


def named(net: nn.Module, wanted: Any) -> dict[str, nn.Parameter]:
    """The parameters whose names `wanted` says yes to; they learn."""
    found = {name: p for name, p in net.named_parameters() if wanted(name)}
    for p in found.values():
        p.requires_grad_(True)
    return found
