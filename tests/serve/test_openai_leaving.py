"""Who leaves stops the work, whether the answer comes in pieces or whole; who waits is told that the line still stands."""
from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ilk.serve import streamed
from ilk.serve.place import Workspace
from ilk.serve.server import Server
from ilk.serve.work import Ask, Reply, Served


class Endless:
    """A model that never comes to an end, a word every `pause` seconds."""

    def __init__(self, pause: float) -> None:
        self.pause, self.running, self.closed = pause, 0, 0

    def served(self) -> Sequence[Served]:
        return (Served("model", "", "ready"),)

    async def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        self.running += 1
        try:
            while True:
                await asyncio.sleep(self.pause)
                yield Reply({"text": "word "})
        finally:
            self.running, self.closed = self.running - 1, self.closed + 1

    async def load(self, name: str) -> None: ...
    async def unload(self, name: str) -> None: ...
    async def close(self) -> None: ...


def asked(address: tuple[str, int], more: dict[str, Any], path: str = "/v1/chat/completions") -> socket.socket:
    body = json.dumps({"model": "model", "messages": [{"role": "user", "content": "Hi"}], "n": 2, **more}).encode()
    line = socket.create_connection(address, 10)
    line.sendall(f"POST {path} HTTP/1.1\r\nhost: {address[0]}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    return line


def soon(true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 5
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    return true()


@pytest.mark.parametrize("stream", [True, False])
def test_work_ends_when_the_client_leaves(stream: bool, tmp_path: Path, listening: Callable[[Server], Any]) -> None:
    engine = Endless(0.02)
    with listening(Server(engine, Workspace.at(tmp_path))) as address:
        line = asked(address, {"stream": stream})
        assert soon(lambda: engine.running == 2)   # one for each answer
        if stream:
            assert b"word" in line.recv(65536) + line.recv(65536) + line.recv(65536)
        line.close()
        assert soon(lambda: engine.closed == 2) and engine.running == 0


def test_silence_is_filled_with_comments(tmp_path: Path, listening: Callable[[Server], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamed, "EVERY", 0.05)
    with listening(Server(Endless(0.4), Workspace.at(tmp_path))) as address, asked(address, {"stream": True, "n": 1}) as line:
        told = b""
        while told.count(b"data: ") < 3:
            told += line.recv(65536)
        assert b"\n: ping\n\n" in told.replace(b"\r\n", b"\n") and told.index(b"data: ") < told.index(b": ping")
