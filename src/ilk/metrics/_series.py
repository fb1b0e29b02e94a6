"""Series as metrics see them: (items, steps, channels) of numbers, and what is told of their moments, powers and next steps."""
from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..rng import Rng
from ._features import HUGE, alike
from ._tables import Cells, some

MOST, STEPS, VALUES, LAGS, BANDS = 2000, 16, 16, 32, 32
Series = list[Cells]


def series(sides: list[Any], rng: Rng) -> Series | str:
    """At most 2,000 items of each side, or why they are no series: steps are few, or values so few that they are categories."""
    if why := alike(*sides):
        return "it is about arrays" if why.startswith("it is") else why
    shape = sides[0].shape[1:]
    if len(shape) not in (1, 2) or shape[0] < STEPS:
        return f"series are arrays (items, steps) or (items, steps, channels) of at least {STEPS} steps"
    if min(map(len, sides)) < 2 or len(np.unique(sides[-1][:MOST])) < VALUES:
        return f"it needs two series a side, of at least {VALUES} different values"
    cut = [side[some(len(side), MOST, rng.child("series", i))] for i, side in enumerate(sides)]
    return [np.clip(np.nan_to_num(x.reshape(len(x), shape[0], -1).astype(np.float64)), -HUGE, HUGE) for x in cut]


def products(x: Cells) -> Cells:
    """Of each series and channel the mean product of values so many steps apart, 0 to 32 (at most half the steps), about the mean of all: (n, lags + 1, c)."""
    x = x - x.mean((0, 1))
    steps = x.shape[1]
    return np.stack([(x[:, : steps - k] * x[:, k:]).mean(1) for k in range(min(LAGS, steps // 2) + 1)], 1)


def correlations(product: Cells) -> Cells:
    """Autocorrelations by lag and channel, of all series together; 0 where nothing varies."""
    mean = product.mean(0)
    found: Cells = np.clip(mean[1:] / np.where(mean[0] > 0, mean[0], np.inf), -1, 1)
    return found


def powers(x: Cells, bands: int = BANDS) -> Cells:
    """Of each series and channel the mean power in bands of frequencies above 0, all of a width: (n, bands, c)."""
    power = np.abs(np.fft.rfft(x, axis=1)[:, 1:]) ** 2 / x.shape[1]
    edges = np.linspace(0, power.shape[1], min(bands, power.shape[1]) + 1).astype(int)
    found: Cells = np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges)[:, None]
    return found


def windows(x: Cells, long: int, most: int, rng: Rng) -> tuple[Cells, Cells, Cells]:
    """Some windows of so many steps, flat, what comes next in every channel, and which series each is of."""
    starts = x.shape[1] - long
    at = some(len(x) * starts, most, rng)
    of, start = np.divmod(at, starts)
    seen = sliding_window_view(x, long + 1, axis=1)[of, start]
    return seen[..., :-1].reshape(len(at), -1), seen[..., -1], of
