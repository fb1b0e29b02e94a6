"""What took long to make and the next metric asks for again: the last few of a sort, and no more."""
from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar

import numpy as np

from ._tables import Cells

T = TypeVar("T")


class Kept(Generic[T]):
    """The last `most` things made, by key. Threads that ask for the same thing wait for the one that makes it."""

    def __init__(self, most: int) -> None:
        self.most, self.known, self.lock = most, dict[str, T](), RLock()

    def get(self, key: str, make: Callable[[], T]) -> T:
        """The thing of that key, made now if it is not here."""
        with self.lock:
            self.known[key] = self.known.pop(key) if key in self.known else make()
            for oldest in list(self.known)[: -self.most]:
                del self.known[oldest]
            return self.known[key]


def digest(*arrays: Cells | None) -> str:
    """The same for the same numbers, types and shapes."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(repr(None if array is None else (array.shape, array.dtype.str)).encode())
        if array is not None:
            found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
