"""Test items of another kind than training items: the split was not at random, and figures say how well a model does elsewhere."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._data import Numbers, chances, features, rows, target
from ilk.faults._learned import area

MOST, LEAST, TOLD, ERRORS, APART = 600, 30, 0.6, 5.0, 0.15  # items a side, at most and at least; area that is a shift, in standard errors too; difference of shares of classes


class ShiftedSplit(Fault):
    """A classifier tells test items from training items (Lopez-Paz & Oquab 2017), or their classes differ."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """For each of valid and test."""
        for split in ("test", "valid"):
            if "train" in thing.splits and split in thing.splits and min(len(thing.splits[s]) for s in ("train", split)) >= LEAST:
                said = _classes(thing, split) or _told(thing, split)
                if said:
                    yield self.found(f"the split {split!r}", said, "if the data have no order that matters, let ilk divide them at random: read them as one file; "
                                     "if they have (time, place), keep the split and say so beside every figure")


def _told(data: Dataset[Any], split: str) -> str | None:
    sides = [rows(data, s, MOST) for s in ("train", split)]
    names, x = features(data, torch.cat(sides))
    which = np.repeat([0, 1], [len(s) for s in sides])
    found, error = area(chances(x, which, 3)[:, 1], which)
    if found < TOLD or found < 0.5 + ERRORS * error:
        return None
    by = _column(names, x, which)
    return f"a held-out classifier tells {split} from training items with an area of {found:.2f} under its curve, where .5 is chance{by}"


def _column(names: list[str], x: Numbers, which: NDArray[np.int64]) -> str:
    """The column that tells most by itself, of a table."""
    areas = [abs(area(x[:, i], which)[0] - 0.5) for i in range(x.shape[1])]
    best = int(np.argmax(areas))
    return f"; most by {names[best]!r} ({0.5 + areas[best]:.2f} alone)" if not names[best].isdigit() else ""


def _classes(data: Dataset[Any], split: str) -> str | None:
    """The class whose share differs most, if by much."""
    sides = [rows(data, s) for s in ("train", split)]
    told = target(data, torch.cat(sides))
    if told is None:
        return None
    n, m = map(len, sides)
    a, b = (np.bincount(codes, minlength=len(told.names)) / len(codes) for codes in (told.codes[:n], told.codes[n:]))
    k, p = int(np.abs(a - b).argmax()), (n * a + m * b) / (n + m)
    if abs(a[k] - b[k]) < max(APART * 2 * max(p[k], 0.5 / len(p)), ERRORS * (p[k] * (1 - p[k]) * (1 / n + 1 / m)) ** 0.5):
        return None
    return f"{told.name!r} is {told.names[k]!r} in {a[k]:.1%} of the training items and in {b[k]:.1%} of {split}"
