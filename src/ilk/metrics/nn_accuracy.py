"""How often the nearest neighbour of an item is of its own side, made or real (1-NN two-sample test); .5 where they can't be told apart."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import polars as pl
import torch
from torch import Tensor

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import sides
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
        found = _rows(case, n, rng) if isinstance(case.made, pl.DataFrame) else _vectors(case, n, rng)
        if isinstance(found, str):
            return NotApplicable(found)
        (made, test, *real), where = found
        right, error = told(made, test)
        parts = {"made": float(right[:n].mean()), "test": float(right[n:].mean())}
        if real:
            parts["real"] = float(told(real[0], test)[0].mean())
        return Reading(float(right.mean()), error if case.errors else None, n, parts, f"the nearest of {n} made and {n} test items, {where}")


def _rows(case: Case, n: int, rng: Rng) -> tuple[Sequence[Rows], str] | str:
    """Rows of tables, with the ranges of the training rows; no real ones besides, since nothing is learned from those."""
    frames = frames_of(case.made, case.test, case.train)
    if isinstance(frames, str):
        return frames
    made, test, train = (f[some(len(f), n if i < 2 else len(f), rng.child(i))] for i, f in enumerate(frames))
    seen = columns(case.model, (made, test, train))
    return (rows(seen, (made, test, train), slice(2, 3))[:2], "Gower distance of rows") if seen else "the tables have no column in common"


def _vectors(case: Case, n: int, rng: Rng) -> tuple[Sequence[Vectors], str] | str:
    """Made, test and, if there are so many unseen ones, real items in the space of features."""
    found = sides(case)
    if isinstance(found, str):
        return found
    each = [found.made, found.test] if found.real is None else [found.made, found.test, found.real]
    return [Vectors(torch.from_numpy(x[some(len(x), n, rng.child(i))])) for i, x in enumerate(each)], f"in {found.convention}"


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
