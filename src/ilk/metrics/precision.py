"""How many made items look real: the share that lies where test items do."""
from __future__ import annotations

from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._neighbours import reading


class Precision(Metric):
    """Share of made items within the ball of some test item, to its fifth neighbour (Kynkaanniemi et al. 2019)."""

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share, in the learned features."""
        return reading(case, "precision")
