"""L8: five mixed requests a second for a quarter of an hour: whether memory, files, threads or the journal grow."""
from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.load._server import Running, serving
from benchmarks.load._texts import small
from benchmarks.load.memory import MIB, _did

SECONDS, RATE, WARM, EVERY = float(os.environ.get("ILK_LOAD_SECONDS", "900")), 5, 180.0, 5.0
KINDS = ("chat", "sample", "list", "chat", "sample", "score", "upload", "list")


def load() -> dict[str, Any]:
    """The slope of what it holds after three minutes, and how much the rest changed since then."""
    with tempfile.TemporaryDirectory(prefix="ilk-soak-") as kept, serving(f"words={small(Path(kept) / 'words.ilk')}", "echo=echo:") as server:
        codes, rows = _soaked(server)
        journal = max((p.stat().st_size for p in server.workspace.rglob("*-wal")), default=0)
    warm = [row for row in rows if row[0] >= min(WARM, SECONDS / 3)]
    times, memory = np.array([row[0] for row in warm]), np.array([row[1] for row in warm], float)
    slope = float(np.polyfit(times / 60, memory / MIB, 1)[0])
    first, last = np.array([row[2:] for row in warm[:5]]).max(0), np.array([row[2:] for row in warm[-5:]]).min(0)
    return {"seconds": SECONDS, "requests": len(codes), "server_errors": sum(c >= 500 for c in codes), "mib_a_minute": round(slope, 3), "mib": round(memory[-1] / MIB, 1),
            **{f"{name}_more": int(b - a) for name, a, b in zip(("files", "threads", "temporary"), first, last, strict=True)}, "journal_mib": round(journal / MIB, 2)}


def _soaked(server: Running) -> tuple[list[int], list[tuple[float, ...]]]:
    start, codes, rows, due = time.monotonic(), [], [], 0.0
    with httpx.Client(base_url=server.url, headers={"authorization": server.headers["authorization"]}, timeout=60) as client, ThreadPoolExecutor(8) as pool:
        asked = []
        for i in range(int(SECONDS * RATE)):
            time.sleep(max(0.0, start + i / RATE - time.monotonic()))
            asked.append(pool.submit(_did, client, KINDS[i % len(KINDS)]))
            if time.monotonic() - start >= due:
                rows.append((time.monotonic() - start, *_held(server)))
                due += EVERY
        codes = [one.result() for one in asked]
    return codes, rows


def _held(server: Running) -> tuple[float, ...]:
    """Bytes of memory, open files, threads and temporary files, of the server and its processes."""
    one = psutil.Process(server.pid)
    files = threads = 0
    for process in (one, *one.children(recursive=True)):
        with suppress(psutil.Error):
            files, threads = files + process.num_fds(), threads + process.num_threads()
    return server.rss(), files, threads, sum(1 for _ in (server.workspace / "temporary").iterdir())
