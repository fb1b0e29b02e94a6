"""Jobs over HTTP, run by real processes."""
from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ilk.errors import UsageError
from ilk.jobs.kinds import KINDS, params_of, words_of
from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.lines import lines
from ilk.serve.place import Workspace
from ilk.serve.server import Server
from ilk.serve.working import Working

ROWS = "a,b\n" + "".join(f"{i * 37 % 101 / 10},{'xyz'[i % 3]}\n" for i in range(200))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A server that runs jobs."""
    server = Server(Here({"echo": "echo:"}), Workspace.at(tmp_path / "workspace"), parts=(Working(),))
    with TestClient(build(server), raise_server_exceptions=False) as found:
        yield found


def upload(client: TestClient, name: str = "people.csv", text: str = ROWS) -> str:
    answer = client.post("/v1/files", data={"purpose": "user_data"}, files={"file": (name, text)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def ended(client: TestClient, id: str, seconds: float = 120) -> Any:
    until = time.monotonic() + seconds
    while (job := client.get(f"/v1/jobs/{id}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < until, job
        time.sleep(0.05)
    return job


def asked(client: TestClient, kind: str, params: dict[str, Any], **headers: str) -> Any:
    return client.post("/v1/jobs", json={"kind": kind, "params": params}, headers=headers)


def test_a_fit_becomes_a_model_and_tells_how(client: TestClient) -> None:
    file = upload(client)
    answer = asked(client, "fit", {"file": file, "family": "gmm", "options": {"components": 2}, "steps": 5, "name": "flowers"})
    job = answer.json()
    assert answer.status_code == 202 and job["state"] == "queued" and job["made"] == {}
    assert job["line"]["cli"] == "ilk fit people.csv --family gmm --components 2 --steps 5 --out flowers.ilk"
    assert "ilk.fit('people.csv', ilk.GMM(components=2)" in job["line"]["python"]
    job = ended(client, job["id"])
    assert (job["state"], job["made"], job["progress"], job["error"]) == ("succeeded", {"model": "flowers"}, 1.0, None)
    told = json.loads(client.get(f"/v1/jobs/{job['id']}/files/answer.json").content)
    assert told["family"] == "gmm" and 1 <= told["steps"] <= 5
    lines = client.get(f"/v1/jobs/{job['id']}/events").text.split("\n\n")
    facts = [json.loads(line.partition("data: ")[2]) for line in lines if line.startswith("id: ")]
    assert [f["state"] for f in facts if f["event"] == "state"] == ["queued", "running", "succeeded"] and lines[-2] == "data: [DONE]"
    assert any(f["event"] == "progress" for f in facts) and any(f["event"] == "measured" for f in facts)
    later = client.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": str(len(facts) - 1)}).text
    assert later.startswith(f"id: {len(facts)}\n") and later.count("id: ") == 1
    gone = client.delete(f"/v1/jobs/{job['id']}").json()
    assert gone["deleted"] and client.get(f"/v1/jobs/{job['id']}").status_code == 404
    place = client.app.state.server.place
    assert (place.part("models") / "flowers.ilk" / "ilk.json").exists() and not (place.part("jobs") / job["id"]).exists()


@pytest.mark.slow
def test_a_job_that_fails_says_why_and_shows_no_path(client: TestClient) -> None:
    job = ended(client, asked(client, "fit", {"file": upload(client, text="a,b\n1,2\n3\n")}).json()["id"])
    assert job["state"] == "failed" and job["error"]["code"] and job["error"]["type"] == "invalid_request_error"
    assert str(client.app.state.server.place.root) not in json.dumps(job)


@pytest.fixture
def resting(client: TestClient) -> Iterator[TestClient]:
    """A server whose runner begins nothing."""
    client.app.state.server.runner.many = 0
    yield client


def test_what_is_wrong_is_told_at_once(resting: TestClient) -> None:
    file = upload(resting)
    for kind, params, status, param in (
            ("dig", {}, 400, "kind"), ("fit", {}, 400, "params.file"), ("fit", {"file": "../../etc/passwd"}, 404, "file"),
            ("fit", {"file": file, "path": "/"}, 400, "params.path"),
            ("fit", {"file": file, "family": "gmm", "options": {"out": "/tmp/x"}}, 400, "params.options"),
            ("fit", {"file": file, "family": "gmm", "options": {"components": "many"}}, 400, "components"),
            ("fit", {"file": file, "family": "gnn"}, 400, "families"), ("fit", {"file": file, "name": "../x"}, 400, "params.name"),
            ("fit", {"file": file, "seconds": 1, "steps": 1}, 400, "params"), ("fit", {"file": file, "seconds": -1}, 400, "params.seconds"),
            ("evaluate", {"model": "none"}, 404, "model"), ("evaluate", {"model": "../../etc"}, 404, "model"), ("export", {"model": "echo", "to": "zip"}, 400, "exporters"),
            ("index", {"files": [], "name": "l"}, 400, "params.files"), ("race", {"file": file, "families": ["--out=/tmp/x"]}, 400, "families")):
        answer = asked(resting, kind, params)
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (status, param), (kind, params, error)
    assert resting.get("/v1/jobs").json()["data"] == []


def test_waiting_jobs_are_paused_resumed_cancelled_and_paged(resting: TestClient) -> None:
    file = upload(resting)
    ids = [asked(resting, "fit", {"file": file}).json()["id"] for _ in range(3)]
    assert [resting.post(f"/v1/jobs/{ids[0]}/{do}").json()["state"] for do in ("pause", "pause", "resume", "cancel", "cancel")] == \
        ["paused", "paused", "queued", "cancelled", "cancelled"]
    refused = resting.post(f"/v1/jobs/{ids[0]}/pause")
    assert refused.status_code == 400 and refused.json()["error"]["code"] == "JOB_STATE"
    page = resting.get("/v1/jobs", params={"limit": 2}).json()
    rest = resting.get("/v1/jobs", params={"limit": 2, "after": page["data"][-1]["id"]}).json()
    assert [j["id"] for j in (*page["data"], *rest["data"])] == ids[::-1] and page["has_more"] and not rest["has_more"]
    assert [j["id"] for j in resting.get("/v1/jobs", params={"state": "cancelled"}).json()["data"]] == ids[:1]
    assert resting.get("/v1/jobs", params={"state": "lost"}).status_code == 400


def test_every_kind_has_words_that_its_command_understands(tmp_path: Path) -> None:
    class Anything:
        def file(self, id: str) -> Path:
            return tmp_path / "people.csv"

        def called(self, id: str) -> str:
            return "my people.csv"

        def model(self, name: str) -> str:
            return str(tmp_path / f"{name}.ilk")

        def sources(self, name: str, ids: Any) -> Path:
            return tmp_path / "sources"

        def library(self, name: str) -> Path:
            return tmp_path / name

    from ilk.cli import build
    from ilk.flags import options

    (tmp_path / "people.csv").write_text(ROWS)
    asked = {"fit": {"file": "f", "seconds": 2, "options": {"types": {"a": "text"}}}, "tune": {"model": "m", "file": "f", "columns": "a,b"},
             "race": {"file": "f", "families": ["gmm"]},
             "evaluate": {"model": "m", "file": "f", "n": 5}, "audit": {"model": "m"}, "index": {"files": ["f"], "name": "l"}, "report": {"model": "m", "language": "zh"},
             "export": {"model": "m", "to": "gguf"}, "impute": {"model": "m", "file": "f", "best": True}}
    assert set(asked) == set(KINDS)
    for kind, params in asked.items():
        made = params_of(kind, params)
        words = made.words(Anything())
        rest, _ = options([*words, "--json"])
        command, bound, _ = build().parse_args(rest, exit_on_error=False, print_error=False)
        assert command.__name__ == kind and bound.arguments["json"] is True
        line = lines(kind, made.called(Anything()))
        assert line.cli is not None and line.cli.startswith(f"ilk {kind} ") and str(tmp_path) not in line.cli
        assert words_of(words, Path("/elsewhere"))[0] == kind


def test_words_find_their_files_from_where_they_were_said(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(ROWS)
    (tmp_path / "gmm").mkdir()
    assert words_of(["fit", "people.csv", "--family", "gmm"], tmp_path) == ("fit", f"{tmp_path}/people.csv", "--family", "gmm", "--out", "people.ilk")
    assert words_of(["fit", "iris", "-o", "x.ilk"], tmp_path) == ("fit", "iris", "-o", f"{tmp_path}/x.ilk")
    assert words_of(["evaluate", "m.ilk", "--against=people.csv"], tmp_path) == ("evaluate", "m.ilk", f"--against={tmp_path}/people.csv")
    for bad in ([], ["sample", "m.ilk"], ["index", "people.csv"]):
        with pytest.raises(UsageError):
            words_of(bad, tmp_path)
