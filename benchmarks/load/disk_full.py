"""L11: the disk of the workspace fills while a fit runs: uploads are refused, the job fails by name, chats go on, and all is well once there is room again."""
from __future__ import annotations

import http.client
import json
import os
import resource
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.load._server import Running, serving

SIZE, FILE, SOON = 32, 2 << 20, 60.0   # MiB of the disk; bytes of a file that is sent; seconds for a job
ROWS = "a,b\n" + "".join(f"{i * 37 % 101 / 10},{i * i % 17}\n" for i in range(2000))
MANY = ROWS * (FILE // len(ROWS))
CHAT = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}


def load() -> dict[str, Any]:
    """What was answered while the disk was full, and after."""
    with tempfile.TemporaryDirectory(prefix="ilk-full-") as kept, disk(Path(kept)) as small:
        os.environ["ILK_CHECKPOINT_SECONDS"] = "0.2"
        with serving("echo=echo:", workspace=small.at / "workspace", flags=["--no-auth"], limits={"jobs": 2}) as server:
            file = _sent(server, ROWS)[1]["id"]
            before = _ended(server, _asked(server, file, steps=20))
            long = _asked(server, file, seconds=600)
            _running(server, long)
            small.fill(server)
            full = {"uploads": {_sent(server, MANY)[0] for _ in range(5)}, "chats": {server.ask("/v1/chat/completions", CHAT)[0] for _ in range(20)}}
            time.sleep(3)   # the fit comes to its next checkpoint
            small.free(server)
            failed = _ended(server, long)
            later = _sent(server, ROWS)
            after = _ended(server, _asked(server, later[1].get("id", ""), steps=20))
            server.ask(f"/v1/jobs/{long}/resume", {})
            again = _again(server, long)
            server.ask(f"/v1/jobs/{long}/cancel", {})
            _ended(server, long)
        with sqlite3.connect(small.at / "workspace" / "jobs" / "jobs.sqlite") as db:
            integrity = db.execute("PRAGMA integrity_check").fetchone()[0]
        left = [p.name for p in (small.at / "workspace" / "temporary").iterdir()]
    return {"value": failed["error"]["code"] if failed["error"] else None, "message": (failed["error"] or {}).get("message"), "disk": small.sort, "before": before["state"], "uploads": sorted(full["uploads"]),
            "chats": sorted(full["chats"]), "job": failed["state"], "code": (failed["error"] or {}).get("code"), "upload_after": later[0], "job_after": after["state"],
            "resumed": again, "integrity": integrity, "left": left}


class Mounted:
    """A small disk of its own."""

    sort = f"tmpfs of {SIZE} MiB"

    def __init__(self, at: Path) -> None:
        self.at = at

    def fill(self, server: Running) -> None:
        """To the last byte."""
        with suppress(OSError), open(self.at / "filler", "wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()

    def free(self, server: Running) -> None:
        """Room again."""
        (self.at / "filler").unlink()


class Limited:
    """Where no disk may be mounted: a limit on the size of files of the server and what it starts."""

    sort = "RLIMIT_FSIZE"

    def __init__(self, at: Path) -> None:
        self.at = at

    def fill(self, server: Running) -> None:
        """No file may grow, of any process that there is."""
        for pid in _family(server.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    def free(self, server: Running) -> None:
        """Any may again."""
        for pid in _family(server.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def disk(kept: Path) -> Iterator[Mounted | Limited]:
    """A small disk, or what comes near to one."""
    at = kept / "disk"
    at.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(at)], capture_output=True)
    try:
        yield Limited(at) if done.returncode else Mounted(at)
    finally:
        if not done.returncode:
            subprocess.run(["umount", "-l", str(at)], check=True)


def _family(pid: int) -> list[int]:
    import psutil

    return [pid, *(p.pid for p in psutil.Process(pid).children(recursive=True))]


def _sent(server: Running, text: str) -> tuple[int, Any]:
    name, port = server.host
    body = b'--B\r\nContent-Disposition: form-data; name="file"; filename="data.csv"\r\n\r\n' + text.encode() + b"\r\n--B--\r\n"
    line = http.client.HTTPConnection(name, port, timeout=60)
    line.request("POST", "/v1/files", body, {"content-type": "multipart/form-data; boundary=B", "host": f"{name}:{port}"})
    answer = line.getresponse()
    return answer.status, json.loads(answer.read())


def _asked(server: Running, file: str, **params: Any) -> str:
    status, told = server.ask("/v1/jobs", {"kind": "fit", "params": {"file": file, "family": "made", **params}})
    if status != 202:
        raise RuntimeError(f"{status}: {told}")
    return str(told["id"])


def _ended(server: Running, id: str) -> Any:
    until = time.monotonic() + SOON
    while (job := server.ask(f"/v1/jobs/{id}")[1])["state"] in ("queued", "running") and time.monotonic() < until:
        time.sleep(0.2)
    return job


def _running(server: Running, id: str) -> None:
    """Until it has made progress, and so kept a checkpoint."""
    until = time.monotonic() + SOON
    while server.ask(f"/v1/jobs/{id}")[1]["progress"] is None and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)


def _again(server: Running, id: str) -> str:
    """Whether it goes on once it was resumed."""
    until = time.monotonic() + SOON
    while time.monotonic() < until:
        job = server.ask(f"/v1/jobs/{id}")[1]
        if job["state"] == "running":
            return "running"
        time.sleep(0.2)
    return str(server.ask(f"/v1/jobs/{id}")[1]["state"])
