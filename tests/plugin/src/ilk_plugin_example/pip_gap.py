"""How far the sums of made throws are from those of real ones."""
from __future__ import annotations

from typing import ClassVar, Literal

import torch

from ilk.metric import Case, Metric, NotApplicable, Reading
from ilk.rng import Rng


class PipGap(Metric):
    """Total variation between the laws of the sum of two dice: 0 if equal, 1 if they share no sum."""

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("dice",)
    better: ClassVar[Literal["higher", "lower", "middle"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """Half the distance between two histograms."""
        if not case.made or not case.test:
            return NotApplicable("there are no throws")
        made, test = (torch.bincount(torch.tensor([a + b for a, b in items]), minlength=13).double() for items in (case.made, case.test))
        return Reading(float((made / made.sum() - test / test.sum()).abs().sum()) / 2, None, len(case.made))
