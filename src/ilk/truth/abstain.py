"""Answer or abstain with a stated risk: thresholds with a guarantee for finite samples, conformal sets of options, and the curve of risk over coverage."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilk.errors import DataError, UsageError
from ilk.rng import Rng

from ._arrays import Numbers, outcomes, resampled, scores

STEPS, NOTHING, ALL = 60, 1.0, -1.0
STARTS = {1 / 12: 0.2, 1 / 4: 0.6, 1 / 2: 0.2}   # the shares of items that tests begin with, and of delta that each has


@dataclass(frozen=True)
class Threshold:
    """Answers where the score is above `at`; nothing is above 1, everything above -1.

    With confidence 1 - `delta` (over calibration sets such as the one it was chosen on) the share of wrong ones among what is answered is at most `risk`, for
    further items from the same source. `bound` is the largest share of wrong ones that the calibration set leaves possible at that confidence, where it is all
    that was looked at.
    """

    at: float
    risk: float
    delta: float
    n: int
    answered: int
    wrong: int
    bound: float

    def answers(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Which items are answered, (n,)."""
        return np.asarray(scores(values) > self.at, dtype=np.bool_)

    @property
    def coverage(self) -> float:
        """The share of the calibration items that is answered."""
        return self.answered / self.n

    @property
    def guarantee(self) -> str:
        """What is promised, in words."""
        if not self.answered:
            return f"nothing is answered: {self.n} calibration items do not show an error among answered of at most {self.risk:g} with confidence {1 - self.delta:g}"
        return (f"with confidence {1 - self.delta:g} the error among answered is at most {self.risk:g}: a score above {self.at:.4g}, "
                f"{self.answered} of {self.n} calibration items answered, {self.wrong} of them wrong")


def threshold(values: ArrayLike, right: ArrayLike, risk: float = 0.1, delta: float = 0.1, grid: Sequence[float] | None = None) -> Threshold:
    """The threshold that answers most while the error among answered is kept, with confidence 1 - delta, at or below `risk`.

    Each candidate is tested by the exact binomial test of the items above it (Clopper and Pearson 1934), from few answered to many; a candidate that passes
    hands its share of delta on (Learn then Test, Angelopoulos et al. 2021, by the fallback procedure, Wiens 2003). Candidates are scores of the calibration
    items at 60 fixed ranks, which is valid if the error, once it is above `risk`, stays there as more is answered. A `grid` of thresholds that was fixed without
    looking at these items needs no such condition. Either way items must be drawn alike, and independently.

    >>> threshold(np.linspace(0, 1, 200), np.linspace(0, 1, 200) > 0.3).guarantee
    'with confidence 0.9 the error among answered is at most 0.1: a score above 0.2563, 148 of 200 calibration items answered, 8 of them wrong'
    """
    if not (0 < risk < 1 and 0 < delta < 1):
        raise UsageError(f"a risk of {risk} at {delta} can't be promised", code="OPTION", param="risk", remedy="both above 0 and below 1")
    s = scores(values)
    y = outcomes(right, len(s))
    best = Threshold(NOTHING, risk, delta, len(s), 0, 0, 1.0)
    candidates = _ranks(s, risk, delta) if grid is None else {float(g): 1 / len(set(grid)) for g in scores(grid, "thresholds")}
    spare = 0.0
    for at in sorted(candidates, reverse=True):
        spare += delta * candidates[at]
        answered = s > at
        m, wrong = int(answered.sum()), int((1 - y[answered]).sum())
        if tail(wrong, m, risk) > spare:
            spare = 0.0
        elif m > best.answered:
            best = Threshold(at, risk, delta, len(s), m, wrong, upper(wrong, m, delta))
    return best


def _ranks(s: Numbers, risk: float, delta: float) -> dict[float, float]:
    """Scores at fixed ranks, from the fewest items that could ever pass to all, each with its share of delta: most of it where a quarter is answered.

    What is above the k-th highest score are independent draws of all that is above it.
    """
    falling = np.append(np.sort(s)[::-1], ALL)
    least = min(len(s), int(np.ceil(np.log(delta) / np.log1p(-risk))))
    places = np.unique(np.linspace(least, len(s), STEPS).astype(np.int64))
    found = dict.fromkeys(falling[places].tolist(), 0.0)
    for part, weight in STARTS.items():
        found[float(falling[places[np.searchsorted(places, max(least, int(part * len(s))))]])] += weight
    return found


def tail(wrong: int, n: int, risk: float) -> float:
    """How likely so few wrong ones of n are, where the risk is `risk`: the p-value of its being higher; 1 for none at all."""
    from scipy.stats import binom

    return float(binom.cdf(wrong, n, risk)) if n else 1.0


def upper(wrong: int, n: int, delta: float) -> float:
    """Clopper and Pearson's upper bound of a share, with confidence 1 - delta."""
    from scipy.stats import beta

    return 1.0 if wrong >= n else float(beta.ppf(1 - delta, wrong + 1, n - wrong))


@dataclass(frozen=True)
class Sets:
    """Answers a question of several options by a set: of all options whose chance is at least `least`.

    The true option is in the set with a chance of at least 1 - `miss`, over calibration sets and questions together, for questions from the same source.
    """

    least: float
    miss: float
    n: int

    def __call__(self, chances: ArrayLike) -> NDArray[np.bool_]:
        """Which options are in the sets, (n, k)."""
        return np.asarray(np.asarray(chances, dtype=np.float64) >= self.least, dtype=np.bool_)


def sets(chances: ArrayLike, truth: Sequence[int] | NDArray[np.int64], miss: float = 0.1) -> Sets:
    """Split conformal sets (Vovk et al. 2005; Sadinle et al. 2019) of chances (n, k) and the numbers of the true options (n,); everything is in them if n is too small."""
    p = np.asarray(chances, dtype=np.float64)
    if p.ndim != 2 or len(p) != len(truth) or not len(p) or not 0 < miss < 1:
        raise DataError("chances have the shape (items, options), with a true option for each item, and the miss is between 0 and 1", code="SHAPE")
    true = np.sort(p[np.arange(len(p)), np.asarray(truth)])
    k = int(np.floor((len(p) + 1) * miss))
    return Sets(float(true[k - 1]) if k else 0.0, miss, len(p))


@dataclass(frozen=True)
class RiskCoverage:
    """The error among answered (`risk`) where the surest share (`coverage`) of all items is answered, from the first item to all.

    `area` is its mean over all coverages (AURC; lower is better) with a 95 % interval; `floor` is what scores that know nothing get, the error of all;
    `ceiling` what scores get that put all right answers first.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float
    interval: tuple[float, float]
    floor: float
    ceiling: float
    n: int

    def __repr__(self) -> str:
        return f"area under risk-coverage {self.area:.3f} [{self.interval[0]:.3f}, {self.interval[1]:.3f}], {self.floor:.3f} unsorted, {self.ceiling:.3f} at best (n = {self.n})"


def risk_coverage(values: ArrayLike, right: ArrayLike, seed: int = 0) -> RiskCoverage:
    """How the error falls as the least sure are left out (El-Yaniv and Wiener 2010; Geifman et al. 2019). Items of one score are taken in all orders at once.

    >>> risk_coverage([0.9, 0.8, 0.3, 0.1], [1, 1, 0, 1]).risk
    (0.0, 0.0, 0.333..., 0.25)
    """
    s = scores(values)
    y = outcomes(right, len(s))
    curve = _risks(s, y)
    return RiskCoverage(tuple(((np.arange(len(s)) + 1) / len(s)).tolist()), tuple(curve.tolist()), float(curve.mean()),
                        resampled(lambda a, b: float(_risks(a, b).mean()), [s, y], Rng(seed).child("risk_coverage")), float(1 - y.mean()), float(_risks(y, y).mean()), len(s))


def _risks(s: Numbers, y: Numbers) -> Numbers:
    """The expected error of the k surest, k = 1..n: within a tie, errors come evenly."""
    order = np.argsort(-s, kind="stable")
    _, group = np.unique(-s[order], return_inverse=True)
    wrong = 1 - y[order]
    even = (np.bincount(group, wrong) / np.bincount(group))[group]
    return np.asarray(np.cumsum(even) / np.arange(1, len(s) + 1), dtype=np.float64)
