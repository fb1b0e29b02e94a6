"""How well a classifier tells made series from real ones by how they move: |accuracy - .5|."""
from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._judge import classifier
from ._series import powers, products, series
from ._tables import Cells, some

FOLDS, FEWEST, PLACES, BANDS, CELLS = 5, 30, 16, 8, 100_000
LEVELS, APART = (0, 5, 25, 50, 75, 95, 100), [0, 1, 2, 4, 8, 16, 32]


class DiscriminativeScore(Metric):
    """|accuracy - .5| of a classifier of made and test series (Yoon et al. 2019): 0 if it can but guess, .5 if it is always right.

    Where they use a recurrent network, here trees judge 16 values evenly spread, quantiles, products of values some steps apart, and log powers in 8 bands
    of each channel: no training by chance, seconds instead of minutes. Figures of papers are not to be compared with it.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 0.5

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The score over five folds; each series is judged by trees that saw the other four. Equal laws get about .4 / n^1/2, by chance."""
        sides = series([case.made, case.test], rng)
        if isinstance(sides, str):
            return NotApplicable(sides)
        x = told(np.concatenate(sides))
        made, test = x[: len(sides[0])], x[len(sides[0]):]
        n = min(len(made), len(test), max(100, CELLS // x.shape[1]))
        if n < FEWEST:
            return NotApplicable(f"a classifier needs at least {FEWEST} series a side, not {n}")
        x = np.concatenate([made[some(len(made), n, rng.child("made"))], test[some(len(test), n, rng.child("test"))]])
        y = np.repeat([1, 0], n)
        fold = np.concatenate([rng.child("fold", side).shuffle(n).numpy() % FOLDS for side in (0, 1)])
        right = np.concatenate([_right(x, y, fold == k, rng.child(k)) for k in range(FOLDS)])
        accuracy, soft = float(right.mean()), (float(right.sum()) + 1) / (len(right) + 2)
        error = float((soft * (1 - soft) / len(right)) ** 0.5) if case.errors else None
        return Reading(abs(accuracy - 0.5), error, n, {"accuracy": accuracy},
                       f"HistGradientBoosting at defaults on {x.shape[1]} features of a series, {n} made against {n} test series, {FOLDS} folds")


def _right(x: Cells, y: Cells, held: Cells, rng: Rng) -> Cells:
    judge = classifier(x[~held], y[~held], np.zeros(x.shape[1], dtype=bool), rng)
    found: Cells = (judge(x[held])[:, 1] > 0.5) == y[held]
    return found


def told(x: Cells) -> Cells:
    """What the trees are told of series, (n, features)."""
    places = np.linspace(0, x.shape[1] - 1, min(PLACES, x.shape[1])).astype(int)
    apart = products(x)
    with np.errstate(all="ignore"):
        loud = np.log10(powers(x, BANDS) + np.finfo(np.float64).tiny)
        parts = [x[:, places], np.moveaxis(np.percentile(x, LEVELS, axis=1), 0, 1), apart[:, [k for k in APART if k < apart.shape[1]]], loud]
    found: Cells = np.nan_to_num(np.concatenate(parts, axis=1).reshape(len(x), -1), posinf=0, neginf=0)
    return found
