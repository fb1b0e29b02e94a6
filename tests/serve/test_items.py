"""Items over HTTP are the items that ilk gives: same seed, same model, same items."""
from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

import ilk
from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.server import Server

TABLE = pl.DataFrame({"age": [20 + i % 40 for i in range(200)], "city": [("Lyon", "Paris")[i % 40 > 20] for i in range(200)]})
BITS = (np.random.RandomState(0).rand(100, 8, 8, 1) < 0.4).astype(np.uint8) * 255


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    at = tmp_path_factory.mktemp("models")
    made = {"people": ilk.fit(TABLE, ilk.ChowLiu()), "words": ilk.fit(["the cat sat", "the dog sat", "a cat ran"] * 9, ilk.NGram(order=3)),
            "points": ilk.fit(np.linspace(0, 1, 60).reshape(20, 3), ilk.GMM(components=1)), "bits": ilk.fit(BITS, ilk.ChowLiu()),
            "noise": ilk.fit(TABLE, ilk.DiscreteDiffusion(), budget=ilk.Steps(2)),
            "codes": ilk.fit(np.linspace(0, 1, 60).reshape(20, 3), ilk.Flow(), budget=ilk.Steps(2))}
    yield {name: model.save(at / f"{name}.ilk") for name, model in made.items()}


@pytest.fixture(scope="module")
def client(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    server = Server(Here({name: str(at) for name, at in models.items()}), Workspace.at(tmp_path_factory.mktemp("w")), Limits.of({"items": 64}))
    with TestClient(build(server), raise_server_exceptions=False) as found:
        yield found


def post(client: TestClient, verb: str, **asked: Any) -> Any:
    answer = client.post(f"/v1/{verb}", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, verb: str, **asked: Any) -> tuple[int, str, str | None]:
    answer = client.post(f"/v1/{verb}", json=asked)
    return answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"]


def test_sample_is_ilks(client: TestClient, models: dict[str, Path]) -> None:
    model = ilk.load(models["people"])
    found = post(client, "sample", model="people", n=4, seed=3, given=["age > 40", {"city": "Paris"}])
    assert found["items"] == model.given("age > 40").given({"city": "Paris"}).sample(4, seed=3).to_dicts() and found["kind"] == "table"
    assert [m["met"] for m in found["met"]] == ["exact", "exact"] and found["object"] == "ilk.samples" and found["n"] == 4
    assert found["line"]["cli"] == "ilk sample people.ilk -n 4 --given 'age > 40' --given '{\"city\": \"Paris\"}' --seed 3"
    assert post(client, "sample", model="words", n=2)["items"] == ilk.load(models["words"]).sample(2)
    array = post(client, "sample", model="points", n=2, seed=1)["items"]
    assert np.allclose([a["values"] for a in array], ilk.load(models["points"]).sample(2, seed=1)) and array[0]["shape"] == [3]
    picture = post(client, "sample", model="bits", n=1)["items"][0]
    assert (np.array(Image.open(io.BytesIO(base64.b64decode(picture["b64"])))) == ilk.load(models["bits"]).sample(1)[0, :, :, 0]).all()


def test_streamed_states_end_in_the_same(client: TestClient, models: dict[str, Path]) -> None:
    with client.stream("POST", "/v1/sample", json={"model": "words", "n": 2, "seed": 5, "given": ["the "], "stream": True}) as answer:
        events = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
    whole = json.loads(events[-2])
    assert answer.headers["content-type"].startswith("text/event-stream") and events[-1] == "[DONE]" and whole["object"] == "ilk.samples" and whole["met"]
    steps = [json.loads(e) for e in events[:-2]]
    assert len(steps) >= 2 and [s["step"] for s in steps] == sorted(s["step"] for s in steps) and steps[-1]["items"] == whole["items"]
    assert whole["items"] == ilk.load(models["words"]).given("the ").sample(2, seed=5)


def test_errors_come_before_the_stream(client: TestClient) -> None:
    assert refused(client, "sample", model="words", stream=True, how="nonesuch")[0] == 400
    assert refused(client, "sample", model="none", stream=True)[:2] == (404, "model_not_found")


def test_score_is_ilks(client: TestClient, models: dict[str, Path]) -> None:
    found = post(client, "score", model="people", items=[{"age": 25, "city": "Lyon"}, {"age": 25, "city": "Paris"}, {"age": None, "city": "Lyon"}][:2], seed=2)
    want = ilk.score(ilk.load(models["people"]), pl.DataFrame({"age": [25, 25], "city": ["Lyon", "Paris"]}), seed=2)
    assert found["nats"] == pytest.approx(want.nats.tolist()) and found["sort"] == want.sort == "exact" and found["mean"] == pytest.approx(want.mean)
    assert post(client, "score", model="people", items=[{"age": 25, "city": "Paris"}], given=["city == 'Lyon'"])["nats"] == [None]


def test_edit_keeps_what_it_keeps(client: TestClient, models: dict[str, Path]) -> None:
    row = {"age": 25, "city": "Lyon"}
    found = post(client, "edit", model="people", items=[row, row], redo=["age"], n=3, seed=1)
    assert found["items"] == ilk.edit(ilk.load(models["people"]), pl.DataFrame([row, row]), ["age"], n=3, seed=1).to_dicts()
    assert {i["city"] for i in found["items"]} == {"Lyon"} and found["met"][0]["met"] == "exact"
    texts = post(client, "edit", model="words", items=["the cat sat"], redo={"span": [4]}, n=2)["items"]
    assert texts == ilk.edit(ilk.load(models["words"]), ["the cat sat"], "after:4", n=2) and all(t.startswith("the ") for t in texts)


def png(pixels: Any) -> str:
    raw = io.BytesIO()
    Image.fromarray(pixels).save(raw, "PNG")
    return base64.b64encode(raw.getvalue()).decode()


@pytest.mark.parametrize("redo", [{"box": [2, 2, 6, 6]}, {"mask": True}, {"outside": {"box": [2, 2, 6, 6]}}])
def test_inpainting(client: TestClient, redo: dict[str, Any]) -> None:
    hole = np.zeros((8, 8), dtype=np.uint8)
    hole[2:6, 2:6] = 255
    asked = {"mask": "data:image/png;base64," + png(hole)} if "mask" in redo else redo
    found = post(client, "edit", model="bits", items=[{"b64": png(BITS[0, :, :, 0])}], redo=asked, n=4)["items"]
    made = np.stack([np.array(Image.open(io.BytesIO(base64.b64decode(i["b64"])))) for i in found])
    kept = hole > 0 if "outside" in redo else hole == 0
    assert (made[:, kept] == BITS[0, :, :, 0][kept]).all() and len({m.tobytes() for m in made}) > 1


def test_edits_stream_item_by_item(client: TestClient) -> None:
    asked = {"model": "people", "items": [{"age": 25, "city": "Lyon"}] * 3, "redo": ["city"], "stream": True}
    events = [json.loads(x[6:]) for x in client.post("/v1/edit", json=asked).text.split("\n\n") if x.startswith("data: {")]
    assert [e.get("step") for e in events] == [1, 2, 3, None] and len(events[-1]["items"]) == 3


def test_impute_is_ilks(client: TestClient, models: dict[str, Path]) -> None:
    rows = [{"age": None, "city": "Paris"}, {"age": 22, "city": None}]
    found = post(client, "impute", model="people", items=rows, best=True)
    assert found["items"] == ilk.impute(ilk.load(models["people"]), pl.DataFrame(rows), best=True).to_dicts() and found["cells"] == 2 and found["left"] == []
    assert found["items"][0]["age"] > 40 and found["items"][1]["city"] == "Lyon"


def test_codes(client: TestClient, models: dict[str, Path]) -> None:
    model, ends = ilk.load(models["codes"]), np.array([[0.1, 0.2, 0.3], [0.7, 0.8, 0.9]])
    items = [{"shape": [3], "values": x.tolist()} for x in ends]
    way = post(client, "interpolate", model="codes", items=items, n=5)["items"]
    assert np.allclose([w["values"] for w in way], ilk.interpolate(model, ends[:1], ends[1:], 5)) and np.allclose(way[0]["values"], ends[0], atol=1e-3)
    assert np.allclose([w["values"] for w in post(client, "vary", model="codes", items=items, strength=0.2, n=2, seed=4)["items"]], ilk.vary(model, ends, 0.2, 2, 4))
    assert refused(client, "vary", model="people", items=[{"age": 25, "city": "Lyon"}])[1] == "CAPABILITY"


def test_steered_items_obey_from_there_on(client: TestClient, models: dict[str, Path]) -> None:
    found = post(client, "steer", model="noise", n=8, seed=1, turns=[{"step": 1, "given": ["city == 'Paris'"]}, {"step": 0, "given": ["age > 30"]}])["items"]
    going = ilk.load(models["noise"]).steps(8, seed=1)
    first = next(s for s in going if s.step >= 0).steer("age > 30")
    assert found == next(s for s in first.steps() if s.step >= 1).steer("city == 'Paris'").finish().to_dicts()
    assert all(i["city"] == "Paris" and i["age"] > 30 for i in found)
    assert refused(client, "steer", model="noise", turns=[{"step": 10**5, "given": ["age > 30"]}])[1] == "STEER"
    assert post(client, "steer", model="words", n=2, turns=[])["items"] == ilk.load(models["words"]).sample(2)


def test_files(client: TestClient, models: dict[str, Path], tmp_path: Path) -> None:
    model = ilk.load(models["people"])
    got = client.post("/v1/sample", json={"model": "people", "n": 20, "seed": 1, "format": "file"})
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''people.csv" and got.headers["x-content-type-options"] == "nosniff"
    assert pl.read_csv(got.content).equals(model.sample(20, seed=1))
    pictures = client.post("/v1/sample", json={"model": "bits", "n": 3, "format": "file"}).content
    assert len(zipfile.ZipFile(io.BytesIO(pictures)).namelist()) == 3
    assert np.allclose(np.load(io.BytesIO(client.post("/v1/sample", json={"model": "points", "n": 3, "format": "file", "suffix": "npy"}).content)), ilk.load(models["points"]).sample(3))
    assert refused(client, "sample", model="people", format="file", suffix="exe")[1] == "FORMAT"


def test_no_cell_of_csv_is_a_formula() -> None:
    from ilk.serve.ops.file import harmless

    frame = pl.DataFrame({"a": ["=cmd|' /C calc'!A0", "+1", "@x", "-x", "-1", "fine", None], "b": [-1, 2, 3, 4, 5, 6, 7]})
    assert harmless(frame)["a"].to_list() == ["'=cmd|' /C calc'!A0", "'+1", "'@x", "'-x", "-1", "fine", None] and harmless(frame)["b"].equals(frame["b"])


@pytest.mark.parametrize(("verb", "asked", "status", "code"), [
    ("sample", {"n": 65}, 400, "limit_items"), ("sample", {"n": 0}, 400, "invalid_request"), ("sample", {"seed": 2**65}, 400, "invalid_request"),
    ("sample", {"given": ["age >"]}, 400, "RULE"), ("sample", {"given": ["none > 1"]}, 400, "COLUMN"), ("sample", {"label": "x"}, 400, None), ("sample", {"options": {"p": 1}}, 400, "HOW"),
    ("score", {"items": []}, 400, "invalid_request"), ("score", {"items": [{"age": 1}]}, 400, "COLUMN"), ("score", {"items": [{"age": "x", "city": "Lyon"}]}, 400, "DATA_TYPE"),
    ("score", {"items": [{"age": 25, "city": "Lyon"}] * 65}, 400, "limit_items"), ("edit", {"items": [{"age": 25, "city": "Lyon"}] * 33, "n": 2, "redo": ["age"]}, 400, "limit_items"),
    ("edit", {"items": [{"age": 25, "city": "Lyon"}], "redo": {"box": [1, 2, 3]}}, 400, "invalid_request"), ("edit", {"items": [{"age": 25, "city": "Lyon"}], "redo": ["none"]}, 400, "COLUMN"),
    ("edit", {"items": [{"age": 25, "city": "Lyon"}], "redo": {"mask": "iVBORw=="}}, 400, "REGION"), ("edit", {"items": [{"age": 25, "city": "Lyon"}], "redo": {"outside": {"outside": {}}}}, 400, "invalid_request"),
    ("edit", {"items": [{"age": 25, "city": "Lyon"}], "redo": {"mask": "%"}}, 400, "ITEMS"), ("steer", {"turns": [{"step": 0, "given": []}]}, 400, "invalid_request")])
def test_what_can_not_be_meant(client: TestClient, verb: str, asked: dict[str, Any], status: int, code: str | None) -> None:
    answer = client.post(f"/v1/{verb}", json={"model": "people", **asked})
    assert answer.status_code == status and answer.json()["error"]["code"] == (code or answer.json()["error"]["code"]), answer.text


@pytest.mark.slow
def test_evaluate_is_ilks(client: TestClient, models: dict[str, Path]) -> None:
    rows = TABLE.head(60)
    found = post(client, "evaluate", model="people", items=rows.to_dicts(), seed=1)
    want = ilk.evaluate(ilk.load(models["people"]), rows, 60, 1)
    figures = {f["name"]: f for f in found["figures"]}
    assert found["n"] == 60 and want.metrics and {n for n, f in figures.items() if f["why"]} == set(want.skipped)
    assert all(figures[f.name]["value"] == pytest.approx(f.value) for f in want.metrics)
    id = client.post("/v1/files", files={"file": ("held.csv", rows.write_csv())}).json()["id"]
    assert post(client, "evaluate", model="people", file=id, seed=1)["figures"] == found["figures"]
    assert refused(client, "evaluate", model="people", items=rows.to_dicts(), n=501)[:2] == (400, "USE_A_JOB")
    bad = client.post("/v1/files", files={"file": ("bad.csv", "age,city\n1\n2,3,4\n")}).json()["id"]
    answer = client.post("/v1/evaluate", json={"model": "people", "file": bad})
    assert answer.status_code == 400 and "bad.csv" in answer.text and "/files/" not in answer.text
