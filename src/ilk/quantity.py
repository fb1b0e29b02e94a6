"""The contract of a quantity: something that items have more or less of, and that made items can lean towards."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    from .model import Model

Values = Callable[[Any], Tensor]  # raw items, in the form their modality holds them in -> (B,) float64


class Quantity(ABC):
    """A number of every raw item: a frozen dataclass, one file each in quantities/."""

    @classmethod
    def opened(cls, at: Path) -> Quantity | None:
        """The quantity that a file or folder holds, for those that are saved; None if it holds none of this kind."""
        return None

    @abstractmethod
    def of(self, model: Model) -> Values:
        """What measures items such as this model makes; UsageError where that means nothing."""
