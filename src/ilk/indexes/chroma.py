"""chroma: a collection of Chroma in a folder, for those who use it elsewhere, too."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from ..chat import Vectors
from ..errors import UsageError
from ..vectors import Keys, Nearest, VectorIndex, checked_keys, checked_vectors, size_in
from ._rows import filled, library, parts

_MOST = 5000   # vectors a request


@dataclass(frozen=True, kw_only=True)
class Chroma(VectorIndex):
    """Chroma's own graph (HNSW) in the folder `chroma`, without telemetry: `links` a vector, `build` and `search` candidates that are looked at."""

    links: Annotated[int, Interval(ge=4, le=256)] = 16
    build: Annotated[int, Interval(ge=8, le=4096)] = 128
    search: Annotated[int, Interval(ge=8, le=4096)] = 100

    def open(self, at: Path, size: int) -> Nearest:
        """The collection in that folder."""
        chroma = library("chromadb", "chroma")
        at.mkdir(parents=True, exist_ok=True)
        size_in(at / "vectors.json", "chroma", size)
        client = chroma.PersistentClient(str(at / "chroma"), chroma.config.Settings(anonymized_telemetry=False))
        graph = {"space": "ip", "max_neighbors": self.links, "ef_construction": self.build, "ef_search": self.search, "num_threads": 1}
        return _Collection(client, client.get_or_create_collection("ilk", configuration={"hnsw": graph}, embedding_function=None), size)


class _Collection:
    def __init__(self, client: Any, held: Any, size: int) -> None:
        self.client, self.held, self.size = client, held, size

    def __len__(self) -> int:
        return int(self.held.count())

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """Puts vectors in or replaces them; Chroma's ids are texts."""
        keys, vectors = checked_keys(keys), checked_vectors(vectors, self.size, len(keys))
        for part in parts(keys, _MOST):
            self.held.upsert(ids=[str(k) for k in keys[part].tolist()], embeddings=vectors[part])

    def remove(self, keys: Sequence[int]) -> None:
        """Takes vectors out."""
        for part in parts(keys, _MOST):
            self.held.delete(ids=[str(int(k)) for k in keys[part]])

    def search(self, queries: Vectors, k: int, among: Keys | None = None) -> tuple[Keys, NDArray[Any]]:
        """Asks the collection; Chroma's distance is 1 - product."""
        queries, many = checked_vectors(queries, self.size), min(k, len(self))
        if k < 1:
            raise UsageError(f"the nearest {k}", code="K", param="k", remedy="1 or more")
        if not many or not len(queries) or (among is not None and not len(among)):
            return filled([()] * len(queries), k)
        if among is not None:
            return self._among(queries, k, among)
        got = self.held.query(query_embeddings=queries, n_results=many, include=["distances"])
        return filled([[(int(i), 1 - d) for i, d in zip(*row, strict=True)] for row in zip(got["ids"], got["distances"], strict=True)], k)

    def _among(self, queries: Vectors, k: int, among: Keys) -> tuple[Keys, NDArray[Any]]:
        """Compares all of those keys: a walk through the graph that meets few of them would miss some."""
        found: list[list[tuple[int, float]]] = [[] for _ in queries]
        for part in parts(among, _MOST):
            got = self.held.get(ids=[str(i) for i in among[part].tolist()], include=["embeddings"])
            for row, products in zip(found, queries @ np.asarray(got["embeddings"], np.float32).reshape(-1, self.size).T, strict=True):
                row += zip(map(int, got["ids"]), products.tolist(), strict=True)
        return filled(found, k)

    def save(self) -> None:
        """Chroma writes every change."""

    def close(self) -> None:
        """Lets go of the folder."""
        self.client.close()
