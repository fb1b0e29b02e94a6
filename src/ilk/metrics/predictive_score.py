"""What is lost when the next step of real series is foretold by a regressor trained on made series rather than on real ones."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._series import series, windows
from ._tables import Cells

LONG, MOST, CHANNELS, ROUNDS = 8, 10_000, 4, 50


class PredictiveScore(Metric):
    """Mean absolute error of the next step, trained on made series, minus that trained on as many real ones; both on test series (Yoon et al. 2019).

    The next step of the first four channels at most is foretold, from eight steps of all. Errors are in standard deviations of a channel's test values.
    `parts` has both, and that of the last value (persistence), which any model should beat.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The difference; its error over test series, the regressors taken as given."""
        sides = series([case.made, case.train, case.test], rng)
        if isinstance(sides, str):
            return NotApplicable(sides)
        n, off = min(map(len, sides[:2])), sides[2].std((0, 1))
        made, train, test = ((x - sides[2].mean((0, 1))) / np.where(off > 0, off, 1.0) for x in (sides[0][:n], sides[1][:n], sides[2]))
        held, after, of = windows(test, LONG, MOST, rng.child("windows"))
        wrong = {name: _wrong(windows(side, LONG, MOST, rng.child("windows")), held, after, rng) for name, side in (("made", made), ("real", train))}
        last = held.reshape(len(held), -1, LONG)[:, :CHANNELS, -1]
        parts = {"mae_made": float(wrong["made"].mean()), "mae_real": float(wrong["real"].mean()), "mae_last": float(np.abs(last - after[:, :CHANNELS]).mean())}
        error = _error(wrong["made"] - wrong["real"], of) if case.errors else None
        return Reading(parts["mae_made"] - parts["mae_real"], error, len(np.unique(of)), parts,
                       f"HistGradientBoosting, {ROUNDS} rounds, from {LONG} steps to the next, {n} series a side, at most {MOST} windows, "
                       f"{min(CHANNELS, after.shape[1])} channels")


def _wrong(learned: tuple[Cells, Cells, Cells], held: Cells, after: Cells, rng: Rng) -> Cells:
    """Of each held-out window the mean error over channels of what was foretold."""
    seen, following, _ = learned
    most = np.finfo(np.float32).max / 4
    found = []
    for c in range(min(CHANNELS, after.shape[1])):
        judge = HistGradientBoostingRegressor(max_iter=ROUNDS, random_state=rng.child("judge", c).key() % 2**32)
        judge.fit(np.clip(seen, -most, most), np.clip(following[:, c], -most, most))
        found.append(np.abs(judge.predict(np.clip(held, -most, most)) - after[:, c]))
    mean: Cells = np.mean(found, axis=0)
    return mean


def _error(lost: Cells, of: Cells) -> float | None:
    """The standard error of a mean over windows, those of a series standing or falling together."""
    names, place = np.unique(of, return_inverse=True)
    if len(names) < 2:
        return None
    off = np.bincount(place, lost - lost.mean())
    return float((np.square(off).sum() * len(names) / (len(names) - 1)) ** 0.5 / len(lost))
