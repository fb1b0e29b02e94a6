"""Pictures of one colour: files that failed, frames before the film."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import first_of, share
from ilk.faults._data import pictures, rows, shown

MANY, FLAT = 0.003, 0.01  # as a share of the pictures; spread of a picture as a share of the usual one


class BlankPictures(Fault):
    """Pictures that are next to constant, among others that are not."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """How many, and which colours."""
        found = pictures(thing).astype(np.float64)
        if not len(found):
            return
        flat = found.reshape(len(found), found.shape[1] * found.shape[2], -1)
        spread = flat.std(1).max(1)
        blank = np.flatnonzero((spread <= FLAT * np.median(spread)) & (spread <= FLAT * np.abs(flat.mean((1, 2)))))
        if len(blank) >= max(2, MANY * len(found)):
            values = sorted({round(float(flat[i].mean()), 2) for i in blank})
            where = f"pictures {first_of(rows(thing, at_most=shown(thing))[blank].tolist())}"
            yield self.found(where, f"{share(len(blank), len(found))} pictures are of one colour ({values[0]:g} to {values[-1]:g})",
                             "leave them out: x[x.reshape(len(x), -1).std(1) > 0]; a model of pictures would make as many")
