"""Case 18: hostile uploads. Nothing is written but under a random number, nothing is kept of what was refused, and nothing is ever shown by a browser."""
from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
import uvicorn
from fastapi.testclient import TestClient

from ilk.errors import ResourceError
from ilk.serve.app import build
from ilk.serve.caller import Caller
from ilk.serve.files import Files, Stored
from ilk.serve.here import Here
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.server import Server

CSV = b"age,city\n1,Lyon\n2,Paris\n"


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(Here({}), Workspace.at(tmp_path / "w"), Limits.of({"upload": 100_000, "uploads": 300_000}))


@pytest.fixture
def client(server: Server) -> Iterator[TestClient]:
    with TestClient(build(server), raise_server_exceptions=False) as found:
        yield found


def nothing_is_left(server: Server) -> bool:
    return not list(server.place.part("files").iterdir()) and not list(server.place.part("temporary").iterdir())


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def form(name: bytes, body: bytes = CSV) -> tuple[bytes, dict[str, str]]:
    raw = b'--B\r\nContent-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n' + body + b"\r\n--B--\r\n"
    return raw, {"content-type": "multipart/form-data; boundary=B"}


@pytest.mark.parametrize(("name", "shown"), [
    (b"../../x.csv", "x.csv"), (b"/etc/x.csv", "x.csv"), (b"..\\..\\x.csv", "x.csv"), (b"con.txt", "con.txt"), (b"<img src=x onerror=alert(1)>.csv", "<img src=x onerror=alert(1)>.csv"),
    (b"x\x1b]52;c\x07.csv", "x]52;c.csv"), ("年龄.csv".encode(), "年龄.csv"), (b"a" * 10_000 + b".csv", "a" * 200), (b"a\xff.csv", "a�.csv")])
def test_a_name_is_never_a_path(server: Server, client: TestClient, name: bytes, shown: str) -> None:
    raw, headers = form(name)
    made = client.post("/v1/files", content=raw, headers=headers).json()
    assert made["filename"] == shown and made["id"].startswith("file-") and len(made["id"]) == 29
    assert {p.name for p in (server.place.part("files") / made["id"]).iterdir()} in ({"about.json", "data.csv"}, {"about.json", "data.txt"})
    assert sorted(p.name for p in server.place.root.parent.iterdir()) == ["w"]
    got = client.get(f"/v1/files/{made['id']}/content")
    assert got.content == CSV and got.headers["content-type"] == "application/octet-stream" and got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''") and "sandbox" in got.headers["content-security-policy"]


def test_nul_and_line_ends_in_a_name(server: Server, client: TestClient) -> None:
    for name in (b"a\0b.csv", b"a\r\nSet-Cookie: x=1.csv"):
        raw, headers = form(name)
        answer = client.post("/v1/files", content=raw, headers=headers)
        assert answer.status_code in (200, 400, 415)
        if answer.status_code == 200:
            assert "\0" not in answer.json()["filename"] and "\n" not in answer.json()["filename"]
            assert "set-cookie" not in client.get(f"/v1/files/{answer.json()['id']}/content").headers


def test_a_form_that_is_none(server: Server, client: TestClient) -> None:
    good, _ = form(b"a.csv")
    assert error(client.post("/v1/files", content=good, headers={"content-type": "multipart/form-data"})) == (400, "multipart")
    assert error(client.post("/v1/files", content=good, headers={"content-type": "multipart/form-data; boundary=" + "B" * 5000})) == (400, "multipart")
    assert error(client.post("/v1/files", content=good, headers={"content-type": "application/json"})) == (415, "content_type")
    assert error(client.post("/v1/files", json={"file": "x"})) == (415, "content_type")
    assert error(client.post("/v1/files", content=good[:60], headers={"content-type": "multipart/form-data; boundary=B"})) == (400, "multipart")
    assert error(client.post("/v1/files", content=good, headers={"content-type": "multipart/form-data; boundary=C"})) == (400, "multipart")
    assert error(client.post("/v1/files", content=b"--B--\r\n", headers={"content-type": "multipart/form-data; boundary=B"}))[0] == 400
    assert error(client.post("/v1/files", data={"purpose": "x"}, files={"other": ("a.csv", CSV)})) == (400, "multipart")
    assert error(client.post("/v1/files", files={"file": ("a.csv", b"")})) == (400, "EMPTY")
    assert nothing_is_left(server)


def test_many_parts(server: Server, client: TestClient) -> None:
    part = b'--B\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n'
    begin = time.monotonic()
    assert error(client.post("/v1/files", content=part * 100_000 + b"--B--\r\n", headers={"content-type": "multipart/form-data; boundary=B"})) in ((413, "parts"), (413, "request_too_large"))
    assert time.monotonic() - begin < 2 and nothing_is_left(server)


def test_ten_gigabytes_are_refused_at_the_limit(server: Server) -> None:
    """The application is asked as a server would, so that what it takes of the body can be counted."""
    taken = 0
    head, _ = form(b"big.csv", b"")

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": head[:-9] if taken == 1 else b"1,2\n" * 4096, "more_body": taken < 10 * 2**30 // 16384}

    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/v1/files", "raw_path": b"/v1/files", "query_string": b"", "root_path": "",
             "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "headers": [(b"content-type", b"multipart/form-data; boundary=B"), (b"host", b"127.0.0.1")]}
    asyncio.run(build(server)(scope, receive, send))
    assert said[0]["status"] == 413 and json.loads(said[1]["body"])["error"]["code"] in ("file_too_large", "request_too_large")
    assert taken <= 100_000 // 16384 + 3 and nothing_is_left(server)


def test_all_files_of_a_key_have_a_limit(server: Server, client: TestClient) -> None:
    body = b"1,2\n" * 20_000
    answers = [client.post("/v1/files", files={"file": ("a.csv", body)}) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 413] and error(answers[-1])[1] == "quota"
    assert client.delete(f"/v1/files/{answers[0].json()['id']}").json()["deleted"]
    assert client.post("/v1/files", files={"file": ("a.csv", body)}).status_code == 200


def test_two_at_once_do_not_pass_the_limit_together(server: Server) -> None:
    files, kept = Files(server.place, server.limits), list[str]()

    def add() -> None:
        with files.adding() as folder:
            (folder / "data.txt").write_bytes(b"x" * 200_000)
            barrier.wait()
            kept.append(files.keep(folder, Stored("", "a.txt", "", "me", 0, 200_000, "", ".txt")).id)

    barrier = threading.Barrier(2)
    errors: list[Any] = []
    hook, threading.excepthook = threading.excepthook, errors.append
    threads = [threading.Thread(target=add) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    threading.excepthook = hook
    assert len(kept) == 1 and len(errors) == 1 and errors[0].exc_value.http == 413 and len(files.listed(Caller("me"))) == 1


def test_the_same_file_twice_is_two_files(client: TestClient) -> None:
    one, two = (client.post("/v1/files", files={"file": ("a.csv", CSV)}).json() for _ in range(2))
    assert one["id"] != two["id"] and one["ilk"]["sha256"] == two["ilk"]["sha256"]
    assert client.delete(f"/v1/files/{one['id']}").status_code == 200 and client.get(f"/v1/files/{two['id']}/content").content == CSV


def test_numbers_that_are_none(client: TestClient) -> None:
    for id in ("..%2f..%2fetc%2fpasswd", "%00", "file-", "file-" + "0" * 24, "file-" + "0" * 23 + "%0a", "..", "a" * 5000, "file-%2e%2e", "FILE-" + "0" * 24):
        for method, tail in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
            answer = client.request(method, f"/v1/files/{id}{tail}")
            assert answer.status_code in (404, 405), (id, method, answer.status_code)
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"} and "root:" not in answer.text


def test_files_of_another_are_not_there(server: Server) -> None:
    files = Files(server.place, server.limits)
    with files.adding() as folder:
        (folder / "data.csv").write_bytes(CSV)
        made = files.keep(folder, Stored("", "a.csv", "", "them", 0, len(CSV), "", ".csv"))
    me = Caller("me", frozenset({"files"}))
    assert files.listed(me) == [] and files.listed(Caller("them", frozenset())) == [made] and files.listed(Caller("boss", frozenset({"admin"}))) == [made]
    for ask in (files.get, files.path, files.remove):
        with pytest.raises(Exception, match="no file") as why:
            ask(made.id, me)
        assert why.value.http == 404  # type: ignore[attr-defined]
    assert files.path(made.id, Caller("them", frozenset())).read_bytes() == CSV


def test_ranges_are_not_served(client: TestClient) -> None:
    id = client.post("/v1/files", files={"file": ("a.csv", CSV)}).json()["id"]
    got = client.get(f"/v1/files/{id}/content", headers={"range": "bytes=" + ",".join("0-" for _ in range(1000))})
    assert got.status_code == 200 and got.content == CSV and got.headers["accept-ranges"] == "none"


@pytest.mark.parametrize(("name", "body", "status", "code"), [
    ("a.svg", b"<svg onload=alert(1)>", 415, "FILE_TYPE"), ("a.png", b"<html><script>alert(1)</script>", 415, "FILE_TYPE"), ("a.csv", b"\x89PNG\r\n\x1a\n", 415, "FILE_TYPE"),
    ("a.exe", b"MZ\0\0", 415, "FILE_TYPE"), ("a", b"\x7fELF\x02\0", 415, "FILE_TYPE"), ("a.pt", b"PK\x03\x04", 415, "UNTRUSTED_FORMAT"), ("a.pkl", b"\x80\x04\x95", 415, "UNTRUSTED_FORMAT"),
    ("a.csv", b"\x80\x04\x95\x00", 415, "UNTRUSTED_FORMAT"), ("a.js", b"alert(1)", 415, "FILE_TYPE"), ("a.npz", b"\x93NUMPY", 415, "FILE_TYPE")])
def test_what_is_not_read_is_not_taken(server: Server, client: TestClient, name: str, body: bytes, status: int, code: str) -> None:
    assert error(client.post("/v1/files", files={"file": (name, body)})) == (status, code)
    assert nothing_is_left(server)


def test_html_is_never_shown(client: TestClient) -> None:
    id = client.post("/v1/files", files={"file": ("a.html", b"<script>alert(1)</script>", "text/html")}).json()["id"]
    got = client.get(f"/v1/files/{id}/content").headers
    assert got["content-type"] == "application/octet-stream" and got["content-disposition"].startswith("attachment") and got["x-content-type-options"] == "nosniff"


def test_a_set_of_files_is_a_folder(server: Server, client: TestClient) -> None:
    png = b"\x89PNG\r\n\x1a\n"
    sent = [("file", (name, png)) for name in ("cats/1.png", "../../dogs/1.png", "/etc/../1.png", "cats/1.png")]
    made = client.post("/v1/files", data={"set": "pets"}, files=sent).json()
    folder = Files(server.place, server.limits).path(made["id"], Caller("local"))
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*.png")) == ["cats/1-2.png", "cats/1.png", "dogs/1.png", "etc/1.png"]
    assert made["filename"] == "pets" and made["ilk"]["parts"] == 4 and client.get(f"/v1/files/{made['id']}/content").content[:2] == b"PK"


def test_a_full_disk_is_507(server: Server, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))   # the kernel refuses to write more, as a full disk does
    try:
        answer = client.post("/v1/files", files={"file": ("a.csv", b"1,2\n" * 20_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error(answer) == (507, "DISK_FULL") and str(server.place.root) not in answer.text and nothing_is_left(server)
    assert client.post("/v1/files", files={"file": ("a.csv", CSV)}).status_code == 200


def test_a_full_workspace_is_507(tmp_path: Path) -> None:
    files = Files(Workspace.at(tmp_path), Limits.of({"workspace": 1}))
    with files.adding() as folder:
        (folder / "data.csv").write_bytes(CSV)
        files.keep(folder, Stored("", "a.csv", "", "me", 0, len(CSV), "", ".csv"))
    with pytest.raises(ResourceError, match="full") as why:
        files.room("me")
    assert why.value.http == 507


def test_what_was_left_behind_is_removed_at_the_start(server: Server) -> None:
    old, new = (server.place.part("temporary") / name for name in ("upload-old", "upload-new"))
    for path in (old, new):
        path.mkdir()
        (path / "0.part").write_bytes(b"x")
    os.utime(old, (0, 0))
    with TestClient(build(server)):
        assert not old.exists() and new.exists()


def test_an_upload_that_is_cut_leaves_nothing(server: Server) -> None:
    config = uvicorn.Config(build(server), host="127.0.0.1", port=0, log_level="error")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    try:
        while not running.started:
            time.sleep(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        raw, _ = form(b"half.csv", b"1,2\n" * 10_000)
        for cut in (len(raw) // 2, len(raw) - 4, 30):
            with socket.create_connection(("127.0.0.1", port), 5) as wire:
                wire.sendall(b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw[:cut])
                time.sleep(0.05)
        until = time.monotonic() + 5
        while not nothing_is_left(server) and time.monotonic() < until:
            time.sleep(0.02)
        assert nothing_is_left(server)
    finally:
        running.should_exit = True
        thread.join(5)
