"""A classifier as judge: items as a matrix with categories marked, sklearn's gradient-boosted trees, and the area under a curve."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from ..rng import Rng
from ._tables import Cells, Column, arrays

VALUES = 254  # the trees take 255 values of a category; the rarest share one


def matrix(column: Sequence[Column], frames: Sequence[pl.DataFrame]) -> list[Cells]:
    """The columns of each frame as floats, NaN where missing; categories as codes, the commonest first."""
    found: list[list[Cells]] = [[] for _ in frames]
    for c in column:
        for side, cells in zip(found, arrays(c, frames), strict=True):
            side.append(cells)
        if not c.number:
            ranked = _ranked([side[-1] for side in found])
            for side, codes in zip(found, ranked, strict=True):
                side[-1] = codes
    return [np.stack([_finite(cells) for cells in side], axis=1) for side in found]


def _ranked(sides: Sequence[Cells]) -> list[Cells]:
    whole = np.concatenate(sides)
    if whole.max() < 0:
        return [np.full(len(s), np.nan) for s in sides]
    rank = np.bincount(whole[whole >= 0]).argsort(kind="stable")[::-1].argsort()
    return [np.where(s >= 0, np.minimum(rank[s], VALUES), np.nan) for s in sides]


def _finite(cells: Cells) -> Cells:
    most = np.finfo(np.float32).max / 4
    return np.clip(cells.astype(np.float64), -most, most)


def classifier(x: Cells, y: Cells, categories: Cells, rng: Rng) -> Callable[[Cells], Cells]:
    """The chances of the classes of y by gradient-boosted trees at sklearn's defaults."""
    seen = ~np.isnan(x).all(0)  # the trees can't bin a column without cells
    judge = HistGradientBoostingClassifier(categorical_features=categories if categories.any() else None, random_state=rng.key() % 2**32)
    judge.fit(np.where(seen, x, 0.0), y)

    def chances(other: Cells) -> Cells:
        found: Cells = judge.predict_proba(np.where(seen, other, 0.0))
        return found

    return chances


class Curve:
    """The area under the ROC curve of scores, again and again for other weights of the rows."""

    def __init__(self, scores: Any, positive: Cells) -> None:
        values, self.place = np.unique(scores, return_inverse=True)
        self.positive, self.size = positive.astype(np.float64), len(values)

    def area(self, weight: Cells | None = None) -> float:
        """The chance that a positive row scores above a negative one, ties half; NaN if a side is empty."""
        w = np.ones(len(self.positive)) if weight is None else weight
        yes = np.bincount(self.place, w * self.positive, self.size)
        no = np.bincount(self.place, w * (1 - self.positive), self.size)
        if not yes.sum() or not no.sum():
            return float("nan")
        return float((yes * (no.cumsum() - no / 2)).sum() / (yes.sum() * no.sum()))


def variance(area: float, n: float) -> float:
    """Of an area under the curve from n items a side (Hanley & McNeil 1982), kept off 0."""
    a = min(max(area, 0.5 / n), 1 - 0.5 / n)
    q1, q2 = a / (2 - a) - a**2, 2 * a**2 / (1 + a) - a**2
    return (a * (1 - a) + (n - 1) * (q1 + q2)) / n**2
