"""L6: a fit, two clients that sample, sixteen that chat, two hundred documents taken into a library and a studio that looks on: nobody starves.

The chat model is `echo:` with a pause at each word, so that its times are those of the server, unless the environment variable ILK_LOAD_CHAT names another.
"""
from __future__ import annotations

import http.client
import json
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.load._server import Running, serving, share

CHAT = os.environ.get("ILK_LOAD_CHAT", "echo:One two three four five six seven eight nine ten eleven twelve?pause=0.02")
SOLO, BESIDE = 15.0, float(os.environ.get("ILK_LOAD_SECONDS", "60"))   # seconds of the fit alone, and among the others
CHATS, SAMPLERS, DOCUMENTS = 16, 2, 200
ROWS = "a,b,c\n" + "".join(f"{i * 37 % 101 / 10},{i * i % 17},{'xyz'[i % 3]}\n" for i in range(2000))
WORDS = ("river", "stone", "lantern", "winter", "harbour", "copper", "meadow", "signal", "orchard", "thunder", "velvet", "compass")


def load() -> dict[str, Any]:
    """Rates and delays of each beside what they are alone."""
    with tempfile.TemporaryDirectory(prefix="ilk-mixed-") as kept:
        flags = ["--no-auth"]
        with serving(f"chat={CHAT}", workspace=Path(kept) / "workspace", flags=flags, limits={"jobs": 3, "running": CHATS, "items": 4096}) as server:
            file = _sent(server, "data.csv", ROWS)
            small = _job(server, "fit", file=file, family="gmm", options={"components": 3}, steps=20, name="small")
            _until(server, small)
            idle = _chatting(server, 10.0)
            long = _job(server, "fit", file=file, family="made", seconds=3600)
            alone = _rate(server, long, SOLO)
            documents = [_sent(server, f"note-{i}.txt", _text(i)) for i in range(DOCUMENTS)]
            ingest = _job(server, "index", files=documents, name="notes")
            return {**_beside(server, long, alone, idle), **_ending(server, long, ingest)}


def _beside(server: Running, long: str, alone: float, idle: list[float]) -> dict[str, Any]:
    """All at once."""
    stop, health, made, failures = threading.Event(), list[float](), [0], list[str]()
    beside = [threading.Thread(target=_repeating, args=(stop, failures, lambda: _sampled(server, made))) for _ in range(SAMPLERS)]
    beside.append(threading.Thread(target=_repeating, args=(stop, failures, lambda: _looked(server, health))))
    for thread in beside:
        thread.start()
    waits: list[float] = []
    chats = threading.Thread(target=lambda: waits.extend(_chatting(server, BESIDE)))
    chats.start()
    rate = _rate(server, long, BESIDE)
    chats.join()
    stop.set()
    for thread in beside:
        thread.join()
    return {"value": round(rate / alone, 3), "fit_share": round(rate / alone, 3), "steps_alone": round(alone, 1), "steps_beside": round(rate, 1),
            "ttft_idle": round(share(idle, 0.99), 4), "ttft": round(share(waits, 0.99), 4), "ttft_times": round(share(waits, 0.99) / share(idle, 0.99), 2),
            "chats": len(waits), "samples": made[0], "polls": len(health), "healthz": round(share(health, 0.99), 4), "lag": _lag(server), "failures": failures[:5]}


def _ending(server: Running, long: str, ingest: str) -> dict[str, Any]:
    indexed = _until(server, ingest, 300)
    server.ask(f"/v1/jobs/{long}/cancel", {})
    return {"ingest": indexed["state"], "fit": _until(server, long)["state"]}


def _chatting(server: Running, seconds: float) -> list[float]:
    """Seconds to the first token, of as many chats at once as there are, again and again."""
    until, found = time.monotonic() + seconds, list[float]()

    def talk(number: int) -> None:
        while time.monotonic() < until:
            found.append(_first(server, number))

    threads = [threading.Thread(target=talk, args=(i,)) for i in range(CHATS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def _first(server: Running, number: int) -> float:
    line = http.client.HTTPConnection(*server.host, timeout=120)
    body = {"model": "chat", "messages": [{"role": "user", "content": f"Say number {number}"}], "stream": True, "max_tokens": 12}
    start = time.monotonic()
    line.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    answer = line.getresponse()
    answer.read(1)
    waited = time.monotonic() - start
    answer.read()
    line.close()
    if answer.status != 200:
        raise RuntimeError(f"a chat was answered with {answer.status}")
    return waited


def _sampled(server: Running, made: list[int]) -> None:
    status, told = server.ask("/v1/sample", {"model": "small", "n": 200, "seed": made[0]}, timeout=120)
    if status != 200:
        raise RuntimeError(f"/v1/sample: {status} {str(told)[:200]}")
    made[0] += 1


def _looked(server: Running, health: list[float]) -> None:
    for path in ("/v1/jobs", "/v1/models", "/healthz"):
        start = time.monotonic()
        if server.ask(path, timeout=60)[0] != 200:
            raise RuntimeError(f"{path} failed")
    health.append(time.monotonic() - start)
    time.sleep(0.5)


def _repeating(stop: threading.Event, failures: list[str], work: Callable[[], None]) -> None:
    while not stop.is_set():
        try:
            work()
        except (RuntimeError, OSError, http.client.HTTPException) as why:
            failures.append(str(why)[:200])
            time.sleep(0.2)


def _lag(server: Running) -> float:
    """How late the event loop was but for one time in a hundred: the bound of the bucket, from the metrics."""
    lines = [line for line in str(server.ask("/metrics")[1]).splitlines() if line.startswith("ilk_event_loop_lag_seconds_bucket")]
    found = [(float(line.split('le="')[1].split('"')[0]), float(line.rsplit(" ", 1)[1])) for line in lines]
    return next((bound for bound, count in found if count >= 0.99 * found[-1][1]), float("inf")) if found else -1.0


def _rate(server: Running, id: str, seconds: float) -> float:
    """Steps a second of a fit, from its own events."""
    first = _steps(server, id)
    time.sleep(seconds)
    last = _steps(server, id)
    return (last[0] - first[0]) / max(1e-9, last[1] - first[1])


def _steps(server: Running, id: str) -> tuple[int, float]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with sqlite3.connect(server.workspace / "jobs" / "jobs.sqlite", timeout=30) as db:
            row = db.execute("SELECT facts FROM events WHERE job = ? AND facts LIKE '%\"event\":\"progress\"%' ORDER BY number DESC LIMIT 1", (id,)).fetchone()
        if row is not None:
            facts = json.loads(row[0])
            return int(facts["step"]), float(facts["at"])
        time.sleep(0.1)
    raise RuntimeError("the fit did not begin")


def _sent(server: Running, name: str, text: str) -> str:
    line = http.client.HTTPConnection(*server.host, timeout=60)
    head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    line.request("POST", "/v1/files", head + text.encode() + b"\r\n--B--\r\n", {"content-type": "multipart/form-data; boundary=B"})
    return str(json.loads(line.getresponse().read())["id"])


def _text(i: int) -> str:
    """A document of its own words."""
    return "\n\n".join(" ".join(WORDS[(i * 7 + j * j + k * (i % 5 + 1)) % len(WORDS)] for k in range(60)) + f" {i}-{j}." for j in range(8))


def _job(server: Running, kind: str, **params: Any) -> str:
    status, told = server.ask("/v1/jobs", {"kind": kind, "params": params})
    if status != 202:
        raise RuntimeError(f"{status}: {told}")
    return str(told["id"])


def _until(server: Running, id: str, seconds: float = 120) -> Any:
    until, job = time.monotonic() + seconds, {"state": "unknown"}
    while time.monotonic() < until:
        with suppress(OSError):
            job = server.ask(f"/v1/jobs/{id}")[1]
        if job["state"] not in ("queued", "running", "unknown"):
            break
        time.sleep(0.2)
    return job
