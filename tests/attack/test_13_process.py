"""The server as a process: what it needs alone, and how it ends. What never comes in, or is never read, is in test_13_slow.py."""
from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")

from ilk.errors import ResourceError
from ilk.serve.place import Workspace

PAUSE = 0.05   # seconds to a word


def test_a_workspace_is_of_one_server(ilk: Any) -> None:
    with Workspace.at("w").alone():
        ilk("serve", "echo:", "--port", "0", "--workspace", "w").refused(5, "WORKSPACE_BUSY")
    with Workspace.at("w").alone(), pytest.raises(ResourceError, match="another server"), Workspace.at("w").alone():
        pass


def test_a_port_that_is_in_use_is_told(ilk: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ilk("serve", "echo:", "--port", other.getsockname()[1], "--workspace", "w").refused(5, "PORT")
    with Workspace.at("w").alone():   # it has let go of it
        pass


@dataclass
class Running:
    """A server in a process of its own, what it told when it was ready, and the lines to it that are open."""

    process: subprocess.Popen[str]
    port: int
    token: str
    lines: ExitStack

    def ask(self, method: str, path: str, body: Any = None) -> http.client.HTTPResponse:
        """The answer, of which nothing is read yet."""
        line = self.lines.enter_context(closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)))
        line.request(method, path, None if body is None else json.dumps(body), {"authorization": f"Bearer {self.token}", "content-type": "application/json"})
        return self.lines.enter_context(closing(line.getresponse()))

    def stream(self, words: int) -> http.client.HTTPResponse:
        """An answer of so many words that has begun and goes on."""
        answer = self.ask("POST", "/v1/chat/completions", {"model": "echo", "messages": [{"role": "user", "content": "word " * words}], "stream": True})
        assert answer.status == 200 and answer.readline().startswith(b"data: {")
        return answer

    def ended(self, *signals: int, every: float = 0.0) -> int:
        """What it exits with after these signals."""
        for number in signals:
            os.kill(self.process.pid, number)
            time.sleep(every)
        return self.process.wait(20)


@pytest.fixture
def serves(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers in one workspace; whatever becomes of them, none is left."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> Running:
        command = [sys.executable, "-m", "ilk", "serve", f"echo=echo:?pause={PAUSE}", "--port", "0", "--workspace", str(tmp_path / "w"), "--json", *words]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}))
        said = json.loads(started[-1].stdout.readline())  # type: ignore[union-attr]
        return Running(started[-1], int(said["url"].rpartition(":")[2]), said["token"], lines)
    with ExitStack() as lines:
        yield start
    for one in started:
        with suppress(ProcessLookupError):
            one.kill()
        one.communicate()


@pytest.mark.slow
def test_what_runs_is_done_after_the_signal_and_nothing_new_begins(serves: Callable[..., Running], tmp_path: Path) -> None:
    server = serves()
    answer = server.stream(40)
    os.kill(server.process.pid, signal.SIGTERM)
    time.sleep(0.3)
    refused = server.ask("POST", "/v1/chat/completions", {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]})
    assert (refused.status, json.loads(refused.read())["error"]["code"]) == (503, "draining") and refused.headers["retry-after"]
    rest = answer.read()
    assert rest.count(b'"content":"word "') == 40 and rest.endswith(b"data: [DONE]\n\n")
    assert server.process.wait(20) == 143
    with Workspace.at(tmp_path / "w").alone():
        pass


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_with_what_it_was_ended_by_and_another_may_begin(ilk: Any, serves: Callable[..., Running], number: int, code: int) -> None:
    first = serves()
    ilk("serve", "echo:", "--port", "0", "--workspace", "w").refused(5, "WORKSPACE_BUSY")
    assert first.ended(number) == code
    assert serves().ask("GET", "/healthz").status == 200


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--limit", "drain_seconds=0.5")])
def test_nothing_holds_it_up_for_long(serves: Callable[..., Running], words: tuple[str, ...]) -> None:
    """A second signal ends it at once, and without one the time to drain does."""
    server = serves(*words)
    answer, began = server.stream(600), time.monotonic()
    assert server.ended(*[signal.SIGTERM] * (1 if words else 2), every=0.2) == 143
    assert time.monotonic() - began < 600 * PAUSE / 3
    with suppress(http.client.HTTPException, OSError):
        assert not answer.read().endswith(b"data: [DONE]\n\n")
