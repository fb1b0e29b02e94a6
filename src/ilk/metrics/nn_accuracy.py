"""How often the nearest neighbour of an item is of its own side, made or real (1-NN two-sample test); .5 where they can't be told apart."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import polars as pl
import torch
from torch import Tensor

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import Sides, sides
from ._nearest import P, Rows, Vectors, nearest, rows
from ._tables import columns, frames_of, some

MOST, FEWEST, _TIE = 5000, 10, 1e-9


class NNAccuracy(Metric):
    """Leave-one-out accuracy of the nearest neighbour among as many made and test items (Lopez-Paz & Oquab 2017; Xu et al. 2018).

    1 where made items lie apart from real ones (or lie together, as copies of each other), .5 where nothing tells them apart, less where
    made items are copies of the test items. `parts` has the accuracy on the made and on the test items.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("table", "array", "image")
    better: ClassVar[Literal["higher", "lower", "middle"]] = "middle"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The accuracy over at most 5,000 items a side; its error counts two that are each other's nearest as one."""
        n = min(len(case.made), len(case.test), MOST)
        if n < FEWEST:
            return NotApplicable(f"there are fewer than {FEWEST} items a side")
        if not isinstance(case.made, pl.DataFrame):
            seen = sides(case)
            return NotApplicable(seen) if isinstance(seen, str) else _reading(case, _vectors(seen, n, rng), f"in {seen.convention}")
        frames = frames_of(case.made, case.test, case.train)
        found = frames if isinstance(frames, str) else _rows(case, frames, n, rng)
        return NotApplicable(found) if isinstance(found, str) else _reading(case, found, "Gower distance of rows")


def _rows(case: Case, frames: Sequence[pl.DataFrame], n: int, rng: Rng) -> Sequence[Rows] | str:
    """Made and test rows, numbers in the ranges of the training rows."""
    made, test, train = (*(f[some(len(f), n, rng.child(i))] for i, f in enumerate(frames[:2])), frames[2])
    seen = columns(case.model, (made, test, train))
    return rows(seen, (made, test, train), slice(2, 3))[:2] if seen else "the tables have no column in common"


def _vectors(seen: Sides, n: int, rng: Rng) -> Sequence[Vectors]:
    """Made, test and, if there are so many unseen ones, real items in the space of features."""
    each = [seen.made, seen.test] if seen.real is None else [seen.made, seen.test, seen.real]
    return [Vectors(torch.from_numpy(x[some(len(x), n, rng.child(i))])) for i, x in enumerate(each)]


def _reading(case: Case, points: Sequence[P], where: str) -> Reading:
    made, test, n = points[0], points[1], len(points[0])
    right, error = told(made, test)
    parts = {"made": float(right[:n].mean()), "test": float(right[n:].mean())}
    for real in points[2:]:
        parts["real"] = float(told(real, test)[0].mean())
    return Reading(float(right.mean()), error if case.errors else None, n, parts, f"the nearest of {n} made and {n} test items, {where}")


def told(made: P, test: P) -> tuple[Tensor, float]:
    """Whether each of as many made and test items lies nearest to one of its own side, ties half, and the standard error of the mean.

    Two that are each other's nearest are right or wrong together, which is all that ties items of one law to each other (Schilling 1986).
    """
    n = len(made)
    near, far = [torch.stack(x) for x in zip(nearest(made), nearest(test), strict=True)], [nearest(made, test), nearest(test, made)]
    own, other = near[0].flatten(), torch.cat([d for d, _ in far])
    right = torch.where((own - other).abs() <= _TIE * (1 + own), 0.5, (own < other).double())
    mate = torch.where(own <= other, torch.cat([near[1][0], near[1][1] + n]), torch.cat([far[0][1] + n, far[1][1]]))
    mutual = float((mate[mate] == torch.arange(2 * n)).double().mean())
    soft = (float(right.sum()) + 1) / (2 * n + 2)
    return right, (soft * (1 - soft) * (1 + mutual) / (2 * n)) ** 0.5
