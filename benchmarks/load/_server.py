"""What the bars share: a server in a process of its own, what its metrics say, and whether a row passes its bar."""
from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent


@dataclass(frozen=True)
class Running:
    """A server that runs: where it listens, the token that it printed, and its process."""

    url: str
    token: str
    process: subprocess.Popen[str]
    workspace: Path

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def host(self) -> tuple[str, int]:
        """Where a socket connects to."""
        name, _, port = self.url.removeprefix("http://").rpartition(":")
        return name.strip("[]"), int(port)

    @property
    def headers(self) -> dict[str, str]:
        """What lets a request in."""
        return {"authorization": f"Bearer {self.token}", "content-type": "application/json"}

    def ask(self, path: str, body: Any = None, timeout: float = 30, method: str | None = None) -> tuple[int, Any]:
        """Status and JSON (or text) of one request."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, data, self.headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=timeout) as answer:
                return answer.status, _read(answer.read())
        except urllib.error.HTTPError as why:
            return why.code, _read(why.read())

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; `name` without ilk_, such as requests_running, or with labels as the text has them."""
        said = str(self.ask("/metrics")[1]).splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in said if line.startswith((f"ilk_{name} ", f"ilk_{name}{{")))

    def rss(self, children: bool = True) -> int:
        """Bytes in memory, of it and of those it started."""
        import psutil

        one = psutil.Process(self.pid)
        found = 0
        for process in [one, *(one.children(recursive=True) if children else [])]:
            with suppress(psutil.Error):
                found += process.memory_info().rss
        return found

    def wait(self, seconds: float = 60) -> None:
        """Until it is ready; TimeoutError if it never is, RuntimeError if it ends."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}")
            with suppress(OSError, http.client.HTTPException):
                if self.ask("/readyz", timeout=5)[0] == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"not ready after {seconds} s")

    def stop(self, number: int = signal.SIGTERM, seconds: float = 40) -> int:
        """Asks it to end, by its process; its exit code. After so many seconds it is killed."""
        if self.process.poll() is None:
            os.kill(self.pid, number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def begun(words: Sequence[str], workspace: Path, flags: Sequence[str] = (), env: Mapping[str, str] | None = None, errors: Any = None) -> Running:
    """`ilk serve` of some models (NAME=PLACE) on a free port, as soon as it listens (`.wait()`: as soon as it is ready). `errors`: a file for its log."""
    command = [sys.executable, "-m", "ilk", "serve", *words, "--port", "0", "--workspace", str(workspace), "--json", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})})
    line = process.stdout.readline() if process.stdout else ""
    try:
        said = json.loads(line)
        return Running(said["url"], said.get("token") or "", process, workspace)
    except (ValueError, KeyError):
        process.kill()
        process.wait()
        raise RuntimeError(f"the server did not start: {line[:500]!r}") from None


@contextmanager
def serving(*words: str, flags: Sequence[str] = (), workspace: Path | None = None, limits: Mapping[str, object] | None = None) -> Iterator[Running]:
    """A server that is ready, for as long as the block runs. Without a workspace it has one of its own that goes away with it. Its log goes to a file there."""
    with tempfile.TemporaryDirectory(prefix="ilk-load-") as kept:
        where = workspace or Path(kept) / "workspace"
        words_of = [*flags, *(w for name, value in (limits or {}).items() for w in ("--limit", f"{name}={value}"))]
        with open(Path(kept) / "log", "w") as log:
            server = begun(words, where, words_of, errors=log)
            try:
                server.wait()
                yield server
            finally:
                server.stop()


def judged(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row, and whether it passes: every number of its table in bars.toml is `least`, `most` or `exactly` what stands there."""
    bars: dict[str, dict[str, Any]] = tomllib.loads((HOME / "bars.toml").read_text(encoding="utf-8")).get(name, {})
    missed = [f"{key} {row[key]} ({kind} {bound})" for kind, test in _TESTS.items() for key, bound in bars.get(kind, {}).items() if not test(row[key], bound)]
    return {**row, "missed": missed, "passed": not missed}


_TESTS: dict[str, Any] = {"least": lambda x, y: x >= y, "most": lambda x, y: x <= y, "exactly": lambda x, y: x == y}


def share(values: Sequence[float], part: float) -> float:
    """The value below which this part of the values lies: 0.5 the median, 0.99 all but a hundredth."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _read(said: bytes) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        return said.decode("utf-8", "replace")
