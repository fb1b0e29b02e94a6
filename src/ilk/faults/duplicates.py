"""Items that are there several times though they could hardly be equal by chance."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import polars as pl
import torch

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import share
from ilk.faults._data import rows, taken
from ilk.modality import groups

MANY, LEAST, ROOM = 0.02, 3, 10.0  # repeats as a share of the items, and in number; bits beyond those that tell so many items apart


class Duplicates(Fault):
    """Repeats of items that have room to differ."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """How many, and the first."""
        index = rows(thing)
        group = groups(thing.modality, taken(thing, index))
        again = group != torch.arange(len(group))
        many = int(again.sum())
        if many < LEAST or many < MANY * len(index) or _bits(taken(thing, index)) < 2 * np.log2(len(index)) + ROOM:
            return
        first = int(again.nonzero()[0, 0])
        where = f"items {int(index[group[first]]) + 1} and {int(index[first]) + 1}, ..."
        yield self.found(where, f"{share(many, len(index))} items equal an earlier one, where chance would give next to none",
                         "keep one of each: frame.unique(maintain_order=True), or list(dict.fromkeys(texts)); or they weigh double, and are the first to be learned by heart")


def _bits(items: Any) -> float:
    """By how much two items can differ: bits by which equal parts are rare (Renyi's entropy of order 2), parts taken to be independent and then cut, since they never are."""
    if isinstance(items, list):
        return 1.5 * float(np.median([len(t) for t in items])) if items else 0.0
    if isinstance(items, pl.DataFrame):
        items = items.unique()
        return 0.7 * sum(_equal(items[c].value_counts()["count"].to_numpy(), len(items)) for c in items.columns)
    flat = np.asarray(items).reshape(len(items), -1)
    return 0.5 * sum(_equal(np.unique(flat[:, i], return_counts=True)[1], len(flat)) for i in range(0, flat.shape[1], max(1, flat.shape[1] // 256)))


def _equal(counts: Any, n: int) -> float:
    """Bits of how rarely two cells are equal, by unbiased counts."""
    pairs = float((counts.astype(np.float64) * (counts - 1)).sum() / max(1, n * (n - 1)))
    return -float(np.log2(max(pairs, 1 / n**2)))
