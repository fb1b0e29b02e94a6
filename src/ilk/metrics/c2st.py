"""How well trees tell made items from real ones (classifier two-sample test): area under the ROC curve."""
from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._judge import Curve, classifier, matrix, variance
from ._tables import Cells, columns, some

FOLDS, FEWEST, COLUMNS = 5, 30, 1024  # a tree takes as long as there are columns, and large pictures have tens of thousands


class C2ST(Metric):
    """AUC of gradient-boosted trees between as many made and test items (Lopez-Paz & Oquab 2017); .5 is chance.

    Values below .5 are chance too, or made items that are copies of the test items. Of more than 1,024 columns or pixels the
    trees see that many, drawn at random.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    better: ClassVar[Literal["higher", "lower", "middle"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0
    most_cells: ClassVar[int] = 2_000_000

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean of five folds, each judged by trees that saw the other four."""
        seen = _sides(case)
        if isinstance(seen, str):
            return NotApplicable(seen)
        made, test, categories = seen
        n = min(len(made), len(test), max(100, self.most_cells // made.shape[1]))
        if n < FEWEST:
            return NotApplicable(f"a classifier needs at least {FEWEST} items a side, not {n}")
        kept = some(made.shape[1], COLUMNS, rng.child("columns"))
        x = np.concatenate([made[some(len(made), n, rng.child("made"))], test[some(len(test), n, rng.child("test"))]])[:, kept]
        y = np.repeat([1, 0], n)
        fold = np.concatenate([rng.child("fold", side).shuffle(n).numpy() % FOLDS for side in (0, 1)])
        found = [self._fold(x, y, fold == k, categories[kept], rng.child(k)) for k in range(FOLDS)]
        value = float(np.mean(found))
        error = (variance(value, n / FOLDS) * (1 / FOLDS + 1 / (FOLDS - 1))) ** 0.5
        part = f", {len(kept)} of {made.shape[1]} columns" if len(kept) < made.shape[1] else ""
        return Reading(value, error, n, {}, f"AUC of HistGradientBoosting at defaults, {n} made against {n} test items{part}, mean of {FOLDS} folds; "
                                            "error after Hanley and McNeil, folds as dependent as Nadeau and Bengio say")

    def _fold(self, x: Cells, y: Cells, held: Cells, categories: Cells, rng: Rng) -> float:
        judge = classifier(x[~held], y[~held], categories, rng)
        return Curve(judge(x[held])[:, 1], y[held]).area()


def _sides(case: Case) -> tuple[Cells, Cells, Cells] | str:
    """Both sides as matrices and which of their columns are categories, or why not."""
    made, test = case.made, case.test
    if isinstance(made, pl.DataFrame) and isinstance(test, pl.DataFrame):
        seen = columns(case.model, (made, test))
        if not seen or not len(made) or not len(test):
            return "there are no cells"
        ours, real = matrix(seen, (made, test))
        return ours, real, np.array([not c.number for c in seen])
    if not isinstance(made, np.ndarray) or not isinstance(test, np.ndarray):
        return "it is about tables and arrays"
    if made.shape[1:] != test.shape[1:] or not made.size or not test.size:
        return "made and test items differ in shape, or are empty"
    return _flat(made), _flat(test), np.zeros(int(np.prod(made.shape[1:])), dtype=bool)


def _flat(items: Any) -> Cells:
    most = np.finfo(np.float32).max / 4
    flat: Cells = np.clip(items.reshape(len(items), -1).astype(np.float64), -most, most)
    return flat
