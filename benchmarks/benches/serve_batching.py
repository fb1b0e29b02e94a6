"""Items a second that 16 clients get from one server who ask at once, and who ask one after the other; the same seeds give the same items."""
from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

import ilk
from benchmarks.load._server import serving

ASKED: dict[str, dict[str, Any]] = {"digits": {"how": "ddpm"}}   # 250 steps, as Ho et al. 2020 draw
CLIENTS, ROUNDS, STEPS = 16, 4, {"digits": 400, "texts": 200}
NOTHING = "points"   # a model that draws at once: what its answers take is the way there and back


def bench() -> dict[str, Any]:
    """`ours` and `peer` are of the model that gains least. `way`: seconds of a request alone for HTTP and what is before and behind the draw."""
    with tempfile.TemporaryDirectory() as folder:
        for name, model in _models().items():
            model.save(Path(folder) / "models" / f"{name}.ilk")
        with serving(workspace=Path(folder), flags=["--no-auth"]) as server:
            rows = {name: asyncio.run(_both(server.url, name)) for name in STEPS}
    least = min(rows, key=lambda name: rows[name]["ratio"])
    return {**rows[least], "peer_name": "the same requests one by one", "unit": "items/s", "models": rows}


def _models() -> dict[str, ilk.Model]:
    """A diffusion of digits, 8 by 8, and a transformer of lines of about 40 characters; and one that draws at once."""
    texts = [line for line in "\n".join(ilk.read("shakespeare").items).split("\n") if 20 < len(line) < 60][:2000]
    return {NOTHING: ilk.fit(np.linspace(-1, 1, 200).reshape(100, 2), ilk.GMM(components=1)),
            "digits": ilk.fit(ilk.read("digits"), ilk.Diffusion(), budget=ilk.Steps(STEPS["digits"])),
            "texts": ilk.fit(texts, ilk.Transformer(), budget=ilk.Steps(STEPS["texts"]))}


async def _both(address: str, name: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=address, timeout=300, limits=httpx.Limits(max_connections=CLIENTS)) as client:
        for model in (NOTHING, name):
            await _items(client, model, 0)   # it is loaded
        await _rounds(client, name, 2, 1)
        passed, _ = await _one_by_one(client, NOTHING)
        single, alone = await _one_by_one(client, name)
        begun = time.monotonic()
        many = await _rounds(client, name, CLIENTS, ROUNDS)
        together = (time.monotonic() - begun) / ROUNDS
    same = sum(_same(items, alone[seed]) for seed, found in enumerate(many) for items in found)
    if same < ROUNDS * CLIENTS:
        raise SystemExit(f"{name}: {same} of {ROUNDS * CLIENTS} items are the same by the same seed")
    return {"ours": CLIENTS / together, "peer": CLIENTS / single, "ratio": single / together, "same": same, "way": passed / CLIENTS, "way_share": passed / single}


async def _one_by_one(client: httpx.AsyncClient, name: str) -> tuple[float, list[Any]]:
    begun = time.monotonic()
    found = [await _items(client, name, seed) for seed in range(CLIENTS)]
    return time.monotonic() - begun, found


async def _rounds(client: httpx.AsyncClient, name: str, clients: int, rounds: int) -> list[list[Any]]:
    """What clients get who each ask so many times, the next time as soon as they are answered, whatever the others do."""
    async def asking(seed: int) -> list[Any]:
        return [await _items(client, name, seed) for _ in range(rounds)]

    return await asyncio.gather(*map(asking, range(clients)))


async def _items(client: httpx.AsyncClient, name: str, seed: int) -> Any:
    answer = await client.post("/v1/sample", json={"model": name, "n": 1, "seed": seed, **ASKED.get(name, {})})
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
