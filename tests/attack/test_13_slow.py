"""Clients that are slow on purpose, against the protocol in a server of this process. The whole of it, with hundreds of them, is `make load NAME=slow_loris`."""
from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")

import uvicorn

from ilk.chat import Delta
from ilk.serve import here
from ilk.serve.limits import Limits
from ilk.serve.protocol import patient
from ilk.serve.work import Held

from ._asgi import JSON, TOKEN, ask, bearer, chat, running, server

QUICK = Limits(header_seconds=0.3, body_seconds=0.3, body_rate=1000, write_seconds=0.4, header=2048, buffer=64 * 1024)
POST = b"POST /%s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """/slow answers for a second, /flood without end, /deaf before it has read, all else what was sent."""
    body, more = b"", scope["path"] != "/deaf"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range({"/slow": 10, "/flood": 10_000}.get(scope["path"], 0)):
        await send({"type": "http.response.body", "body": b"x" * (10 if scope["path"] == "/slow" else 64 * 1024), "more_body": True})
        await asyncio.sleep(0.1 if scope["path"] == "/slow" else 0)
    await send({"type": "http.response.body", "body": b"<%d>" % len(body)})


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, Any]]:
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    taken.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=patient(QUICK), ws="none", lifespan="off", log_config=None, access_log=False,
                                           h11_max_incomplete_event_size=QUICK.header, timeout_graceful_shutdown=1))
    running = asyncio.create_task(server._serve([taken]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield taken.getsockname()[1], server
    finally:
        server.should_exit = True
        await running


def tried(what: Callable[[int, Any], Awaitable[None]]) -> None:
    async def run() -> None:
        async with listening() as (port, server):
            await asyncio.wait_for(what(port, server), 10)
    asyncio.run(run())


async def said(port: int, *pieces: bytes, every: float = 0.0) -> tuple[bytes, float]:
    """What comes until the server closes, and after how long, when these pieces are sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = asyncio.get_running_loop().time()

    async def drip() -> None:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(every)
    dripping = asyncio.create_task(drip())
    try:
        found = await reader.read()
    except ConnectionResetError:
        found = b""
    dripping.cancel()
    writer.close()
    return found, asyncio.get_running_loop().time() - began


@pytest.mark.parametrize("pieces", [(), (b"POST / HTTP/1.1\r\nx-a: ",), (b"POST / HTTP/1.1\r\n", *[b"x-a: b\r\n"] * 50),
                                    (POST % (b"", 100),), (POST % (b"", 100), *[b"x"] * 50)])
def test_what_does_not_arrive_is_cut(pieces: tuple[bytes, ...]) -> None:
    async def run(port: int, server: Any) -> None:
        found, seconds = await said(port, *pieces, every=0.05)
        assert 0.25 < seconds < 2 and (found == b"" or b" 408 " in found)
    tried(run)


def test_a_second_request_has_a_deadline_of_its_own() -> None:
    async def run(port: int, server: Any) -> None:
        found, seconds = await said(port, POST % (b"", 2) + b"ab", b"POST / HTTP/1.1\r\nx", *[b"x"] * 50, every=0.1)
        assert found.startswith(b"HTTP/1.1 200") and b"<2>" in found and b" 408 " in found and seconds < 2
    tried(run)


def test_a_body_that_keeps_its_rate_has_time() -> None:
    async def run(port: int, server: Any) -> None:
        found, seconds = await said(port, POST % (b"", 2000), *[b"x" * 200] * 10, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", every=0.08)
        assert b"<2000>" in found and seconds > 0.7
    tried(run)


def test_a_long_answer_goes_on() -> None:
    async def run(port: int, server: Any) -> None:
        found, seconds = await said(port, b"GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert b"<0>" in found and seconds > 0.9
    tried(run)


def test_who_never_reads_is_cut_and_little_is_kept_for_them() -> None:
    async def run(port: int, server: Any) -> None:
        line = socket.create_connection(("127.0.0.1", port))
        line.sendall(b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n")
        most, loop = 0, asyncio.get_running_loop()
        until = loop.time() + 5
        while loop.time() < until and (server.server_state.connections or not most):
            most = max([most, *(c.transport.get_write_buffer_size() for c in server.server_state.connections)])
            await asyncio.sleep(0.02)
        assert not server.server_state.connections and 0 < most <= 2 * QUICK.buffer
        line.close()
    tried(run)


def test_no_words_are_made_ahead_of_who_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that lies between the model and the line takes a few pieces; when whoever asked is cut off, the model stops."""
    made: list[int] = []

    class Endless:
        name, window = "echo", None

        def chat(self, turns: Any, want: Any) -> Iterator[Delta]:
            try:
                while len(made) < 100_000:
                    made.append(len(made))
                    yield Delta("word ")
            finally:
                made.append(-1)
    monkeypatch.setattr(here, "held", lambda name, place: Held(name, chat=Endless(), address=place))

    async def run() -> None:
        async with running(server(tmp_path)) as app:
            asking = asyncio.create_task(ask(app, "POST", "/v1/chat/completions", [bearer(TOKEN), JSON], chat(stream=True), takes=5))
            await asyncio.sleep(0.5)
            so_far = len(made)
            await asyncio.sleep(0.2)
            assert 3 < so_far == len(made) <= 5 + here.AHEAD + 6
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await asyncio.sleep(0.2)
            assert made[-1] == -1 and len(made) <= so_far + 2
    asyncio.run(run())


@pytest.mark.parametrize(("sent", "status"), [(b"GET / HTTP/1.1\r\nx-a: " + b"b" * 9000, b"431"), (b"nonsense\r\n\r\n", b"400"), (b"\x16\x03\x01\x02", b"400"),
                                              (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\n\r\n", b"400")])
def test_what_is_no_request_is_told_so_in_the_shape_of_errors(sent: bytes, status: bytes) -> None:
    async def run(port: int, server: Any) -> None:
        found, seconds = await said(port, sent)
        assert found.startswith(b"HTTP/1.1 " + status) and b'"error"' in found and b"x-request-id: req_" in found and seconds < 2
    tried(run)


def test_the_rest_of_a_body_that_was_refused_is_thrown_away() -> None:
    """The refusal is read although more was sent than anybody took."""
    async def run(port: int, server: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST % (b"deaf", 10_000_000) + b"x" * 1_000_000)
        assert (await reader.readuntil(b"<0>")).startswith(b"HTTP/1.1 200")
        assert await reader.read() == b"\r\n0\r\n\r\n"
        writer.close()
    tried(run)
