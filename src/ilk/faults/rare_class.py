"""A class of so few items that neither a model nor a figure can say anything of it."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._data import rows, target

FEW, SHARE = 10, 0.2  # items, and as a share of what a class has on average


class RareClass(Fault):
    """Fewer than ten items of a class, and a fifth of an even share."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """The classes."""
        index = rows(thing)
        told = target(thing, index)
        if told is None or len(index) < len(thing):
            return
        counts = np.bincount(told.codes, minlength=len(told.names))
        rare = {str(name): int(n) for name, n in zip(told.names, counts, strict=True) if 0 < n < min(FEW, SHARE * counts.mean())}
        if rare:
            said = ", ".join(f"{name!r} {n}" for name, n in rare.items())
            yield self.found(f"classes of {told.name!r}", f"of {len(index)} items some classes have next to none: {said}",
                             "collect more, join it to another class, or see whether made ones help: ilk augment DATA --by COLUMN")
