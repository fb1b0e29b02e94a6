"""The contract of an index of vectors: what is added is found again by nearness; what is removed never is."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .chat import Vectors

Keys = NDArray[np.int64]


@runtime_checkable
class Nearest(Protocol):
    """Vectors of length 1 by their keys.

    `search` gives keys (m, k) and inner products (m, k), best first; fewer than k are filled up with key -1 and -inf. `among` keeps to some keys.
    """

    def __len__(self) -> int: ...
    def add(self, keys: Keys, vectors: Vectors) -> None: ...
    def remove(self, keys: Sequence[int]) -> None: ...
    def search(self, queries: Vectors, k: int, among: Keys | None = None) -> tuple[Keys, NDArray[Any]]: ...
    def save(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class VectorIndex(ABC):
    """A kind of index: a frozen dataclass of its options. One file of `indexes/` each; all pass one conformance suite."""

    @abstractmethod
    def open(self, at: Path, size: int) -> Nearest:
        """The index in a folder, made if there is none; `size` numbers a vector. UsageError for a library that is missing, or another size."""
