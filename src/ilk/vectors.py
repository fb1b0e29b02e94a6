"""The contract of an index of vectors: what is added is found again by nearness; what is removed never is."""
from __future__ import annotations

import json
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .chat import Vectors
from .errors import DataError, UsageError
from .files import atomic

Keys = NDArray[np.int64]
FILE = "library.sqlite"   # the one file of a library; an index may keep its vectors in there


@runtime_checkable
class Nearest(Protocol):
    """Vectors of length 1 by their keys.

    `search` gives keys (m, k) and inner products (m, k), best first; fewer than k are filled up with key -1 and -inf. `among` keeps to some keys.
    `add` with a key that is there replaces its vector; `remove` of one that is not there does nothing. `save` makes all of it outlast the process.
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


def checked_keys(keys: Keys) -> Keys:
    """Keys as whole numbers of 64 bits, none negative and none twice; else DataError."""
    found = np.asarray(keys, np.int64).reshape(-1)
    if (found < 0).any() or len(np.unique(found)) != len(found):
        raise DataError("keys of vectors are whole numbers from 0 to 2^63 - 1, each once", code="KEYS")
    return found


def checked_vectors(vectors: Vectors, size: int, many: int | None = None) -> Vectors:
    """Vectors (n, size) of finite numbers as float32; else DataError. `many` of them, if that is said."""
    found = np.ascontiguousarray(vectors, np.float32)
    if found.ndim != 2 or found.shape[1] != size or many not in (None, len(found)):
        wanted = f"({'n' if many is None else many}, {size})"
        raise DataError(f"vectors of shape {found.shape}, wanted {wanted}", code="VECTORS", remedy="vectors of the embedder that the index was built with")
    if not np.isfinite(found).all():
        raise DataError("a vector has NaN or infinite numbers", code="NOT_FINITE")
    return found


def best(keys: Keys, products: NDArray[Any], k: int) -> tuple[Keys, NDArray[Any]]:
    """The k largest products (m, n) of each row and their keys, equal ones by key; filled up with -1 and -inf where there are fewer."""
    if k < 1:
        raise UsageError(f"the nearest {k}", code="K", param="k", remedy="1 or more")
    got, values = np.full((len(products), k), -1, np.int64), np.full((len(products), k), -np.inf, np.float32)
    for i, row in enumerate(products):
        few = np.arange(len(row)) if len(row) <= k else np.nonzero(row >= np.partition(row, len(row) - k)[len(row) - k])[0]
        few = few[np.lexsort((keys[few], -row[few]))][:k]
        got[i, :len(few)], values[i, :len(few)] = keys[few], row[few]
    return got, values


def noted(at: Path, kind: str, size: int) -> str:
    """Notes in the folder what an index holds when it is made, and gives it a name of its own; UsageError if it was made for another kind or size."""
    note = at / "vectors.json"
    if not note.exists():
        with atomic(note) as file:
            file.write(json.dumps({"kind": kind, "size": size, "name": f"ilk_{secrets.token_hex(8)}"}).encode())
    try:
        found = json.loads(note.read_bytes())
        was, name = (str(found["kind"]), int(found["size"])), str(found["name"])
    except (ValueError, KeyError, TypeError) as why:
        raise DataError(f"{note} can't be read: {why}", code="INDEX_DAMAGED") from None
    if was != (kind, size):
        raise UsageError(f"the index in {at} is {was[0]} with {was[1]} numbers a vector, not {kind} with {size}", code="INDEX_SIZE",
                         remedy="open it as it was made, or make another")
    return name
