"""The page of a blind comparison: nobody else's host, page, address or bytes get a vote in or an item out. Every refusal has one shape."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import ilk
from ilk.rng import Rng
from ilk.verbs._ballots import Votes, schedule
from ilk.verbs.blind import Study

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
TOKEN, HOME = "the-secret", "http://127.0.0.1:8000"


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b"x" * 1000


@pytest.fixture
def votes(tmp_path: Path) -> Any:
    items = tuple(tuple(f"<pre>secret item {s}{i}</pre>" for i in range(3)) for s in range(2))
    found = Votes(tmp_path / "v.jsonl", Study(("one", "two"), items, ("",) * 3, schedule(2, 3, 0.0, Rng(0)), False))
    return found


def call(votes: Votes, method: str, path: str, **more: Any) -> Any:
    async def go() -> Any:
        transport = httpx.ASGITransport(ilk.blind_app(votes, TOKEN), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            if more.get("content") == "chunks":
                more["content"] = _chunks()
            return await client.request(method, path, **more)

    return asyncio.run(go())


def refused(votes: Votes, status: int, code: str, method: str, path: str, **more: Any) -> None:
    before = votes.at.read_bytes()
    told = call(votes, method, path, **more)
    assert told.status_code == status, told.text
    assert set(told.json()) == {"error"} and set(told.json()["error"]) == {"message", "type", "param", "code"} and told.json()["error"]["code"] == code
    assert votes.at.read_bytes() == before and votes.next == 0
    assert not any(word in told.text for word in (TOKEN, "secret item", "Traceback", "/tmp"))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "10.0.0.1:8000", "", "evil.example:127.0.0.1", "[::1]:8000"])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "next"), ("POST", "vote"), ("POST", "undo")])
def test_another_host(votes: Votes, host: str, method: str, path: str) -> None:
    refused(votes, 403, "HOST", method, f"/{TOKEN}/{path}", headers={"host": host})


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8000"])
def test_another_page(votes: Votes, origin: str) -> None:
    refused(votes, 403, "ORIGIN", "POST", f"/{TOKEN}/vote", json={"k": 0, "choice": "left"}, headers={"origin": origin})


@pytest.mark.parametrize("path", ["/", "/next", "/vote", f"/{TOKEN}", f"/{TOKEN[:-1]}/next", f"/{TOKEN}x/next", f"//{TOKEN}/next", "/é/next", f"/{TOKEN.upper()}/next",
                                  "/favicon.ico"])
def test_no_token(votes: Votes, path: str) -> None:
    refused(votes, 403, "TOKEN", "GET", path)


@pytest.mark.parametrize("path", ["nothing", "next/more", "../next", "next/", "vote/../../etc/passwd"])
def test_nothing_else_is_there(votes: Votes, path: str) -> None:
    told = call(votes, "GET", f"{HOME}/{TOKEN}/{path}")
    assert told.status_code in (403, 404) and set(told.json()) == {"error"} or told.status_code == 307


@pytest.mark.parametrize(("method", "path"), [("POST", "next"), ("GET", "vote"), ("PUT", "vote"), ("DELETE", "undo"), ("POST", "")])
def test_other_methods(votes: Votes, method: str, path: str) -> None:
    refused(votes, 405, "HTTP", method, f"/{TOKEN}/{path}")


@pytest.mark.parametrize("path", ["vote", "undo"])
@pytest.mark.parametrize("content", [b"x" * 5000, b'{"k": 0, "choice": "left", "more": "' + b"y" * 5000 + b'"}', "chunks"])
def test_too_many_bytes(votes: Votes, path: str, content: Any) -> None:
    refused(votes, 413, "TOO_LARGE", "POST", f"/{TOKEN}/{path}", content=content)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 4000, b'"left"', b"[0]", b"null", b"7"])
def test_no_json(votes: Votes, content: bytes) -> None:
    refused(votes, 400, "JSON", "POST", f"/{TOKEN}/vote", content=content)


@pytest.mark.parametrize("body", [{}, {"k": 0}, {"k": "0", "choice": "left"}, {"k": True, "choice": "left"}, {"k": 0, "choice": ["left"]}, {"k": 0.0, "choice": "left"}])
def test_no_vote(votes: Votes, body: Any) -> None:
    refused(votes, 400, "VOTE", "POST", f"/{TOKEN}/vote", json=body)


def test_choices_and_numbers_that_are_none(votes: Votes) -> None:
    refused(votes, 400, "CHOICE", "POST", f"/{TOKEN}/vote", json={"k": 0, "choice": "one"})
    for k in (1, -1, 10**30):
        refused(votes, 409, "STALE", "POST", f"/{TOKEN}/vote", json={"k": k, "choice": "left"})
    refused(votes, 400, "LANGUAGE", "GET", f"/{TOKEN}/?language=<script>")


def test_times_that_are_none_are_left_out(votes: Votes) -> None:
    for k, seconds in enumerate((b"NaN", b"-1", b'"soon"')):
        assert call(votes, "POST", f"/{TOKEN}/vote", content=b'{"k": %d, "choice": "left", "seconds": %s}' % (k, seconds)).status_code == 200
    assert votes.at.read_text().count('"seconds": null') == 3


def test_a_disk_that_is_full_is_told(votes: Votes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vote is not counted, and the page says that it was not kept."""
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ilk.verbs._ballots.os.fsync", full)
    told = call(votes, "POST", f"/{TOKEN}/vote", json={"k": 0, "choice": "left"})
    assert told.status_code == 507 and told.json()["error"]["code"] == "DISK_FULL" and votes.next == 0


def test_items_can_run_nothing(tmp_path: Path) -> None:
    """Texts, cells and captions that are HTML stay texts."""
    evil = '<script>alert(1)</script><img src=x onerror="alert(1)">'
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f'"{evil.replace(chr(34), chr(34) * 2)}",{i}\n' for i in range(30)))
    (tmp_path / "a.jsonl").write_text("".join(f'{{"text": {__import__("json").dumps(evil + str(i))}}}\n' for i in range(30)))
    for name in ("a.csv", "a.jsonl"):
        found = ilk.blind({"one": tmp_path / name, "two": ilk.read(tmp_path / name)}, n=3)
        assert all("&lt;script&gt;" in item and "<script" not in item and "<img" not in item for side in found.items for item in side)
