"""chroma: a collection of Chroma in a folder, for those who use it elsewhere, too."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from ..chat import Vectors
from ..vectors import Nearest, VectorIndex, noted
from ._client import Client, Pairs, library, matrix


@dataclass(frozen=True, kw_only=True)
class Chroma(VectorIndex):
    """Chroma's own graph (HNSW) in the folder `chroma`, without telemetry: `links` a vector, `build` and `search` candidates that are looked at."""

    links: Annotated[int, Interval(ge=4, le=256)] = 16
    build: Annotated[int, Interval(ge=8, le=4096)] = 128
    search: Annotated[int, Interval(ge=8, le=4096)] = 100

    def open(self, at: Path, size: int) -> Nearest:
        """The collection in that folder."""
        chroma = library("chromadb", "chroma")
        noted(at, "chroma", size)
        client = chroma.PersistentClient(str(at / "chroma"), chroma.config.Settings(anonymized_telemetry=False))
        graph = {"space": "ip", "max_neighbors": self.links, "ef_construction": self.build, "ef_search": self.search, "num_threads": 1}
        return _Collection(client, client.get_or_create_collection("ilk", configuration={"hnsw": graph}, embedding_function=None), size)


class _Collection(Client):
    """Chroma's ids are texts, and its distance is 1 - product."""

    def __init__(self, client: Any, held: Any, size: int) -> None:
        self.client, self.held, self.size = client, held, size

    def __len__(self) -> int:
        return int(self.held.count())

    def put(self, keys: list[int], vectors: Vectors) -> None:
        self.held.upsert(ids=list(map(str, keys)), embeddings=vectors)

    def drop(self, keys: list[int]) -> None:
        self.held.delete(ids=list(map(str, keys)))

    def get(self, keys: list[int]) -> tuple[list[int], Vectors]:
        got = self.held.get(ids=list(map(str, keys)), include=["embeddings"])
        return list(map(int, got["ids"])), matrix(got["embeddings"], self.size)

    def ask(self, queries: Vectors, k: int) -> Sequence[Pairs]:
        got = self.held.query(query_embeddings=queries, n_results=k, include=["distances"])
        return [[(int(i), 1 - d) for i, d in zip(*row, strict=True)] for row in zip(got["ids"], got["distances"], strict=True)]

    def close(self) -> None:
        self.client.close()
