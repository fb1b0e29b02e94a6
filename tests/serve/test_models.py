"""Models over HTTP: what each is and can, its form of givens, its folder to keep; and those of the workspace."""
from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

import ilk
from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server

TABLE = pl.DataFrame({"age": [20 + i % 40 for i in range(200)], "city": [("Lyon", "Paris")[i % 40 > 20] for i in range(200)], "fine": [i % 3 > 0 for i in range(200)]})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Workspace]:
    at, place = tmp_path_factory.mktemp("models"), Workspace.at(tmp_path_factory.mktemp("w"))
    TABLE.write_csv(at / "secret place.csv")
    ilk.fit(str(at / "secret place.csv"), ilk.ChowLiu()).save(at / "people.ilk")
    ilk.fit(["the cat sat", "the dog sat"] * 9, ilk.NGram(order=3)).save(place.inside("models", "words.ilk"))
    return at, place


@pytest.fixture
def client(folders: tuple[Path, Workspace]) -> Iterator[TestClient]:
    at, place = folders
    places = {"people": str(at / "people.ilk"), "words": str(place.part("models") / "words.ilk"), "echo": "echo:"}
    with TestClient(build(Server(Here(places), place)), raise_server_exceptions=False) as found:
        yield found


def test_a_list_tells_what_is_known_without_loading(client: TestClient) -> None:
    listed = {m["id"]: m["ilk"] for m in client.get("/v1/models").json()["data"]}
    assert (listed["people"]["state"], listed["people"]["kind"], listed["people"]["family"], listed["words"]["kind"]) == ("cold", "table", "chow_liu", "text")


def test_a_table_says_what_it_can_be_given(client: TestClient) -> None:
    told = client.get("/v1/models/people").json()["ilk"]
    givens = {g["part"]: g for g in told["givens"]}
    assert (told["kind"], told["family"], told["score"], told["signed"]) == ("table", "chow_liu", "exact", False)
    assert set(told["can"]) >= {"sample", "score", "edit", "impute", "evaluate"} and not set(told["can"]) & {"steps", "vary", "chat"}
    assert givens["city"] == {"part": "city", "type": "category", "values": ["Lyon", "Paris"], "low": None, "high": None, "step": None} and givens["fine"]["values"] == [False, True]
    assert 20 <= givens["age"]["low"] <= 25 and 54 <= givens["age"]["high"] <= 59 and givens["age"]["step"] == 1
    assert told["card"].startswith("# chow_liu of table") and "secret place.csv" in told["card"] and "/secret" not in told["card"] and told["ways"] == []


def test_every_field_of_a_form_can_be_given(client: TestClient) -> None:
    for g in client.get("/v1/models/people").json()["ilk"]["givens"]:
        value = g["high"] if g["type"] == "number" else g["values"][0]
        made = client.post("/v1/sample", json={"model": "people", "n": 2, "given": [{g["part"]: value}]})
        assert [i[g["part"]] for i in made.json()["items"]] == [value, value], made.text


def test_every_way_that_is_told_draws(client: TestClient) -> None:
    told = client.get("/v1/models/words").json()["ilk"]
    ways = {w["name"]: w for w in told["ways"]}
    assert {"top_p", "top_k", "ancestral"} <= ways.keys() and "ddim" not in ways and {"steps", "steer"} <= set(told["can"])
    p = next(o for o in ways["top_p"]["options"] if o["name"] == "p")
    assert (p["type"], p["low"], p["high"]) == ("number", 0, 1) and [g["part"] for g in told["givens"]] == ["prefix", "suffix"]
    for name, way in ways.items():
        options = {o["name"]: o["default"] for o in way["options"] if o["default"] is not None}
        assert client.post("/v1/sample", json={"model": "words", "n": 1, "how": name, "options": options}).status_code == 200, name


def test_an_address_says_that_it_talks(client: TestClient) -> None:
    told = client.get("/v1/models/echo").json()["ilk"]
    assert "chat" in told["can"] and told["kind"] == "text" and told["score"] is None


def test_a_folder_comes_whole(client: TestClient, tmp_path: Path) -> None:
    got = client.get("/v1/models/people/download")
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''people.ilk.zip"
    zipfile.ZipFile(io.BytesIO(got.content)).extractall(tmp_path)
    assert ilk.load(tmp_path / "people.ilk").sample(3, seed=1).to_dicts() == client.post("/v1/sample", json={"model": "people", "n": 3, "seed": 1}).json()["items"]
    assert client.get("/v1/models/echo/download").json()["error"]["code"] == "NOT_A_FOLDER"


def test_loaded_and_put_away(client: TestClient) -> None:
    assert client.post("/v1/models/people/load").json()["ilk"]["state"] == "ready"
    assert client.post("/v1/models/people/unload").json()["ilk"]["state"] == "cold"
    assert client.post("/v1/models/none/load").json()["error"]["code"] == "model_not_found"


def test_only_models_of_the_workspace_are_deleted(client: TestClient, folders: tuple[Path, Workspace]) -> None:
    assert client.delete("/v1/models/people").json()["error"]["code"] == "NOT_OURS" and (folders[0] / "people.ilk").is_dir()
    assert client.delete("/v1/models/..%2f..%2fetc").status_code == 404
    assert client.delete("/v1/models/words").json() == {"id": "words", "object": "model", "deleted": True}
    assert not (folders[1].part("models") / "words.ilk").exists() and list(folders[1].part("temporary").iterdir()) == []
