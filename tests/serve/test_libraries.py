"""Libraries over HTTP: theirs alone, opened at citations, asked with and without a model."""
from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from ilk.rag.store import Library
from ilk.reader import Document
from ilk.serve.app import build
from ilk.serve.caller import Caller
from ilk.serve.here import Here
from ilk.serve.libraries import Libraries
from ilk.serve.place import Workspace
from ilk.serve.server import Server

BRIDGE = "# The bridge\n\nThe old bridge is of steel. It was painted in 1985 by two men."


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace.at(tmp_path / "w")


@pytest.fixture
def client(place: Workspace) -> TestClient:
    return TestClient(build(Server(Here({"says": "echo:The old bridge is of steel. The moon is of cheese."}), place)), raise_server_exceptions=False)


def filled(place: Workspace, client: TestClient) -> None:
    assert client.post("/v1/libraries", json={"name": "notes"}).json()["documents"] == 0
    with Library.open(Libraries(place).path("notes", Caller("local"))) as library:
        library.add([Document("bridge.md", BRIDGE), Document("sea.txt", "The sea is wide.")])


def test_made_listed_read_and_deleted(place: Workspace, client: TestClient) -> None:
    filled(place, client)
    assert [(x["name"], x["documents"], x["embedder"]) for x in client.get("/v1/libraries").json()["data"]] == [("notes", 2, None)]
    names = client.get("/v1/libraries/notes/documents?limit=1").json()
    assert [d["name"] for d in names["data"]] == ["bridge.md"] and names["has_more"]
    assert [d["name"] for d in client.get("/v1/libraries/notes/documents?after=bridge.md").json()["data"]] == ["sea.txt"]
    assert client.post("/v1/libraries", json={"name": "notes"}).json()["error"]["code"] == "NAME_TAKEN"
    assert client.delete("/v1/libraries/notes").json()["deleted"] and client.get("/v1/libraries").json()["data"] == []
    assert client.get("/v1/libraries/notes/documents").status_code == 404


def test_a_citation_opens_where_it_says(place: Workspace, client: TestClient) -> None:
    filled(place, client)
    found = client.post("/v1/ask", json={"library": "notes", "question": "Is the old bridge of steel?"}).json()
    assert found["answer"] == "The old bridge is of steel. [1]" and found["abstained"] is None and found["line"]["cli"] == "ilk ask notes -- 'Is the old bridge of steel?'"
    cited = found["sentences"][0]["citations"][0]
    there = client.get("/v1/libraries/notes/spans", params={k: cited[k] for k in ("document", "start", "end")}).json()
    assert there["text"] == cited["quoted"] == BRIDGE[cited["start"]:cited["end"]] and there["before"] + there["text"] + there["after"] == BRIDGE
    none = client.post("/v1/ask", json={"library": "notes", "question": "Who invented chess?"}).json()
    assert none["answer"] == "" and none["abstained"]


def test_what_a_model_says_stands_on_spans(place: Workspace, client: TestClient) -> None:
    filled(place, client)
    found = client.post("/v1/ask", json={"library": "notes", "question": "Is the old bridge of steel?", "model": "says"}).json()
    assert found["answer"] == "The old bridge is of steel. [1]" and found["dropped"] == ["The moon is of cheese."]
    assert client.post("/v1/ask", json={"library": "notes", "question": "?", "model": "none"}).json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b", "a\0b", "", "x" * 65, "notes ", "..%2f..%2fetc"])
def test_names_lead_nowhere(client: TestClient, place: Workspace, name: str) -> None:
    assert client.post("/v1/libraries", json={"name": name}).status_code == 400
    assert client.post("/v1/ask", json={"library": name, "question": "?"}).status_code == 404
    assert list(place.part("libraries").iterdir()) == []


def test_spans_that_are_none(place: Workspace, client: TestClient) -> None:
    filled(place, client)
    for start, end, status in ((5, 4, 400), (0, 10**6, 400), (-1, 4, 400)):
        assert client.get("/v1/libraries/notes/spans", params={"document": "sea.txt", "start": start, "end": end}).status_code == status
    assert client.get("/v1/libraries/notes/spans", params={"document": "../sea.txt", "start": 0, "end": 1}).json()["error"]["code"] == "document_not_found"


def test_libraries_of_another_are_not_there(place: Workspace) -> None:
    libraries, me, them = Libraries(place), Caller("me", frozenset({"files"})), Caller("them", frozenset({"files"}))
    libraries.claim("notes", them).mkdir()
    place.inside("libraries", "nobodys").mkdir()
    assert list(libraries.names(me)) == [] and list(libraries.names(them)) == ["notes"] and list(libraries.names(Caller("boss"))) == ["nobodys", "notes"]
    for ask in (libraries.path, libraries.remove):
        with pytest.raises(Exception, match="no library") as why:
            ask("notes", me)
        assert why.value.http == 404  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="already") as why:
        libraries.claim("notes", me)
    assert why.value.http == 409  # type: ignore[attr-defined]
    assert libraries.claim("notes", them) == libraries.path("notes", them)
