"""Case 25, jobs: B reads or stops A's, ids are guessed, one key is sent twice or by many at once."""
from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ilk.jobs.child import ANSWER
from ilk.serve.app import build
from ilk.serve.guard import Guard
from ilk.serve.here import Here
from ilk.serve.keys import Keys
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.server import Server


@dataclass
class Two:
    """A server whose runner begins nothing, and the holders of two keys, a third who may only chat, and an admin."""

    client: TestClient
    server: Server
    keys: dict[str, str] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {self.keys[who]}", **headers})

    def file(self, who: str) -> str:
        answer = self.client.post("/v1/files", files={"file": ("a.csv", "a,b\n1,2\n3,4\n")}, data={"purpose": "x"}, headers={"Authorization": f"Bearer {self.keys[who]}"})
        return str(answer.json()["id"])

    def submit(self, who: str, **headers: str) -> Any:
        return self.ask(who, "POST", "/v1/jobs", {"kind": "fit", "params": {"file": self.file(who)}}, **headers)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Server, Keys]]:
    place = Workspace.at(tmp_path_factory.mktemp("jobs") / "workspace")
    keys = Keys.of(place)
    server = Server(Here({"echo": "echo:"}), place, Limits(jobs_queued=5), guard=Guard(asks=True, keys=keys))
    server.runner.many = 0
    with TestClient(build(server), raise_server_exceptions=False) as client:
        yield client, server, keys
    keys.close()


@pytest.fixture
def two(running: tuple[TestClient, Server, Keys]) -> Two:
    client, server, keys = running
    scopes = {"a": ("jobs", "files"), "b": ("jobs", "files"), "chatter": ("chat",), "admin": ("admin",)}
    return Two(client, server, {name: keys.new(name, some)[1] for name, some in scopes.items()})


def test_anothers_job_is_none(two: Two) -> None:
    job = two.submit("a").json()
    id = job["id"]
    (two.server.jobs.folder / id).mkdir()
    (two.server.jobs.folder / id / ANSWER).write_text("{}")
    paths = [("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/pause"), ("POST", "/resume"), ("DELETE", ""), ("GET", f"/files/{ANSWER}")]
    for method, path in paths:
        theirs, none = (two.ask("b", method, f"/v1/jobs/{one}{path}") for one in (id, "job_" + "0" * 24))
        assert (theirs.status_code, none.status_code) == (404, 404), path
        assert theirs.json()["error"]["code"] == none.json()["error"]["code"] == "job_not_found"
    assert two.ask("b", "GET", "/v1/jobs").json()["data"] == []
    assert two.ask("b", "GET", "/v1/jobs", None).json()["has_more"] is False and two.client.get("/v1/jobs", params={"after": id}, headers={
        "Authorization": f"Bearer {two.keys['b']}"}).status_code == 404
    assert two.ask("a", "GET", f"/v1/jobs/{id}").json()["state"] == "queued"
    assert id in [j["id"] for j in two.ask("admin", "GET", "/v1/jobs").json()["data"]]
    for method, path in paths:
        assert two.ask("chatter", method, f"/v1/jobs/{id}{path}").status_code == 403


def test_anothers_file_makes_no_job(two: Two) -> None:
    answer = two.ask("b", "POST", "/v1/jobs", {"kind": "fit", "params": {"file": two.file("a")}})
    assert answer.status_code == 404 and two.ask("b", "GET", "/v1/jobs").json()["data"] == []


GUESSED = ["job_", "job_" + "f" * 24, "1", "..", "%2e%2e%2fjobs.sqlite", "job_%00", "job_" + "0" * 23 + "'", "last", "x" * 79, "jobs.sqlite"]
INSIDE = ["../../jobs.sqlite", "..%2f..%2fjobs.sqlite", ".pid", ".lock", "errors.txt", "runs", "%00", "answer.json/.."]


def test_a_guessed_id_is_no_job(two: Two) -> None:
    for id, (method, path) in product(GUESSED, (("GET", ""), ("POST", "/cancel"), ("DELETE", ""), ("GET", "/files/answer.json"))):
        answer = two.ask("a", method, f"/v1/jobs/{id}{path}")
        assert answer.status_code in (404, 405) and "workspace" not in answer.text, (id, path, answer.text)


def test_ids_are_not_to_be_guessed(two: Two) -> None:
    ids = [two.submit("a").json()["id"] for _ in range(4)]
    assert len(set(ids)) == 4 and all(len(id) == 28 for id in ids) and len({id[4:12] for id in ids}) == 4


def test_only_what_a_job_made_is_given_out(two: Two) -> None:
    id = two.submit("a").json()["id"]
    assert {two.ask("a", "GET", f"/v1/jobs/{id}/files/{name}").status_code for name in INSIDE} <= {404, 405}


def test_one_key_is_one_job_however_many_send_it_at_once(two: Two) -> None:
    file, key = two.file("a"), secrets.token_hex(8)
    body = {"kind": "fit", "params": {"file": file}}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: two.ask("a", "POST", "/v1/jobs", body, **{"Idempotency-Key": key}), range(8)))
    assert {a.status_code for a in answers} == {202} and len({a.json()["id"] for a in answers}) == 1
    other = two.ask("a", "POST", "/v1/jobs", {"kind": "fit", "params": {"file": file, "seed": 1}}, **{"Idempotency-Key": key})
    assert other.status_code == 400 and other.json()["error"]["code"] == "idempotency_key_reused"
    assert two.submit("b", **{"Idempotency-Key": key}).json()["id"] != answers[0].json()["id"], "keys are everybody's own"


def test_a_quota_lets_exactly_so_many_pass(two: Two) -> None:
    body = {"kind": "fit", "params": {"file": two.file("a")}}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: two.ask("a", "POST", "/v1/jobs", body), range(12)))
    assert sorted(a.status_code for a in answers) == [202] * 5 + [429] * 7
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 429} == {"JOBS_QUEUED"}
    assert two.submit("b").status_code == 202


def test_a_page_of_a_job_runs_no_script(two: Two) -> None:
    id = two.ask("a", "POST", "/v1/jobs", {"kind": "fit", "params": {"file": two.file("a")}, "priority": 100}).json()["id"]
    assert two.server.jobs.claim("me").id == id
    folder = two.server.jobs.folder / id
    folder.mkdir()
    (folder / "report.html").write_text("<script>alert(1)</script>")
    (folder / "made.csv").write_text("=cmd|' /C calc'!A0")
    two.server.jobs.leave(id, "me", "succeeded", {"report": "report.html", "file": "made.csv"})
    page, table = (two.ask("a", "GET", f"/v1/jobs/{id}/files/{name}") for name in ("report.html", "made.csv"))
    assert page.status_code == 200 and page.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "script-src" not in page.headers["content-security-policy"] and table.headers["content-disposition"].startswith("attachment")
