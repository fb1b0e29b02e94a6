"""How real made items look: how many test items have a made item near them, on average."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._neighbours import reading


class Density(Metric):
    """Balls of test items that hold a made item, over five, mean over made items (Naeem et al. 2020).

    About 1 for real items; more where made items keep to the midst of the data, hence no figure of which more is better.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "real"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean, in the learned features."""
        return reading(case, "density")
