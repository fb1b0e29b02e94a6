"""Items a second that 16 clients get from one server who ask at once, and who ask one after the other; the same seeds give the same items."""
from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import ilk

ASKED: dict[str, dict[str, Any]] = {"digits": {"how": "ddpm"}, "texts": {}}   # 250 steps, as Ho et al. 2020 draw
CLIENTS, ROUNDS, STEPS = 16, 3, {"digits": 400, "texts": 200}


def bench() -> dict[str, Any]:
    """`ours` and `peer` are of the model that gains least."""
    with tempfile.TemporaryDirectory() as folder:
        for name, model in _models().items():
            model.save(Path(folder) / "models" / f"{name}.ilk")
        with serving(Path(folder)) as address:
            rows = {name: asyncio.run(_both(address, name)) for name in STEPS}
    least = min(rows, key=lambda name: rows[name]["ratio"])
    return {**rows[least], "peer_name": "the same requests one by one", "unit": "items/s", "models": rows}


def _models() -> dict[str, ilk.Model]:
    """A diffusion of digits and a transformer of lines."""
    texts = [line for line in "\n".join(ilk.read("shakespeare").items).split("\n") if 20 < len(line) < 60][:2000]
    return {"digits": ilk.fit(ilk.read("digits"), ilk.Diffusion(), budget=ilk.Steps(STEPS["digits"])),
            "texts": ilk.fit(texts, ilk.Transformer(), budget=ilk.Steps(STEPS["texts"]))}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of a workspace's models, in a thread of this process."""
    import uvicorn

    from ilk.serve.app import build
    from ilk.serve.engine import engine
    from ilk.serve.limits import Limits
    from ilk.serve.place import Workspace
    from ilk.serve.server import Server

    place, limits = Workspace.at(folder), Limits(running=CLIENTS)
    ours = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(build(Server(engine({}, place, limits), place, limits)), log_level="warning"))
    thread = threading.Thread(target=server.run, args=([ours],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{ours.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


async def _both(address: str, name: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=address, timeout=300, limits=httpx.Limits(max_connections=CLIENTS)) as client:
        await _items(client, name, 0)   # the model is loaded
        await asyncio.gather(*(_items(client, name, seed) for seed in range(2)))
        begun = time.monotonic()
        alone = [await _items(client, name, seed) for seed in range(CLIENTS)]
        single = time.monotonic() - begun
        begun = time.monotonic()
        many = [await asyncio.gather(*(_items(client, name, seed) for seed in range(CLIENTS))) for _ in range(ROUNDS)]
        together = (time.monotonic() - begun) / ROUNDS
    same = sum(_same(a, b) for found in many for a, b in zip(alone, found, strict=True))
    if same < ROUNDS * CLIENTS:
        raise SystemExit(f"{name}: {same} of {ROUNDS * CLIENTS} items are the same by the same seed")
    return {"ours": CLIENTS / together, "peer": CLIENTS / single, "ratio": single / together, "same": same}


async def _items(client: httpx.AsyncClient, name: str, seed: int) -> Any:
    answer = await client.post("/v1/sample", json={"model": name, "n": 1, "seed": seed, **ASKED[name]})
    answer.raise_for_status()
    return answer.json()["items"]


def _same(one: Any, other: Any) -> bool:
    """Texts to the letter; numbers but for the last digits, pictures but for a level of 256."""
    if isinstance(one[0], str):
        return bool(one == other)
    return all(np.allclose(_numbers(a), _numbers(b), atol=1.01 if "b64" in a else 1e-3) for a, b in zip(one, other, strict=True))


def _numbers(item: Any) -> Any:
    if "b64" not in item:
        return np.array(item["values"])
    from base64 import b64decode
    from io import BytesIO

    import PIL.Image

    return np.asarray(PIL.Image.open(BytesIO(b64decode(item["b64"])))).astype(float)
