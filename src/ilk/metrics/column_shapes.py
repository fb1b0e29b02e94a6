"""How alike the columns of made and real tables are, one by one (SDMetrics' Column Shapes)."""
from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._tables import Cells, Sides, frames_of, sides, spread

_UNSEEN = 1e-6  # the count that SDMetrics gives a made value that real data lack


class ColumnShapes(Metric):
    """Mean over columns of 1 - Kolmogorov-Smirnov distance (numbers, dates) or 1 - total variation (categories).

    Equal to SDMetrics 0.32 (`QualityReport`, "Column Shapes"): missing cells are dropped, columns without cells too.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    better: ClassVar[Literal["higher", "lower", "middle"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean, and each column's part in `parts`; its error by bootstrap."""
        frames = frames_of(case.made, case.test)
        if isinstance(frames, str):
            return NotApplicable(frames)
        made, test = frames
        seen = sides(case.model, made, test)
        parts = {column.name: score for column in seen if np.isfinite(score := shape(column))}
        if not parts:
            return NotApplicable("no column has cells on both sides")

        def again(rows_made: Cells, rows_test: Cells) -> float:
            scores = [shape(column.take(rows_made, rows_test)) for column in seen if column.name in parts]
            return float(np.nanmean(scores)) if np.isfinite(scores).any() else float("nan")

        error = spread(again, len(made), len(test), rng) if case.errors else None
        return Reading(float(np.mean(list(parts.values()))), error, len(made), parts,
                       "1 - KS for numbers and dates, 1 - TV for categories, missing cells dropped, as SDMetrics 0.32")


def shape(column: Sides) -> float:
    """How alike the two sides of a column are, in [0, 1]; NaN if one has no cells."""
    made, test = (x[~np.isnan(x)] if column.number else x[x >= 0] for x in (column.made, column.test))
    if not len(made) or not len(test):
        return float("nan")
    return 1 - (_ks(_rounded(made), _rounded(test)) if column.number else _tv(made, test))


def _rounded(x: Cells) -> Cells:
    """To 14 decimals, as SDMetrics does."""
    with np.errstate(all="ignore"):
        near = np.round(x, 14)
    return np.where(np.isfinite(near), near, x)


def _ks(made: Cells, test: Cells) -> float:
    made, test = np.sort(made), np.sort(test)
    at = np.concatenate([made, test])
    below = [np.searchsorted(x, at, side="right") / len(x) for x in (made, test)]
    return float(np.abs(below[0] - below[1]).max())


def _tv(made: Cells, test: Cells) -> float:
    size = int(max(made.max(), test.max())) + 1
    ours, real = np.bincount(made, minlength=size), np.bincount(test, minlength=size).astype(np.float64)
    real[(real == 0) & (ours > 0)] = _UNSEEN
    return float(np.abs(ours / len(made) - real / real.sum()).sum() / 2)
