"""DoRA: LoRA on the directions of a matrix's rows, whose lengths learn apart from them (Liu et al. 2024)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ._low_rank import LowRankTuning


@dataclass(frozen=True, kw_only=True)
class DoRA(LowRankTuning):
    """length * (W + (alpha / rank) B A) / |W + (alpha / rank) B A|, row by row."""

    lengths: ClassVar[bool] = True

    @property
    def scale(self) -> float:
        """alpha over the rank."""
        return self.alpha / self.rank
