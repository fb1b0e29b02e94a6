"""Chances that mean what they say: temperature, Platt and isotonic scaling, reliability, and the expected calibration error beside its own noise."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilk.errors import DataError, UsageError
from ilk.rng import Rng

from ._arrays import DRAWS, Numbers, drawn, interval, outcomes, scores

_TINY, FEWEST = 1e-9, 10


class Scale(Protocol):
    """Makes chances of scores, both from 0 to 1."""

    def __call__(self, values: ArrayLike) -> Numbers: ...


@dataclass(frozen=True)
class Temperature:
    """The log weights of options divided by one number: what is likeliest stays so (Guo et al. 2017)."""

    degrees: float

    @classmethod
    def fit(cls, weights: ArrayLike, truth: Sequence[int] | NDArray[np.int64]) -> Temperature:
        """The temperature of the highest likelihood, between 1/100 and 100, of log weights (n, k) and the numbers of the true options (n,)."""
        from scipy.optimize import minimize_scalar

        logs, rows = _weights(weights), np.arange(len(truth))
        if len(logs) != len(truth) or not len(logs):
            raise DataError(f"{len(truth)} truths of {len(logs)} items", code="SHAPE", remedy="the number of the true option for each item")
        spread = logs - logs.max(1, keepdims=True)
        best = minimize_scalar(lambda t: -np.mean(_log_softmax(spread / np.exp(t))[rows, truth]), bounds=(-np.log(100), np.log(100)), method="bounded",
                               options={"xatol": 1e-8})
        return cls(float(np.exp(best.x)))

    def __call__(self, weights: ArrayLike) -> Numbers:
        """Chances of the options, (n, k)."""
        return np.asarray(np.exp(_log_softmax(_weights(weights) / self.degrees)), dtype=np.float64)


@dataclass(frozen=True)
class Platt:
    """chance = 1 / (1 + exp(-(slope x log odds + shift))) of scores from 0 to 1 (Platt 1999)."""

    slope: float
    shift: float

    @classmethod
    def fit(cls, values: ArrayLike, right: ArrayLike) -> Platt:
        """The likeliest slope and shift, for Platt's smoothed targets: so that ten right answers do not mean certainty."""
        from sklearn.linear_model import LogisticRegression

        x, y = _pairs(values, right)
        high, low = (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2)
        target = np.where(y == 1, high, low)
        twice = np.concatenate([_odds(x), _odds(x)])[:, None]
        found = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(twice, np.repeat([1, 0], len(x)), np.concatenate([target, 1 - target]))
        return cls(float(found.coef_[0, 0]), float(found.intercept_[0]))

    def __call__(self, values: ArrayLike) -> Numbers:
        """Chances, (n,)."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * _odds(scores(values)) + self.shift, -700, 700))), dtype=np.float64)


@dataclass(frozen=True)
class Isotonic:
    """The rising steps that fit best, joined by straight lines (Zadrozny and Elkan 2002). Wants some hundred items."""

    at: tuple[float, ...]
    chance: tuple[float, ...]

    @classmethod
    def fit(cls, values: ArrayLike, right: ArrayLike) -> Isotonic:
        """Pools neighbours until chances rise with scores."""
        from sklearn.isotonic import IsotonicRegression

        found = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(*_pairs(values, right))
        return cls(tuple(found.X_thresholds_.tolist()), tuple(found.y_thresholds_.tolist()))

    def __call__(self, values: ArrayLike) -> Numbers:
        """Chances, (n,)."""
        return np.asarray(np.interp(scores(values), self.at, self.chance), dtype=np.float64)


@dataclass(frozen=True)
class Reliability:
    """How far chances are from the shares that come true, in bins of as many items each.

    `error` is the expected calibration error and `interval` its 95 % interval, freed of the bias by resampling; `noise` is what the same chances would
    show if they were exactly right, and `p` how often they would show as much; `squared` is the squared error without bias (Kumar et al. 2019; may be below 0).
    `curve` has, of each bin, the mean chance, the share of right ones, and how many.
    """

    error: float
    interval: tuple[float, float]
    noise: float
    p: float
    squared: float
    n: int
    curve: tuple[tuple[float, float, int], ...]

    def __repr__(self) -> str:
        return f"calibration error {self.error:.3f} [{self.interval[0]:.3f}, {self.interval[1]:.3f}], {self.noise:.3f} if calibrated (p = {self.p:.3f}, n = {self.n})"


def reliability(chances: ArrayLike, right: ArrayLike, bins: int = 10, seed: int = 0) -> Reliability:
    """Whether things said with a chance of 70 % come true in 7 of 10 cases. A small error says nothing unless it is compared with `noise`.

    >>> round(reliability([0.9] * 50 + [0.6] * 50, [1] * 40 + [0] * 10 + [1] * 30 + [0] * 20, bins=2).error, 3)
    0.05
    """
    p, y = _pairs(chances, right, "chances")
    if not 1 <= bins <= len(p):
        raise UsageError(f"{bins} bins of {len(p)} items", code="OPTION", param="bins", remedy="at least one item in each bin")
    order, rng = np.argsort(p, kind="stable"), Rng(seed).child("reliability")
    p, y = p[order], y[order]
    error = gap(p, y, bins)
    null = np.array([gap(p, (u < p).astype(np.float64), bins) for u in rng.child("null").uniform(DRAWS, len(p)).numpy()])
    low, high = interval([gap(p[rows], y[rows], bins) for rows in np.sort(drawn(len(p), rng), 1)])
    parts = list(zip(np.split(p, _edges(len(p), bins)[1:]), np.split(y, _edges(len(p), bins)[1:]), strict=True))
    squared = sum(len(q) / len(p) * ((q.mean() - z.mean()) ** 2 - z.mean() * (1 - z.mean()) / max(1, len(q) - 1)) for q, z in parts)
    return Reliability(error, (max(0.0, 2 * error - high), max(0.0, 2 * error - low)), float(null.mean()), float((1 + (null >= error).sum()) / (1 + len(null))),
                       float(squared), len(p), tuple((float(q.mean()), float(z.mean()), len(q)) for q, z in parts))


def gap(chances: Numbers, right: Numbers, bins: int) -> float:
    """The expected calibration error of chances in rising order: over bins of as many each, the mean |mean chance - share of right ones|."""
    return float(np.abs(np.add.reduceat(right - chances, _edges(len(chances), bins))).sum() / len(chances))


def _edges(n: int, bins: int) -> NDArray[np.int64]:
    """Where bins of as many items each begin."""
    return np.linspace(0, n, bins + 1).astype(np.int64)[:-1]


def _pairs(values: ArrayLike, right: ArrayLike, what: str = "scores") -> tuple[Numbers, Numbers]:
    x = scores(values, what)
    if len(x) < FEWEST:
        raise DataError(f"{len(x)} items are too few to calibrate with", code="FEW", remedy=f"at least {FEWEST}, better some hundred")
    return x, outcomes(right, len(x))


def _odds(values: Numbers) -> Numbers:
    inside = np.clip(values, _TINY, 1 - _TINY)
    return np.asarray(np.log(inside) - np.log1p(-inside), dtype=np.float64)


def _weights(weights: ArrayLike) -> Numbers:
    found = np.asarray(weights, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] < 2 or np.isnan(found).any() or np.isneginf(found).all(1).any() or np.isposinf(found).any():
        raise DataError("log weights are not numbers of the shape (items, options)", code="SHAPE", remedy="a row of at least two log weights for each item")
    return found


def _log_softmax(logs: Numbers) -> Numbers:
    from scipy.special import log_softmax

    return np.asarray(log_softmax(logs, axis=1), dtype=np.float64)
