"""Bits that the model needs for a number of a held-out array or picture: every channel of every pixel."""
from __future__ import annotations

from math import inf, isfinite, log, prod
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._likelihood import scored


class BitsPerDimension(Metric):
    """- log2 p(item) over its number of numbers, mean over test items (Theis, van den Oord & Bethge 2016): `nats` in another unit.

    Of bytes and other whole numbers, what a lossless code takes; of real numbers a density in their own units, which may be below 0.
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean; more than the truth by a bound's gap."""
        if case.model is None or not isinstance(case.test, np.ndarray) or not case.test.size:
            return NotApplicable("it is about models of arrays and pictures, and test items that have numbers")
        found, numbers = scored(case.model, case.test, rng, case.test_labels), prod(case.test.shape[1:])
        if isinstance(found, NotApplicable):
            return found
        if not isfinite(found.mean):
            return NotApplicable("the model holds some test items impossible")
        unit = -1 / (numbers * log(2))
        error = -unit * found.error if case.errors and len(found.nats) > 1 else None
        return Reading(unit * found.mean, error, len(found.nats), {}, f"bits a number, {numbers} an item, {found.sort}; {found.measure}")
