"""rsLoRA: LoRA scaled by the root of the rank, so that high ranks learn as fast as low ones (Kalajdzievski 2023)."""
from __future__ import annotations

from dataclasses import dataclass

from ._low_rank import LowRankTuning


@dataclass(frozen=True, kw_only=True)
class RsLoRA(LowRankTuning):
    """W + (alpha / sqrt(rank)) B A."""

    @property
    def scale(self) -> float:
        """alpha over the root of the rank."""
        return float(self.alpha / self.rank**0.5)
