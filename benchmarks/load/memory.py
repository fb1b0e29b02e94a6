"""L7: a thousand mixed requests, among them 50 uploads of 8 MB and 20 bombs: what the server and its processes hold in memory, ten times a second."""
from __future__ import annotations

import io
import os
import tempfile
import threading
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from benchmarks.load._server import Running, serving
from benchmarks.load._texts import small

REQUESTS, UPLOADS, BOMBS, AT_ONCE = 1000, 50, 20, 8
IDLE = float(os.environ.get("ILK_LOAD_IDLE", "30"))
MIB = 1 << 20


def load() -> dict[str, Any]:
    """The most it held beside what it held at the start, and what it held after a rest."""
    with (tempfile.TemporaryDirectory(prefix="ilk-memory-") as kept,
          serving(f"words={small(Path(kept) / 'words.ilk')}", "echo=echo:", limits={"running": AT_ONCE}) as server,
          httpx.Client(base_url=server.url, headers={"authorization": server.headers["authorization"]}, timeout=120) as client):
        for each in _work():
            _did(client, each)   # one of each kind, so that all is loaded that will be
        start, peak, stop = server.rss(), [0], threading.Event()
        watch = threading.Thread(target=_watched, args=(server, peak, stop))
        watch.start()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            codes = list(pool.map(lambda kind: _did(client, kind), _mixed()))
        stop.set()
        watch.join()
        time.sleep(IDLE)
        rest, spooled = server.rss(), sum(1 for _ in (server.workspace / "temporary").iterdir())
    return {"requests": len(codes), "server_errors": sum(code >= 500 for code in codes), "refused": sum(400 <= c < 500 for c in codes), "start_mib": start // MIB,
            "grown_mib": (peak[0] - start) // MIB, "rest_grown_mib": (rest - start - start // 10) // MIB, "left_over": spooled}


def _work() -> list[str]:
    return ["chat", "sample", "score", "list", "upload", "bomb_zip", "bomb_png"]


def _mixed() -> list[str]:
    """A thousand in an order that mixes them."""
    kinds = ["upload"] * UPLOADS + ["bomb_zip"] * (BOMBS // 2) + ["bomb_png"] * (BOMBS // 2)
    kinds += [("chat", "sample", "score", "list")[i % 4] for i in range(REQUESTS - len(kinds))]
    return [kinds[i * 389 % REQUESTS] for i in range(REQUESTS)]


def _did(client: httpx.Client, kind: str) -> int:
    """The status of one request of a kind. What was uploaded is taken away again."""
    match kind:
        case "chat":
            return client.post("/v1/chat/completions", json={"model": "echo", "messages": [{"role": "user", "content": "a word " * 200}]}).status_code
        case "sample":
            return client.post("/v1/completions", json={"model": "words", "prompt": "river ", "max_tokens": 32}).status_code
        case "score":
            return client.post("/v1/score", json={"model": "words", "items": ["river stone lantern"]}).status_code
        case "list":
            return client.get("/v1/models").status_code
        case "upload":
            return _uploaded(client, "rows.csv", b"a,b\n" + b"1,2\n" * (2 * MIB))
        case "bomb_zip":
            return _uploaded(client, "bomb.zip", _zip_bomb(), read=True)
        case _:
            return _uploaded(client, "bomb.png", _png_bomb(), read=True)


def _uploaded(client: httpx.Client, name: str, data: bytes, read: bool = False) -> int:
    got = client.post("/v1/files", files={"file": (name, data)}, data={"purpose": "user_data"})
    if got.status_code != 200:
        return got.status_code
    id = got.json()["id"]
    status = client.post("/v1/read", json={"file": id}).status_code if read else 200
    client.delete(f"/v1/files/{id}")
    return status


def _zip_bomb() -> bytes:
    """100 kB that would be 100 MB, in the name of a picture."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(f"{uuid.uuid4().hex}.png", bytes(100 * MIB))
    return file.getvalue()


def _png_bomb() -> bytes:
    """A picture of 10,000 x 10,000 in 12 kB."""
    file = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(file, "PNG")
    return file.getvalue()


def _watched(server: Running, peak: list[int], stop: threading.Event) -> None:
    while not stop.wait(0.1):
        peak[0] = max(peak[0], server.rss())
