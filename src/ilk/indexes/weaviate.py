"""weaviate: a collection on a server of Weaviate."""
from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Interval

from ..chat import Vectors
from ..errors import ResourceError
from ..vectors import Nearest, VectorIndex, noted
from ._client import Client, Pairs, Service, matrix


@dataclass(frozen=True, kw_only=True)
class Weaviate(VectorIndex):
    """The server at `url`, by its REST and GraphQL; the key, if it wants one, in WEAVIATE_API_KEY. The name of the collection is kept in the folder."""

    url: str = "http://localhost:8080"
    seconds: Annotated[float, Interval(gt=0, le=3600)] = 60.0

    def open(self, at: Path, size: int) -> Nearest:
        """The collection of that folder, made on the server if it is not there."""
        key = os.environ.get("WEAVIATE_API_KEY")
        name = noted(at, "weaviate", size).capitalize()
        service = Service(self.url, {"Authorization": f"Bearer {key}"} if key else {}, self.seconds)
        with service.kept():
            if service.ask("GET", f"/v1/schema/{name}", fine=(404,)) is None:
                service.ask("POST", "/v1/schema", {"class": name, "vectorizer": "none", "vectorIndexType": "hnsw", "vectorIndexConfig": {"distance": "dot"}})
        return _Collection(service, name, size)


class _Collection(Client):
    """Keys are the numbers of UUIDs; Weaviate's distance is -product."""

    most = 200

    def __init__(self, service: Service, name: str, size: int) -> None:
        self.service, self.name, self.size = service, name, size

    def __len__(self) -> int:
        found = self._query(f"{{ Aggregate {{ {self.name} {{ meta {{ count }} }} }} }}", "Aggregate")
        return int(found[0]["meta"]["count"]) if found else 0

    def put(self, keys: list[int], vectors: Vectors) -> None:
        rows = [{"class": self.name, "id": str(UUID(int=k)), "vector": v.tolist()} for k, v in zip(keys, vectors, strict=True)]
        for row in self.service.ask("POST", "/v1/batch/objects", {"objects": rows}):
            if errors := (row.get("result") or {}).get("errors"):
                raise ResourceError(f"{self.service.url} took not all vectors: {str(errors)[:200]}", code="ENDPOINT")

    def drop(self, keys: list[int]) -> None:
        where = {"path": ["id"], "operator": "ContainsAny", "valueTextArray": [str(UUID(int=k)) for k in keys]}
        self.service.ask("DELETE", "/v1/batch/objects", {"match": {"class": self.name, "where": where}})

    def get(self, keys: list[int]) -> tuple[list[int], Vectors]:
        ids = json.dumps([str(UUID(int=k)) for k in keys])
        where = f'where: {{path: ["id"], operator: ContainsAny, valueText: {ids}}}'
        got = self._query(f"{{ Get {{ {self.name}({where}, limit: {len(keys)}) {{ _additional {{ id vector }} }} }} }}", "Get")
        return [UUID(row["_additional"]["id"]).int for row in got], matrix([row["_additional"]["vector"] for row in got], self.size)

    def ask(self, queries: Vectors, k: int) -> Sequence[Pairs]:
        found = []
        for query in queries.tolist():
            got = self._query(f"{{ Get {{ {self.name}(nearVector: {{vector: {json.dumps(query)}}}, limit: {k}) {{ _additional {{ id distance }} }} }} }}", "Get")
            found.append([(UUID(row["_additional"]["id"]).int, -float(row["_additional"]["distance"])) for row in got])
        return found

    def _query(self, text: str, part: str) -> list[Any]:
        answer = self.service.ask("POST", "/v1/graphql", {"query": text})
        if answer.get("errors"):
            raise ResourceError(f"{self.service.url} answers with an error: {str(answer['errors'])[:200]}", code="ENDPOINT")
        return list(answer["data"][part][self.name] or [])

    def close(self) -> None:
        self.service.http.close()
