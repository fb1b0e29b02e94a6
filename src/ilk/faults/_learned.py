"""What faults that need a classifier share."""
from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ilk.dataset import Dataset
from ilk.faults._data import Target, rows, target

EACH = 10  # items of a class, fewer of which teach a classifier nothing


def taught(data: Dataset[Any], at_most: int) -> tuple[torch.Tensor, Target] | None:
    """Some items and their classes, those of a few items left out; None without two classes."""
    index = rows(data, at_most=at_most)
    told = target(data, index)
    if told is None:
        return None
    counts = np.bincount(told.codes, minlength=len(told.names))
    kept = counts[told.codes] >= EACH
    if (counts >= EACH).sum() < 2:
        return None
    _, codes = np.unique(told.codes[kept], return_inverse=True)
    names = tuple(name for name, n in zip(told.names, counts, strict=True) if n >= EACH)
    return index[torch.from_numpy(kept)], Target(told.name, codes.astype(np.int64), names)


def area(score: NDArray[np.float64], positive: NDArray[np.int64]) -> tuple[float, float]:
    """The chance that an item of class 1 scores above one of class 0, and its standard error where both are alike (Hanley & McNeil 1982)."""
    from scipy.stats import rankdata

    n, m = int(positive.sum()), int((1 - positive).sum())
    found = (float(rankdata(score)[positive > 0].sum()) - n * (n + 1) / 2) / (n * m)
    return found, ((n + m + 1) / (12 * n * m)) ** 0.5
