"""How alike made and real series remember: the gap between their autocorrelations."""
from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._series import correlations, products, series
from ._tables import spread

SHOWN = (1, 2, 4, 8, 16, 32)


class Autocorrelation(Metric):
    """Mean over lags and channels of |autocorrelation of made series - that of test series|; lags 1 to 32, at most half the steps.

    A side's autocorrelation is that of all its series together, about their common mean: levels that differ from series to series count as memory.
    `parts` has both sides' means over channels at some lags. It sees linear memory only.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 2.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The gap; its error by bootstrap over series."""
        sides = series([case.made, case.test], rng)
        if isinstance(sides, str):
            return NotApplicable(sides)
        made, test = map(products, sides)
        ours, real = correlations(made), correlations(test)
        parts = {f"{side}lag_{k}": float(found[k - 1].mean()) for side, found in (("", ours), ("test_", real)) for k in SHOWN if k <= len(found)}
        error = spread(lambda i, j: float(np.abs(correlations(made[i]) - correlations(test[j])).mean()), len(made), len(test), rng) if case.errors else None
        return Reading(float(np.abs(ours - real).mean()), error, len(made), parts, f"mean |difference| over lags 1 to {len(ours)} and {ours.shape[1]} channels")
