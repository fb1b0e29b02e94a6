"""pinecone: a namespace of an index of Pinecone, in their cloud: passages' vectors leave the machine, their texts do not."""
from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

from annotated_types import Interval

from ..chat import Vectors
from ..errors import UsageError
from ..vectors import Nearest, VectorIndex, noted
from ._client import Client, Pairs, Service, matrix


@dataclass(frozen=True, kw_only=True)
class Pinecone(VectorIndex):
    """The index at `url` (its host, as their console shows it), made there with the metric dotproduct; the key in PINECONE_API_KEY.

    What was just added may be found a few seconds later only.
    """

    url: str = ""
    seconds: Annotated[float, Interval(gt=0, le=3600)] = 60.0

    def open(self, at: Path, size: int) -> Nearest:
        """The namespace of that folder; UsageError without a key, or for an index of another size."""
        key = os.environ.get("PINECONE_API_KEY")
        if not self.url or not key:
            raise UsageError("Pinecone wants the address of an index and a key", code="KEY", param="kind", remedy="the option url, and the key in PINECONE_API_KEY")
        service = Service(self.url, {"Api-Key": key, "X-Pinecone-API-Version": "2025-01"}, self.seconds)
        with service.kept():
            if (there := int(service.ask("POST", "/describe_index_stats", {})["dimension"])) != size:
                raise UsageError(f"the index at {self.url} has {there} numbers a vector, not {size}", code="INDEX_SIZE", remedy="make one of that size")
            return _Namespace(service, noted(at, "pinecone", size), size)


class _Namespace(Client):
    most = 100

    def __init__(self, service: Service, name: str, size: int) -> None:
        self.service, self.name, self.size = service, name, size

    def __len__(self) -> int:
        return int(self._ask("/describe_index_stats", {})["namespaces"].get(self.name, {}).get("vectorCount", 0))

    def _ask(self, path: str, body: dict[str, object], fine: Sequence[int] = ()) -> Any:
        return self.service.ask("POST", path, body, fine)

    def put(self, keys: list[int], vectors: Vectors) -> None:
        self._ask("/vectors/upsert", {"namespace": self.name, "vectors": [{"id": str(k), "values": v.tolist()} for k, v in zip(keys, vectors, strict=True)]})

    def drop(self, keys: list[int]) -> None:
        self._ask("/vectors/delete", {"namespace": self.name, "ids": list(map(str, keys))}, fine=(404,))

    def get(self, keys: list[int]) -> tuple[list[int], Vectors]:
        got = self.service.ask("GET", "/vectors/fetch?" + urlencode([("namespace", self.name), *(("ids", str(k)) for k in keys)]))["vectors"]
        return list(map(int, got)), matrix([row["values"] for row in got.values()], self.size)

    def ask(self, queries: Vectors, k: int) -> Sequence[Pairs]:
        if k > 10_000:
            raise UsageError(f"Pinecone gives 10000 vectors at most, not {k}", code="K", param="k")
        got = (self._ask("/query", {"namespace": self.name, "vector": query, "topK": k}) for query in queries.tolist())
        return [[(int(hit["id"]), float(hit["score"])) for hit in answer["matches"]] for answer in got]

    def close(self) -> None:
        self.service.http.close()
