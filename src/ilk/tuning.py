"""The contract of a way to tune a network: which of its numbers learn, and how what was learned is put back into its matrices."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .rng import Rng


@dataclass(frozen=True, kw_only=True)
class Tuning(ABC):
    """A frozen recipe; `apply` changes a network in place so that it computes the same at first. One file of `tunings/` each."""

    @abstractmethod
    def apply(self, net: nn.Module, rng: Rng) -> Mapping[str, nn.Parameter]:
        """The parameters that learn, by name; all others are frozen. UsageError where the network has no place for it."""

    def merge(self, net: nn.Module) -> Mapping[str, Tensor] | None:
        """The network's own weights with what was learned put into them, under their old names; None where that can't be (prompts, adapters)."""
        return None
