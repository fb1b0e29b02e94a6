"""L10: kill -9 of the server and of the processes of its jobs, at random, while clients submit jobs with idempotency keys until each is acknowledged."""
from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.load._server import Running, begun
from ilk.rng import Rng

KILLS = int(os.environ.get("ILK_LOAD_KILLS", "60"))   # of the server, and as many of processes of jobs
JOBS, PACE, LAST = 2, 0.25, 240.0   # a kill of the server; seconds between two; seconds for what is left when the killing is over


def load() -> dict[str, Any]:
    """What was acknowledged against what there is in the end."""
    with tempfile.TemporaryDirectory(prefix="ilk-crash-") as kept:
        world = World(Path(kept))
        start = time.monotonic()
        try:
            world.killing()
            return {**world.judged(), "seconds": round(time.monotonic() - start, 1)}
        finally:
            world.end()


class World:
    """A workspace, the server that is killed, and a client that sends everything until it is acknowledged."""

    def __init__(self, at: Path) -> None:
        self.at, self.log = at / "workspace", open(at / "log", "w")  # noqa: SIM115 - closed at the end
        self.rng = Rng(10)
        self.acked: dict[str, str] = {}
        self.doubled = self.server_kills = self.child_kills = self.retries = 0
        self.wanted: list[str] = []
        self.done = False
        self.server = self.begun()
        self.data = Path(at) / "data.csv"
        self.data.write_text("a,b\n" + "".join(f"{i * 37 % 101 / 10},{i * i % 17}\n" for i in range(300)))
        self.file = self._upload()

    def begun(self) -> Running:
        """A server, at once after the last."""
        return begun(["echo=echo:"], self.at, ["--limit", "jobs=2", "--limit", "jobs_queued=10000", "--no-auth"], errors=self.log)

    def end(self) -> None:
        """Stops what runs."""
        self.server.stop()
        self.log.close()

    def killing(self) -> None:
        """Kills, with a client beside."""
        client = threading.Thread(target=self._client)
        client.start()
        for turn in range(KILLS):
            self.wanted += [f"key-{turn}-{i}" for i in range(JOBS)]
            time.sleep(0.2 + 1.3 * float(self.rng.child("wait", turn).uniform(1)[0]))
            self._kill_child()
            time.sleep(0.4 * float(self.rng.child("after", turn).uniform(1)[0]))
            os.kill(self.server.pid, signal.SIGKILL)
            self.server.process.wait()
            self.server_kills += 1
            self.server = self.begun()
        self.server.wait()
        self.done = True
        client.join()
        until = time.monotonic() + LAST
        while time.monotonic() < until and any(state in ("queued", "running") for _, state, _ in self._jobs()):
            self._kill_child() if self.child_kills < KILLS else None
            time.sleep(0.5)

    def judged(self) -> dict[str, Any]:
        """The figures of the bar."""
        jobs = self._jobs()
        states = [state for _, state, _ in jobs]
        models = sorted(p.name for p in (self.at / "models").iterdir())
        made = sorted(f"{json.loads(m)['model']}.ilk" for _, state, m in jobs if state == "succeeded")
        torn = [name for name in models if not _whole(self.at / "models" / name)]
        ids = {id for id, _, _ in jobs}
        with sqlite3.connect(self.at / "jobs" / "jobs.sqlite") as db:
            integrity = db.execute("PRAGMA integrity_check").fetchone()[0]
        return {"value": len(set(self.acked.values()) - ids), "lost": len(set(self.acked.values()) - ids), "doubled": self.doubled + len(ids) - len(set(self.acked.values())),
                "acknowledged": len(self.acked), "unfinished": sum(s in ("queued", "running") for s in states), "succeeded": states.count("succeeded"),
                "interrupted": states.count("interrupted"), "failed": states.count("failed"), "torn": len(torn), "models_doubled": len(models) - len(made) if models == made else
                len(set(models) ^ set(made)), "integrity": integrity, "server_kills": self.server_kills, "child_kills": self.child_kills, "retries": self.retries}

    def _jobs(self) -> list[tuple[str, str, str]]:
        with sqlite3.connect(self.at / "jobs" / "jobs.sqlite", timeout=30) as db:
            return db.execute("SELECT id, state, made FROM jobs").fetchall()

    def _kill_child(self) -> None:
        """One process of a job that runs, if there is one."""
        for id, state, _ in self._jobs():
            if state == "running":
                with suppress(OSError, ValueError):
                    os.kill(int((self.at / "jobs" / id / ".pid").read_text()), signal.SIGKILL)
                    self.child_kills += 1
                    return

    def _client(self) -> None:
        """Sends each order until it is acknowledged, now and then once more."""
        sent = 0
        while not self.done or sent < len(self.wanted):
            if sent == len(self.wanted):
                time.sleep(0.02)
                continue
            key = self.wanted[sent]
            for _ in range(1 + (sent % 3 == 0)):
                id = self._sent(key)
                self.doubled += self.acked.setdefault(key, id) != id
            sent += 1
            time.sleep(PACE)

    def _sent(self, key: str) -> str:
        body = {"kind": "fit", "params": {"file": self.file, "family": "gmm", "options": {"components": 2}, "steps": 20, "name": "made"}}
        while True:
            with suppress(OSError, http.client.HTTPException, ValueError, KeyError):
                name, port = self.server.host
                line = http.client.HTTPConnection(name, port, timeout=20)
                line.request("POST", "/v1/jobs", json.dumps(body), {"content-type": "application/json", "idempotency-key": key, "host": f"{name}:{port}"})
                answer = line.getresponse()
                told = json.loads(answer.read())
                if answer.status == 202:
                    return str(told["id"])
            self.retries += 1
            time.sleep(0.05)

    def _upload(self) -> str:
        self.server.wait()
        name, port = self.server.host
        head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="data.csv"\r\n\r\n'
        line = http.client.HTTPConnection(name, port, timeout=20)
        line.request("POST", "/v1/files", head + self.data.read_bytes() + b"\r\n--B--\r\n", {"content-type": "multipart/form-data; boundary=B", "host": f"{name}:{port}"})
        return str(json.loads(line.getresponse().read())["id"])


def _whole(model: Path) -> bool:
    """Whether a model loads: every hash is right."""
    from ilk.errors import IlkError
    from ilk.model import load as opened

    try:
        opened(model)
    except IlkError:
        return False
    return True
