"""exact: every vector is compared; kept as rows of one SQLite file."""
from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..chat import Vectors
from ..vectors import FILE, Keys, Nearest, VectorIndex, best, checked_keys, checked_vectors, noted

_BLOCK = 1 << 26   # products held at a time


@dataclass(frozen=True, kw_only=True)
class Exact(VectorIndex):
    """One product of matrices per search, so nothing is missed: a question goes over all numbers, 150 MB of them for 100,000 vectors of 384.

    >>> import tempfile
    >>> index = Exact().open(Path(tempfile.mkdtemp()), 2)
    >>> index.add(np.array([7, 8]), np.eye(2, dtype=np.float32))
    >>> index.search(np.array([[0, 1]], dtype=np.float32), 1)[0].tolist()
    [[8]]
    """

    def open(self, at: Path, size: int) -> Nearest:
        """A table of vectors in the folder's SQLite file, beside whatever else is in there."""
        noted(at, "exact", size)
        return _Rows(at / FILE, size)


class _Rows:
    def __init__(self, file: Path, size: int) -> None:
        self.size = size
        self.db = sqlite3.connect(file, timeout=60, isolation_level=None, check_same_thread=False)
        self.db.execute("CREATE TABLE IF NOT EXISTS vectors (key INTEGER PRIMARY KEY, vector BLOB NOT NULL)")
        self.held: tuple[Keys, Vectors] | None = None

    def __len__(self) -> int:
        return int(self.db.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """Rows of a table; a key that is there gets the new vector."""
        keys, vectors = checked_keys(keys), checked_vectors(vectors, self.size, len(keys))
        self.db.execute("BEGIN IMMEDIATE")
        self.db.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", zip(keys.tolist(), map(np.ndarray.tobytes, vectors), strict=True))
        self.db.execute("COMMIT")
        self.held = None

    def remove(self, keys: Sequence[int]) -> None:
        """Takes rows away; keys that are not there are no matter."""
        self.db.execute("DELETE FROM vectors WHERE key IN (SELECT value FROM json_each(?))", (json.dumps([int(k) for k in keys]),))
        self.held = None

    def search(self, queries: Vectors, k: int, among: Keys | None = None) -> tuple[Keys, NDArray[Any]]:
        """All products, then the best k; equal ones by their keys."""
        queries = checked_vectors(queries, self.size)
        keys, vectors = self._all() if self.held is None else self.held
        if among is not None:
            kept = np.isin(keys, among)
            keys, vectors = keys[kept], vectors[kept]
        step = max(1, _BLOCK // max(1, len(keys)))
        parts = [best(keys, queries[i:i + step] @ vectors.T, k) for i in range(0, len(queries), step)] or [best(keys, np.empty((0, len(keys)), np.float32), k)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _all(self) -> tuple[Keys, Vectors]:
        rows = self.db.execute("SELECT key, vector FROM vectors ORDER BY key").fetchall()
        self.held = (np.array([r[0] for r in rows], np.int64), np.frombuffer(b"".join(r[1] for r in rows), np.float32).reshape(-1, self.size))
        return self.held

    def save(self) -> None:
        """Every change is on the disk already."""

    def close(self) -> None:
        """Lets go of the file."""
        self.db.close()
