"""What /v1/read says of data, against what is put in."""
from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient
from PIL import Image

from ilk.serve.understood import answer

TABLE = "age,city,since,id\n" + "".join(f"{i % 40 + 18},{('Lyon', 'Paris', '')[i % 3]},2024-01-{i % 28 + 1:02d},{i}\n" for i in range(120))


def said(at: Path, **more: Any) -> dict[str, Any]:
    return answer({"path": str(at), "name": "mine", **more})


def file(folder: Path, name: str, data: str | bytes) -> Path:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder / name


def test_a_table(tmp_path: Path) -> None:
    found = said(file(tmp_path, "data.csv", TABLE))
    columns = {c["name"]: c for c in found["columns"]}
    assert found["kind"] == "table" and found["n"] == 120 and {n: c["type"] for n, c in columns.items()} == {"age": "integer", "city": "category", "since": "date",
        "id": "identifier"}
    assert (columns["age"]["low"], columns["age"]["high"], columns["city"]["missing"], columns["city"]["values"]) == (18, 57, 40, ["Lyon", "Paris"])
    assert columns["since"]["low"] == "2024-01-01" and found["preview"][1] == {"age": 19, "city": "Paris", "since": "2024-01-02", "id": 1}
    takes = {f["name"]: f["takes"] for f in found["families"]}
    assert found["default_family"] == "made" and takes["made"] and takes["gmm"] and not takes["ngram"] and all(f["takes"] == (f["why"] is None) for f in found["families"])
    assert any("id" in p["where"] for p in found["problems"])


def test_types_are_taken_and_what_does_not_fit_is_placed(tmp_path: Path) -> None:
    at = file(tmp_path, "data.csv", TABLE)
    assert said(at, types={"age": "category"})["columns"][0]["type"] == "category"
    bad = said(at, types={"city": "integer"})
    assert bad["kind"] is None and "row 2" in bad["problems"][0]["what"] and bad["problems"][0]["where"] == "city" and "text" in bad["problems"][0]["remedy"]
    assert "no column" in str(said(at, types={"none": "integer"})["problems"]) or said(at, types={"none": "integer"})["kind"] is None


@pytest.mark.parametrize(("name", "data", "has"), [("data.csv", "a,b\n1,2\n1,2,3\n", "row 3"), ("data.csv", "a,a\n1,2\n", "a"), ("data.csv", "a,b\n", "no rows")])
def test_what_can_not_be_read_is_a_problem_with_its_place(tmp_path: Path, name: str, data: str | bytes, has: str) -> None:
    found = said(file(tmp_path, name, data))
    assert found["kind"] is None and has in str(found["problems"]) and str(tmp_path) not in str(found)


def test_texts_arrays_and_pictures(tmp_path: Path) -> None:
    texts = said(file(tmp_path, "data.txt", "one line\nanother line\n" * 20))
    assert texts["kind"] == "text" and texts["default_family"] == "ngram" and texts["preview"][0].startswith("one line")
    raw = io.BytesIO()
    np.save(raw, np.arange(60.0).reshape(20, 3))
    array = said(file(tmp_path, "data.npy", raw.getvalue()))
    assert (array["kind"], array["n"], array["shape"], array["preview"][1]) == ("array", 20, [3], {"shape": [3], "values": [3.0, 4.0, 5.0]})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for i in range(12):
            picture = io.BytesIO()
            Image.new("L", (16, 12), i * 20).save(picture, "PNG")
            archive.writestr(f"{('cats', 'dogs')[i % 2]}/{i}.png", picture.getvalue())
    pictures = said(file(tmp_path, "data.zip", packed.getvalue()))
    assert (pictures["kind"], pictures["n"], pictures["shape"], pictures["labels"]) == ("image", 12, [12, 16, 1], ["cats", "dogs"])
    assert pictures["preview"][0]["mime"] == "image/png" and pictures["default_family"] == "diffusion"


@pytest.mark.slow
def test_over_the_wire_in_a_process_of_its_own(client: TestClient) -> None:
    id = client.post("/v1/files", files={"file": ("people.csv", TABLE)}).json()["id"]
    assert client.post("/v1/read", json={"file": id}).json()["n"] == 120
    assert client.post("/v1/read", json={"file": "file-" + "0" * 24}).status_code == 404
    assert client.post("/v1/read", json={"file": id, "types": {"age": "os.system"}}).status_code == 400


@pytest.mark.slow
def test_bombs_are_413(client: TestClient) -> None:
    picture, packed = io.BytesIO(), io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(picture, "PNG")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(2):
            archive.writestr(f"{i}.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 100_000_000)
    for name, data in (("a.png", picture.getvalue()), ("a.zip", packed.getvalue())):
        id = client.post("/v1/files", files={"file": (name, data)}).json()["id"]
        answer = client.post("/v1/read", json={"file": id})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "decompression_bomb"), answer.text


@pytest.mark.slow
def test_little_memory_and_little_time_are_413(tmp_path: Path) -> None:
    from ilk.serve.app import build
    from ilk.serve.here import Here
    from ilk.serve.limits import Limits
    from ilk.serve.place import Workspace
    from ilk.serve.server import Server

    for limit, code in (({"read_memory": 300 << 20}, "MEMORY"), ({"read_seconds": 0.05}, "read_seconds")):
        with TestClient(build(Server(Here({}), Workspace.at(tmp_path), Limits.of(limit)))) as client:
            id = client.post("/v1/files", files={"file": ("people.csv", TABLE)}).json()["id"]
            answer = client.post("/v1/read", json={"file": id})
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, code)
