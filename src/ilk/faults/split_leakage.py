"""Test items that are training items, exactly or nearly: figures then praise memory."""
from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._data import Numbers, features, rows, texts
from ilk.modality import groups
from ilk.rng import Rng

ASKED, KNOWN = 400, 20_000        # items asked after, among so many at most
MORE, ERRORS = 0.01, 3.0          # shared by so many more than training items share with one another, also in standard errors
NEAR, SAME, SHINGLE = 0.1, 0.7, 16  # of the usual distance to the next item; of an item's stretches of so many characters


class SplitLeakage(Fault):
    """More of the test items are among training items than of training items are among the others: these shares alone are the data's own."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """For each of valid and test."""
        for split in ("test", "valid"):
            if "train" in thing.splits and split in thing.splits and min(len(thing.splits[s]) for s in ("train", split)) >= 5:
                said = _equal(thing, split) or _alike(thing, split)
                if said:
                    yield self.found(f"the splits 'train' and {split!r}", said,
                                     "read the data as one, and ilk keeps equal items on one side; nearly equal ones: make them one first")


def _much(shared: float, own: float, n: int) -> bool:
    """Whether a share of n is more than training items would have."""
    return bool(shared - own > max(MORE, ERRORS * (max(own, 1 / n) * (1 - own) / n) ** 0.5))


def _equal(data: Dataset[Any], split: str) -> str | None:
    group = groups(data.modality, data.items)
    train, other = group[data.splits["train"]], group[data.splits[split]]
    shared = float(torch.isin(other, train).double().mean())
    _, place, count = train.unique(return_inverse=True, return_counts=True)
    own = float((count[place] > 1).double().mean())
    if not _much(shared, own, len(other)):
        return None
    return f"{shared:.1%} of {split} items equal a training item; of training items {own:.1%} equal another"


def _alike(data: Dataset[Any], split: str) -> str | None:
    asked, known = (rows(data, s, n) for s, n in ((split, ASKED), ("train", KNOWN)))
    shared, own = _stretches(data, asked, known) if texts(data) else _distances(data, asked, known)
    if not _much(shared, own, len(asked)):
        return None
    return f"{shared:.1%} of {split} items nearly equal a training item; of training items {own:.1%} nearly equal another"


def _distances(data: Dataset[Any], asked: torch.Tensor, known: torch.Tensor) -> tuple[float, float]:
    """The shares of asked and of known items whose next known item is far nearer than usual."""
    few = known[Rng(0).child("leak").shuffle(len(known))[:ASKED]]
    _, x = features(data, torch.cat([asked, few, known]))
    spread = x.std(0)
    x = (x - x.mean(0)) / np.where(spread > 0, spread, 1.0) if hasattr(data.modality, "columns") else x
    n, m = len(asked), len(few)
    one, other = _next(x[:n], x[n + m:], 0), _next(x[n:n + m], x[n + m:], 1)
    usual = float(np.median(other))
    return float((one < NEAR * usual).mean()), float((other < NEAR * usual).mean())


def _next(one: Numbers, other: Numbers, which: int) -> Numbers:
    """The distance of each row to its next one (0) or next but one (1)."""
    from sklearn.neighbors import NearestNeighbors

    found: Numbers = NearestNeighbors(n_neighbors=which + 1, algorithm="brute").fit(other).kneighbors(one)[0][:, which]
    return found


def _stretches(data: Dataset[Any], asked: torch.Tensor, known: torch.Tensor) -> tuple[float, float]:
    """The shares of asked and of known texts, most of whose stretches of characters some (other) known text has."""
    one, other = ([_shingles(text) for text in data.modality.take(data.items, index)] for index in (asked, known))
    count = Counter(s for each in other for s in each)
    few = other[:: max(1, len(other) // ASKED)]
    shares = [[sum(count[s] > least for s in each) / len(each) for each in side if each] for side, least in ((one, 0), (few, 1))]
    found = [float(np.mean(np.array(s) > SAME)) if s else 0.0 for s in shares]
    return found[0], found[1]


def _shingles(text: str) -> set[str]:
    """Stretches of letters and digits, whatever their case, forms and signs between."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text[:600]).casefold() if c.isalnum())
    return {plain[i:i + SHINGLE] for i in range(max(1, len(plain) - SHINGLE + 1))} if plain else set()
