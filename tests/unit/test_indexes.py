"""Indexes of vectors: one suite for all of them, and the checks can fail."""
from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest

from ilk.errors import ResourceError, UsageError
from ilk.indexes.exact import Exact
from ilk.indexes.pinecone import Pinecone
from ilk.indexes.usearch import Usearch
from ilk.indexes.weaviate import Weaviate
from ilk.testing import check_index


def test_exact(tmp_path: Path) -> None:
    check_index(Exact(), tmp_path)


def test_usearch(tmp_path: Path) -> None:
    check_index(Usearch(), tmp_path)


@pytest.mark.slow
def test_chroma(tmp_path: Path) -> None:
    pytest.importorskip("chromadb")
    from ilk.indexes.chroma import Chroma

    check_index(Chroma(), tmp_path)


@pytest.mark.slow
def test_milvus(tmp_path: Path) -> None:
    pytest.importorskip("milvus_lite")
    pytest.importorskip("pymilvus")
    from ilk.indexes.milvus import Milvus

    check_index(Milvus(), tmp_path)


class Fake(BaseHTTPRequestHandler):
    """Enough of Pinecone's and Weaviate's interfaces, by comparing all vectors."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    held: dict[str, dict[str, list[float]]]
    size = 16
    keys: list[str | None]

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        self.keys.append(self.headers.get("Api-Key") or self.headers.get("Authorization"))
        path = urlparse(self.path)
        status, found = getattr(self, "_" + re.sub(r"\W", "_", path.path.strip("/")), self._schema)(body, path)
        data = b"" if found is None else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer

    def _near(self, name: str, vector: list[float], k: int) -> list[tuple[str, float]]:
        asked = np.array(vector, np.float32)
        return sorted(((i, float(asked @ np.array(v, np.float32))) for i, v in self.held.get(name, {}).items()), key=lambda p: -p[1])[:k]

    def _describe_index_stats(self, body: Any, path: Any) -> tuple[int, Any]:
        return 200, {"dimension": self.size, "namespaces": {k: {"vectorCount": len(v)} for k, v in self.held.items()}}

    def _vectors_upsert(self, body: Any, path: Any) -> tuple[int, Any]:
        self.held.setdefault(body["namespace"], {}).update({v["id"]: v["values"] for v in body["vectors"]})
        return 200, {"upsertedCount": len(body["vectors"])}

    def _vectors_delete(self, body: Any, path: Any) -> tuple[int, Any]:
        if body["namespace"] not in self.held:
            return 404, {"message": "Namespace not found"}
        for i in body["ids"]:
            self.held[body["namespace"]].pop(i, None)
        return 200, {}

    def _vectors_fetch(self, body: Any, path: Any) -> tuple[int, Any]:
        asked = parse_qs(path.query)
        held = self.held.get(asked["namespace"][0], {})
        return 200, {"vectors": {i: {"id": i, "values": held[i]} for i in asked["ids"] if i in held}}

    def _query(self, body: Any, path: Any) -> tuple[int, Any]:
        return 200, {"matches": [{"id": i, "score": s} for i, s in self._near(body["namespace"], body["vector"], body["topK"])]}

    def _schema(self, body: Any, path: Any) -> tuple[int, Any]:
        if self.command == "POST":
            self.held[body["class"]] = {}
            return 200, body
        name = path.path.rsplit("/", 1)[1]
        return (200, {"class": name}) if name in self.held else (404, None)

    def _v1_batch_objects(self, body: Any, path: Any) -> tuple[int, Any]:
        if self.command == "DELETE":
            for i in body["match"]["where"]["valueTextArray"]:
                self.held[body["match"]["class"]].pop(i, None)
            return 200, {}
        for row in body["objects"]:
            self.held[row["class"]][row["id"]] = row["vector"]
        return 200, [{"result": {"status": "SUCCESS"}} for _ in body["objects"]]

    def _v1_graphql(self, body: Any, path: Any) -> tuple[int, Any]:
        text = body["query"]
        name = re.search(r"(Ilk_\w+)", text)[1]
        if "Aggregate" in text:
            return 200, {"data": {"Aggregate": {name: [{"meta": {"count": len(self.held[name])}}]}}}
        if near := re.search(r"vector: (\[.*?\])}, limit: (\d+)", text):
            rows = [{"_additional": {"id": i, "distance": -s}} for i, s in self._near(name, json.loads(near[1]), int(near[2]))]
        else:
            ids = json.loads(re.search(r"valueText: (\[.*?\])}", text)[1])
            rows = [{"_additional": {"id": i, "vector": self.held[name][i]}} for i in ids if i in self.held[name]]
        return 200, {"data": {"Get": {name: rows}}}


@contextmanager
def served(**changed: Any) -> Iterator[tuple[str, Any]]:
    kind = type("Served", (Fake,), {"held": {}, "keys": [], **changed})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", kind
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_pinecone_at_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", "secret")
    with served() as (url, fake):
        check_index(Pinecone(url=url), tmp_path)
        assert set(fake.keys) == {"secret"}


def test_weaviate_at_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVIATE_API_KEY", "secret")
    with served() as (url, fake):
        check_index(Weaviate(url=url), tmp_path)
        assert set(fake.keys) == {"Bearer secret"}


def test_a_server_that_is_down_or_answers_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResourceError, match="does not answer"):
        Weaviate(url="http://127.0.0.1:9").open(tmp_path / "a", 16)
    with served(_schema=lambda self, body, path: (500, {"error": "no"})) as (url, _), pytest.raises(ResourceError, match="answers 500"):
        Weaviate(url=url).open(tmp_path / "b", 16)
    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    with pytest.raises(UsageError, match="PINECONE_API_KEY"):
        Pinecone(url="http://127.0.0.1:9").open(tmp_path / "c", 16)
    monkeypatch.setenv("PINECONE_API_KEY", "secret")
    with served(size=8) as (url, _), pytest.raises(UsageError, match="8 numbers"):
        Pinecone(url=url).open(tmp_path / "d", 16)


@pytest.mark.parametrize("kind", ["chroma", "milvus", "usearch"])
def test_a_missing_library_is_named(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ilk import registry

    monkeypatch.delitem(__import__("sys").modules, "usearch", raising=False)
    for name in ("chromadb", "pymilvus", "usearch", "usearch.index"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(UsageError, match=r"pip install \"ilk\["):
        registry.get("indexes", kind)().open(tmp_path, 4)


class Wrong:
    """An exact index with one thing wrong."""

    def __init__(self, what: str) -> None:
        self.what = what

    def open(self, at: Path, size: int) -> Any:
        index = Exact().open(at, size)
        whole = type(index)
        changed = {"forgets": {"remove": lambda self, keys: None}, "ignores": {"search": lambda self, q, k, among=None: whole.search(self, q, k)},
                   "approximate": {"search": lambda self, q, k, among=None: whole.search(self, -q, k, among)},
                   "lazy": {"add": lambda self, keys, rows: whole.add(self, keys[1:], rows[1:]) if len(keys) else None}}[self.what]
        index.__class__ = type("Wrong", (whole,), changed)
        return index


@pytest.mark.parametrize("what", ["forgets", "ignores", "approximate", "lazy"])
def test_the_suite_can_fail(what: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        check_index(Wrong(what), tmp_path)  # type: ignore[arg-type]


def test_a_damaged_graph_is_told(tmp_path: Path) -> None:
    from ilk.errors import DataError

    index = Usearch().open(tmp_path, 4)
    index.add(np.arange(3), np.eye(4, dtype=np.float32)[:3])
    index.save()
    (tmp_path / "vectors.usearch").write_bytes(b"rubbish")
    with pytest.raises(DataError, match="can't be read"):
        Usearch().open(tmp_path, 4)
    (tmp_path / "vectors.json").write_text("{}")
    with pytest.raises(DataError, match="can't be read"):
        Exact().open(tmp_path, 4)


def test_a_save_that_is_cut_short_leaves_the_old_graph(tmp_path: Path) -> None:
    index = Usearch().open(tmp_path, 4)
    index.add(np.arange(3), np.eye(4, dtype=np.float32)[:3])
    index.save()
    (tmp_path / ".vectors.usearch.part").write_bytes(b"half")
    assert len(Usearch().open(tmp_path, 4)) == 3
