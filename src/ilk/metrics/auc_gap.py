"""What is lost when a classifier is trained on made rows rather than real ones, both judged on real rows."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._judge import Curve, classifier, matrix
from ._tables import Cells, Column, arrays, columns, frames_of, generator, some

MOST_CLASSES, DRAWS, FEWEST = 20, 200, 10


class AucGap(Metric):
    """AUC of trees trained on real rows minus that of trees trained on as many made rows (TSTR, Esteban et al. 2017).

    The class is the last column that is a category or boolean of 2 to 20 values; several classes count one against the
    rest, all alike.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("table",)
    better: ClassVar[Literal["higher", "lower", "middle"]] = "lower"
    low: ClassVar[float] = -1.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The gap, both areas in `parts`; the error by bootstrap over test rows."""
        frames = frames_of(case.made, case.train, case.test)
        if isinstance(frames, str):
            return NotApplicable(frames)
        seen = columns(case.model, frames)
        target = _target(seen, frames)
        features = [c for c in seen if c is not target]
        if target is None or not features:
            return NotApplicable("no column is a class of 2 to 20 values beside another column")
        task = _task(target, features, frames, rng)
        if isinstance(task, str):
            return NotApplicable(task)
        value, error, areas = _judged(task, rng, DRAWS if case.errors else 0)
        return Reading(value, error, len(task.test[1]), areas,
                       f"class {target.name!r}; HistGradientBoosting at defaults on {len(task.made[1])} rows each, AUC on test rows"
                       + (", classes against the rest, mean" if len(task.classes) > 2 else "") + f"; error by {DRAWS} bootstraps of the test rows")


@dataclass(frozen=True, eq=False)
class Task:
    """Features and classes of made, real and test rows; which features are categories; the classes that test rows have."""

    made: tuple[Cells, Cells]
    real: tuple[Cells, Cells]
    test: tuple[Cells, Cells]
    categories: Cells
    classes: Cells


def _target(seen: Sequence[Column], frames: Sequence[pl.DataFrame]) -> Column | None:
    for c in reversed(seen):
        if not c.number and 2 <= frames[1][c.name].drop_nulls().n_unique() <= MOST_CLASSES:
            return c
    return None


def _task(target: Column, features: Sequence[Column], frames: Sequence[pl.DataFrame], rng: Rng) -> Task | str:
    made, real, test = zip(matrix(features, frames), arrays(target, frames), strict=True)
    known = np.unique(real[1][real[1] >= 0])
    made, real, test = (_rows(side, np.isin(side[1], known).nonzero()[0]) for side in (made, real, test))
    n = min(len(made[1]), len(real[1]))
    if n < FEWEST or len(np.unique(test[1])) < 2:
        return f"it needs {FEWEST} made rows with a class of the training rows, and test rows of two classes"
    made = _rows(made, some(len(made[1]), n, rng.child("made")))
    real = _rows(real, some(len(real[1]), n, rng.child("real")))
    return Task(made, real, test, np.array([not c.number for c in features]), np.unique(test[1]))


def _rows(side: tuple[Cells, Cells], rows: Cells) -> tuple[Cells, Cells]:
    return side[0][rows], side[1][rows]


def _judged(task: Task, rng: Rng, draws: int) -> tuple[float, float | None, dict[str, float]]:
    real = _curves(task, *task.real, rng.child("judge"))
    made = _curves(task, *task.made, rng.child("judge"))
    areas = {"auc_real": _mean_area(real), "auc_made": _mean_area(made)}
    dice, n = generator(rng.child("bootstrap")), len(task.test[1])
    gaps = []
    for _ in range(draws):
        weight = np.bincount(dice.integers(n, size=n), minlength=n).astype(np.float64)
        gaps.append(_mean_area(real, weight) - _mean_area(made, weight))
    sound = np.array(gaps)[np.isfinite(gaps)]
    return areas["auc_real"] - areas["auc_made"], float(sound.std(ddof=1)) if len(sound) > DRAWS // 2 else None, areas


def _curves(task: Task, x: Cells, y: Cells, rng: Rng) -> list[Curve]:
    """One curve per class of the test rows, or one in all for two classes."""
    known = np.unique(y)
    scores = np.zeros((len(task.test[1]), int(max(known.max(), task.classes.max())) + 1))
    if len(known) > 1:
        scores[:, known] = classifier(x, y, task.categories, rng)(task.test[0])
    curves = [Curve(scores[:, k], task.test[1] == k) for k in task.classes]
    return curves[-1:] if len(curves) == 2 else curves


def _mean_area(curves: Sequence[Curve], weight: Cells | None = None) -> float:
    return float(np.mean([c.area(weight) for c in curves]))
