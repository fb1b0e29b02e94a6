"""milvus: a collection of Milvus, in a file (Milvus Lite) or on a server."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..chat import Vectors
from ..errors import ResourceError, UsageError
from ..vectors import Nearest, VectorIndex, noted
from ._client import Client, Pairs, library, matrix


@dataclass(frozen=True, kw_only=True)
class Milvus(VectorIndex):
    """In the file `milvus.db`, which one process at a time can open; or on the server at `url`, in a collection whose name the folder keeps. All vectors are compared."""

    url: str = ""

    def open(self, at: Path, size: int) -> Nearest:
        """The collection of that folder."""
        pymilvus = library("pymilvus", "milvus")
        if not self.url:
            library("milvus_lite", "milvus")
        name = noted(at, "milvus", size)
        try:
            client = pymilvus.MilvusClient(self.url or str(at / "milvus.db"))
            if not client.has_collection(name):
                _make(pymilvus, client, name, size)
        except pymilvus.MilvusException as why:
            raise ResourceError(f"Milvus at {self.url or at} does not open: {why.message}", code="ENDPOINT", remedy="is another process using it?") from None
        return _Collection(client, name, size)


def _make(pymilvus: Any, client: Any, name: str, size: int) -> None:
    schema, index = client.create_schema(auto_id=False, enable_dynamic_field=False), client.prepare_index_params()
    schema.add_field("key", pymilvus.DataType.INT64, is_primary=True)
    schema.add_field("vector", pymilvus.DataType.FLOAT_VECTOR, dim=size)
    index.add_index("vector", index_type="FLAT", metric_type="IP")
    client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong")


class _Collection(Client):
    most = 1000

    def __init__(self, client: Any, name: str, size: int) -> None:
        self.client, self.name, self.size = client, name, size

    def __len__(self) -> int:
        return int(self.client.query(self.name, output_fields=["count(*)"])[0]["count(*)"])

    def put(self, keys: list[int], vectors: Vectors) -> None:
        self.client.upsert(self.name, [{"key": k, "vector": v} for k, v in zip(keys, vectors, strict=True)])

    def drop(self, keys: list[int]) -> None:
        self.client.delete(self.name, ids=keys)

    def get(self, keys: list[int]) -> tuple[list[int], Vectors]:
        got = self.client.get(self.name, ids=keys, output_fields=["key", "vector"])
        return [int(row["key"]) for row in got], matrix([row["vector"] for row in got], self.size)

    def ask(self, queries: Vectors, k: int) -> Sequence[Pairs]:
        if k > 16_384:
            raise UsageError(f"Milvus gives 16384 vectors at most, not {k}", code="K", param="k")
        got = self.client.search(self.name, data=queries, limit=k, search_params={"metric_type": "IP"}, output_fields=["key"])
        return [[(int(hit["key"]), float(hit["distance"])) for hit in row] for row in got]

    def save(self) -> None:
        self.client.flush(self.name)

    def close(self) -> None:
        self.client.close()
