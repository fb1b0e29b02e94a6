"""What figures of scores share: scores and outcomes checked, and draws of rows with repetition."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ilk.errors import DataError
from ilk.rng import Rng

Numbers = NDArray[np.float64]
DRAWS = 400


def scores(values: ArrayLike, what: str = "scores") -> Numbers:
    """Numbers from 0 to 1, (n,); DataError for anything else."""
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} are not numbers", code="DATA_TYPE", remedy="numbers from 0 to 1") from None
    if found.ndim != 1 or not len(found):
        raise DataError(f"{what} have the shape {found.shape}", code="SHAPE", remedy="one number for each item, and at least one item")
    if not ((found >= 0) & (found <= 1)).all():
        raise DataError(f"{what} are not all between 0 and 1", code="RANGE", remedy="chances, or anything else from 0 to 1 that is higher where it is surer")
    return found


def outcomes(values: ArrayLike, n: int) -> Numbers:
    """Right (1) or wrong (0) of n items, (n,); DataError for anything else."""
    found = scores(values, "outcomes")
    if len(found) != n:
        raise DataError(f"{len(found)} outcomes of {n} items", code="SHAPE", remedy="right or wrong for each item")
    if not np.isin(found, (0.0, 1.0)).all():
        raise DataError("outcomes are not all right or wrong", code="RANGE", remedy="True or False, 1 or 0")
    return found


def drawn(n: int, rng: Rng, times: int = DRAWS) -> NDArray[np.int64]:
    """Row numbers drawn with repetition, (times, n)."""
    found: NDArray[np.int64] = (rng.child("rows").uniform(times, n).numpy() * n).astype(np.int64)
    return found


def interval(values: Sequence[Any] | NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """The middle `level` of some values."""
    low, high = np.quantile(np.asarray(values, dtype=np.float64), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resampled(figure: Callable[..., float], columns: Sequence[NDArray[Any]], rng: Rng) -> tuple[float, float]:
    """A 95 % percentile interval of a figure of some columns over rows drawn with repetition."""
    return interval([figure(*(c[rows] for c in columns)) for rows in drawn(len(columns[0]), rng)])


def share(right: NDArray[Any] | Sequence[Any], level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson 1927)."""
    from scipy.stats import norm

    n, z = len(right), float(norm.ppf((1 + level) / 2))
    p = float(np.mean(right))
    middle, half = (p + z * z / (2 * n)) / (1 + z * z / n), z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))
