"""Whether made items lie closer to the training items than to as many unseen ones: a sign of copying."""
from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import torch

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._nearest import P, Rows, Vectors, nearest, rows, signatures, vectors
from ._tables import columns, some

_TIE = 1e-9
_GOWER = "Gower distance (numbers |x - y| / range, clipped half a range outside; categories 0 or 1; missing against a value 1)"
_EUCLID = "Euclidean distance, every cell scaled by its standard deviation"


class DcrShare(Metric):
    """Share of made items nearer to a training item than to a holdout item, ties half: .5 if nothing was copied.

    Both sides are cut to the smaller one. `parts` has the shares of made items that equal some training or holdout item.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "holdout")
    better: ClassVar[Literal["higher", "lower", "middle"]] = "middle"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0
    most_made: ClassVar[int] = 5000

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share, of at most 5,000 made items; its error counts made items with one nearest neighbour as one."""
        sides = [case.made, case.train, case.holdout]
        if not all(isinstance(s, pl.DataFrame) for s in sides) and not all(isinstance(s, np.ndarray) for s in sides):
            return NotApplicable("it is about tables and arrays")
        if not all(len(s) for s in sides):
            return NotApplicable("there are no items")
        m, n = min(len(sides[0]), self.most_made), min(len(sides[1]), len(sides[2]))
        sides[0] = sides[0][some(len(sides[0]), m, rng.child("made"))]
        cut = [sides[0]] + [s[some(len(s), n, rng.child(name))] for name, s in zip(("train", "holdout"), sides[1:], strict=True)]
        found = _points(case, cut)
        if isinstance(found, str):
            return NotApplicable(found)
        value, error = _share(*found)
        parts = _copies(case, sides)
        kept = "all" if len(sides[1]) == len(sides[2]) else f"{n} of {len(sides[1])} and {len(sides[2])}"
        return Reading(value, error, m, parts, f"{_GOWER if isinstance(case.made, pl.DataFrame) else _EUCLID}; {kept} training and holdout items; "
                                               "exact copies are looked for among all")


def _points(case: Case, sides: list[Any]) -> list[Rows] | list[Vectors] | str:
    if isinstance(case.made, pl.DataFrame):
        seen = columns(case.model, sides)
        return rows(seen, sides, slice(1, 3)) if seen else "the tables have no column in common"
    if len({s.shape[1:] for s in sides}) > 1 or not sides[0].size:
        return "the items differ in shape, or are empty"
    return vectors(sides, slice(1, 3))


def _share(made: P, train: P, holdout: P) -> tuple[float, float]:
    """The share nearer to train, and its error by clusters: made items that share their neighbour stand or fall together."""
    to_train, at_train = nearest(made, train)
    to_holdout, at_holdout = nearest(made, holdout)
    tie = (to_train - to_holdout).abs() <= _TIE * (1 + to_train)
    nearer = torch.where(tie, 0.5, (to_train < to_holdout).double())
    cluster = torch.where(to_train <= to_holdout, at_train, at_holdout + len(train))
    share, m = float(nearer.mean()), len(made)
    soft = (float(nearer.sum()) + 1) / (m + 2)
    return share, float(soft * (1 - soft) * cluster.bincount().double().square().sum()) ** 0.5 / m


def _copies(case: Case, sides: list[Any]) -> dict[str, float]:
    if isinstance(case.made, pl.DataFrame):
        found = signatures(columns(case.model, sides), sides)
    else:
        found = [[np.ascontiguousarray(item).tobytes() for item in side] for side in sides]
    return {name: float(np.mean([key in known for key in found[0]])) for name, known in
            (("exact_copies", set(found[1])), ("exact_copies_holdout", set(found[2])))}
