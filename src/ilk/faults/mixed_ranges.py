"""Arrays of which some run from 0 to 1 and others to 255: next to the others they are black."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import first_of, share
from ilk.faults._data import pictures, rows, shown

FEW, FACTOR, APART = 3, 50.0, 10.0  # items in the smaller heap; between the heaps; and the gap between them


class MixedRanges(Fault):
    """Two heaps of pictures by their largest value, one a hundred times the other."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """How many of each."""
        found = pictures(thing)
        top = np.abs(found.reshape(len(found), int(np.prod(found.shape[1:]))).astype(np.float64)).max(1) if len(found) else np.zeros(0)
        at = np.flatnonzero(top > 0)
        ranked = np.sort(top[at])
        if len(ranked) < 20:
            return
        cut = int((ranked[1:] / ranked[:-1]).argmax()) + 1
        low, high = ranked[:cut], ranked[cut:]
        if min(len(low), len(high)) >= FEW and np.median(high) > FACTOR * np.median(low) and high[0] > APART * low[-1]:
            few = at[top[at] <= low[-1]] if len(low) <= len(high) else at[top[at] >= high[0]]
            yield self.found(f"pictures {first_of(rows(thing, at_most=shown(thing))[few].tolist())}",
                             f"{share(len(low), len(ranked))} pictures reach {low[-1]:g} at most, all others {high[0]:g} to {high[-1]:g}",
                             f"bring them to one range: x[i] * {np.median(high) / np.median(low):.0f} for these")
