"""usearch: a graph of near neighbours (HNSW) in one file: fast among millions, and now and then misses one."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from ..chat import Vectors
from ..errors import DataError, UsageError
from ..files import not_written
from ..vectors import Keys, Nearest, VectorIndex, best, checked_keys, checked_vectors, noted

FILE = "vectors.usearch"


@dataclass(frozen=True, kw_only=True)
class Usearch(VectorIndex):
    """Malkov and Yashunin's hierarchical navigable small worlds (arXiv:1603.09320): `links` a vector, `build` and `search` candidates that are looked at.

    With one thread the same vectors give the same graph. Searches among some keys compare all of those.
    """

    links: Annotated[int, Interval(ge=4, le=256)] = 16
    build: Annotated[int, Interval(ge=8, le=4096)] = 128
    search: Annotated[int, Interval(ge=8, le=4096)] = 64
    threads: Annotated[int, Interval(ge=1, le=256)] = 1

    def open(self, at: Path, size: int) -> Nearest:
        """The file of a graph in that folder."""
        try:
            from usearch.index import Index
        except ImportError:
            raise UsageError("usearch is not installed", code="EXTRA", param="kind", remedy='pip install "ilk[rag]", or the kind exact') from None
        noted(at, "usearch", size)
        graph = Index(ndim=size, metric="ip", dtype="f32", connectivity=self.links, expansion_add=self.build, expansion_search=self.search)
        try:
            if (at / FILE).exists():
                graph.load(str(at / FILE))
        except (RuntimeError, ValueError) as why:
            raise DataError(f"{at / FILE} can't be read: {why}", code="INDEX_DAMAGED", remedy="index the files anew into another folder") from None
        return _Graph(graph, at / FILE, size, self)


class _Graph:
    def __init__(self, graph: Any, file: Path, size: int, options: Usearch) -> None:
        self.graph, self.file, self.size, self.options = graph, file, size, options

    def __len__(self) -> int:
        return len(self.graph)

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """New points of the graph; a key that is there is taken out before."""
        keys, vectors = checked_keys(keys), checked_vectors(vectors, self.size, len(keys))
        if not len(keys):
            return
        self.remove(keys[np.atleast_1d(self.graph.contains(keys.astype(np.uint64)))].tolist())
        self.graph.add(keys.astype(np.uint64), vectors, threads=self.options.threads)

    def remove(self, keys: Sequence[int]) -> None:
        """Marks points as gone."""
        if len(keys) and len(self.graph):
            self.graph.remove(np.array(keys, np.uint64), threads=self.options.threads)

    def search(self, queries: Vectors, k: int, among: Keys | None = None) -> tuple[Keys, NDArray[Any]]:
        """A walk through the graph; among some keys all of those are compared."""
        queries = checked_vectors(queries, self.size)
        if among is not None:
            some = np.unique(among)
            some = some[np.atleast_1d(self.graph.contains(some.astype(np.uint64)))] if len(some) and len(self) else some[:0]
            rows = self.graph.get(some.astype(np.uint64)) if len(some) else np.empty((0, self.size), np.float32)
            return best(some, queries @ np.asarray(rows, np.float32).reshape(-1, self.size).T, k)
        keys, products = best(np.empty(0, np.int64), np.empty((len(queries), 0), np.float32), k)
        if len(queries) and len(self):
            found = self.graph.search(queries, min(k, len(self)), threads=self.options.threads)
            got = np.asarray(found.keys).reshape(len(queries), -1).astype(np.int64), np.asarray(found.distances).reshape(len(queries), -1)
            there = np.arange(got[0].shape[1])[None] < np.atleast_1d(found.counts if len(queries) > 1 else [len(found)])[:, None]
            few, near = np.where(there, got[0], -1), np.where(there, 1 - got[1], -np.inf)
            order = np.lexsort((few, -near), axis=1)
            keys[:, :few.shape[1]], products[:, :few.shape[1]] = np.take_along_axis(few, order, 1), np.take_along_axis(near, order, 1)
        return keys, products

    def save(self) -> None:
        """Writes the whole graph beside the old one, then puts it in its place."""
        part = self.file.with_name(f".{self.file.name}.part")
        try:
            self.graph.save(str(part))
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, self.file)
        except (OSError, RuntimeError) as why:
            raise not_written(self.file, why if isinstance(why, OSError) else OSError(str(why))) from None

    def close(self) -> None:
        """Lets go of the memory; what was not saved is lost."""
        self.graph.reset()
