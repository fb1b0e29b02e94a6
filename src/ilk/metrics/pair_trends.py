"""How alike the pairs of columns of made and real tables go together (SDMetrics' Column Pair Trends)."""
from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
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

        error = spread(again, len(made), len(test), rng) if case.errors else None
        return Reading(float(np.mean(list(parts.values()))), error, len(made), parts,
                       f"1 - |r - r'|/2 for numbers, 1 - TV else, numbers in {BINS} bins of each side's own range, missing as a value; "
                       f"pairs of |r| > {CORRELATED} or Cramer's V > {ASSOCIATED} in the test data, as SDMetrics 0.32")


class _Numbers:
    """Numbers of one side of a column, with what all its pairs ask of them."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells

    @cached_property
    def there(self) -> Cells:
        """Which are not missing."""
        return ~np.isnan(self.cells)

    @cached_property
    def whole(self) -> bool:
        """Whether none is missing."""
        return bool(self.there.all())

    @cached_property
    def constant(self) -> bool:
        """Whether there are no two different ones."""
        return _constant(self.cells[self.there])

    @cached_property
    def unit(self) -> Cells:
        """Centred, of length 1."""
        return _unit(self.cells)


class _Column:
    """A column of both tables; what its pairs share is worked out once, when the first asks."""

    def __init__(self, column: Sides) -> None:
        self.column, self.name, self.number = column, column.name, column.number
        self.made, self.test = _Numbers(column.made), _Numbers(column.test)

    @cached_property
    def constant(self) -> bool:
        """Whether a side has no two different numbers."""
        return self.made.constant or self.test.constant

    @cached_property
    def codes(self) -> tuple[Cells, Cells] | None:
        """Bins or categories as whole numbers, a missing category being 0; None if there can be no bins."""
        if not self.number:
            return self.column.made + 1, self.column.test + 1
        made, test = _binned(self.column.made), _binned(self.column.test)
        return None if made is None or test is None else (made, test)


def trends(columns: Sequence[Sides]) -> dict[str, float]:
    """The score of each pair that counts."""
    found = {}
    for a, b in combinations(map(_Column, columns), 2):
        score = _correlation_similarity(a, b) if a.number and b.number else _contingency_similarity(a.codes, b.codes)
        if np.isfinite(score):
            found[f"{a.name}, {b.name}"] = score
    return found


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


def _correlation_similarity(a: _Column, b: _Column) -> float:
    if a.constant or b.constant:
        return _NONE
    real = _correlation(a.test, b.test)
    return 1 - abs(real - _correlation(a.made, b.made)) / 2 if abs(real) > CORRELATED else _NONE


def _correlation(x: _Numbers, y: _Numbers) -> float:
    """Pearson's, of the rows where both are there; NaN where it is not defined."""
    if x.whole and y.whole:
        return _cosine(x.unit, y.unit)
    both = x.there & y.there
    return _cosine(_unit(x.cells[both]), _unit(y.cells[both])) if both.any() else _NONE


def _cosine(x: Cells, y: Cells) -> float:
    return max(min(float(x @ y), 1.0), -1.0)  # in this order NaN stays NaN


def _constant(x: Cells) -> bool:
    return not len(x) or bool(x.min() == x.max())


def _unit(x: Cells) -> Cells:
    """Centred, of length 1, without overflow; all NaN if it is constant or not finite."""
    x = x.astype(np.float64)
    if _constant(x) or not np.isfinite(x).all():
        return np.full(len(x), _NONE)
    with np.errstate(all="ignore"):
        x = x / np.abs(x).max() if np.abs(x).max() > 1e100 else x
        x = x - x.mean()
        x = x / np.abs(x).max()
        unit: Cells = x / np.linalg.norm(x)
    return unit


def _contingency_similarity(a: tuple[Cells, Cells] | None, b: tuple[Cells, Cells] | None) -> float:
    if a is None or b is None:
        return _NONE
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
