"""How alike the pairs of columns of made and real tables go together (SDMetrics' Column Pair Trends)."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._tables import Cells, Sides, frames_of, sides, spread

CORRELATED, ASSOCIATED, BINS = 0.5, 0.3, 10
_NONE = float("nan")


class PairTrends(Metric):
    """Mean over pairs of columns that belong together in the real table: correlations and contingency tables compared.

    Equal to SDMetrics 0.32 (`QualityReport`, "Column Pair Trends") up to the 50,000 rows beyond which that draws some.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    better: ClassVar[Literal["higher", "lower", "middle"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean, and each pair that counts in `parts`; its error by bootstrap."""
        frames = frames_of(case.made, case.test)
        if isinstance(frames, str):
            return NotApplicable(frames)
        made, test = frames
        seen = sides(case.model, made, test)
        parts = trends(seen)
        if not parts:
            return NotApplicable("no two columns go together in the test data")

        def again(rows_made: Cells, rows_test: Cells) -> float:
            drawn = trends([column.take(rows_made, rows_test) for column in seen])
            return float(np.mean(list(drawn.values()))) if drawn else _NONE

        error = spread(again, len(made), len(test), rng)
        return Reading(float(np.mean(list(parts.values()))), error, len(made), parts,
                       f"1 - |r - r'|/2 for numbers, 1 - TV else, numbers in {BINS} bins of each side's own range, missing as a value; "
                       f"pairs of |r| > {CORRELATED} or Cramer's V > {ASSOCIATED} in the test data, as SDMetrics 0.32")


def trends(columns: Sequence[Sides]) -> dict[str, float]:
    """The score of each pair that counts."""
    codes = [_codes(c) for c in columns]
    found = {}
    for (a, coded_a), (b, coded_b) in combinations(zip(columns, codes, strict=True), 2):
        if a.number and b.number:
            score = _correlation_similarity(a, b)
        else:
            score = _contingency_similarity(coded_a, coded_b) if coded_a and coded_b else _NONE
        if np.isfinite(score):
            found[f"{a.name}, {b.name}"] = score
    return found


def _codes(column: Sides) -> tuple[Cells, Cells] | None:
    """Bins or categories as whole numbers, a missing category being 0; None if there can be no bins."""
    if not column.number:
        return column.made + 1, column.test + 1
    made, test = _binned(column.made), _binned(column.test)
    return None if made is None or test is None else (made, test)


def _binned(x: Cells) -> Cells | None:
    """Ten bins of equal width over its own range; what is missing falls in the last (SDMetrics' way)."""
    there = x[~np.isnan(x)]
    if not np.isfinite(there).all():
        return None
    try:
        with np.errstate(all="ignore"):
            binned: Cells = np.digitize(x, np.histogram_bin_edges(there, BINS))
    except ValueError:  # a range too small or too large for ten bins
        return None
    return binned


def _correlation_similarity(a: Sides, b: Sides) -> float:
    if any(_constant(x) for x in (a.made, a.test, b.made, b.test)):
        return _NONE
    real = _correlation(a.test, b.test)
    return 1 - abs(real - _correlation(a.made, b.made)) / 2 if abs(real) > CORRELATED else _NONE


def _constant(x: Cells) -> bool:
    there = x[~np.isnan(x)]
    return not len(there) or bool(there.min() == there.max())


def _correlation(x: Cells, y: Cells) -> float:
    """Pearson's, of the rows where both are there; NaN where it is not defined."""
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both].astype(np.float64), y[both].astype(np.float64)
    if len(x) < 2 or _constant(x) or _constant(y) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return _NONE
    x, y = _unit(x), _unit(y)
    return float(np.clip(x @ y, -1, 1))


def _unit(x: Cells) -> Cells:
    """Centred, of length 1, without overflow."""
    with np.errstate(all="ignore"):
        x = x / np.abs(x).max() if np.abs(x).max() > 1e100 else x
        x = x - x.mean()
        x = x / np.abs(x).max()
        unit: Cells = x / np.linalg.norm(x)
    return unit


def _contingency_similarity(a: tuple[Cells, Cells], b: tuple[Cells, Cells]) -> float:
    width = int(max(b[0].max(), b[1].max())) + 1
    made, test = a[0] * width + b[0], a[1] * width + b[1]
    size = (int(max(a[0].max(), a[1].max())) + 1) * width
    cells = np.arange(size)
    if size > 4 * (len(made) + len(test)):
        cells, joint = np.unique(np.concatenate([made, test]), return_inverse=True)
        made, test, size = joint[: len(made)], joint[len(made):], len(cells)
    ours, real = np.bincount(made, minlength=size), np.bincount(test, minlength=size)
    if not _association(real, cells // width, cells % width) > ASSOCIATED:
        return _NONE
    return float(1 - np.abs(ours / len(made) - real / len(test)).sum() / 2)


def _association(counts: Cells, row: Cells, column: Cells) -> float:
    """Cramer's V of a contingency table of counts, given by cells; NaN if a side is constant."""
    seen = counts > 0
    counts, row, column = counts[seen].astype(np.float64), row[seen], column[seen]
    rows, across = np.bincount(row, counts), np.bincount(column, counts)
    least = min(np.count_nonzero(rows), np.count_nonzero(across))
    if least < 2:
        return _NONE
    phi2 = (counts**2 / (rows[row] * across[column])).sum() - 1
    return float(np.sqrt(max(0.0, phi2) / (least - 1)))
