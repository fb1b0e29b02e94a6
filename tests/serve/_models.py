"""Models for the engine's tests: small ones in a workspace, and engines over them."""
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import ilk
from ilk.serve.engine.pool import Pool
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.work import Ask, Engine

T = TypeVar("T")
WORDS = ["the cat sat on the mat", "a dog ran to the cat", "the mat is on a dog", "a cat and a dog sat"] * 30


def fitted(place: Path) -> Path:
    """A workspace with a gmm of points and an ngram of long texts."""
    points = ilk.fit(np.stack([np.linspace(-1, 1, 100), np.linspace(1, -1, 100)], 1), ilk.GMM(components=2))
    points.save(place / "models" / "points.ilk")
    ilk.fit([" ".join(WORDS)[i:i + 900] for i in range(0, 1800, 60)], ilk.NGram(order=4)).save(place / "models" / "words.ilk")
    return place


def running(place: Path, work: Callable[[Pool], Awaitable[T]], memory: int | None = None, limits: Limits | None = None, places: Any = None) -> T:
    """What some work with an engine gives; the engine is ended in any case."""
    async def main() -> T:
        engine = Pool(places or {}, Workspace.at(place), limits or Limits(), memory)
        try:
            return await asyncio.wait_for(work(engine), 90)
        finally:
            await engine.close()

    return asyncio.run(main())


async def pieces(engine: Engine, name: str, op: str, body: dict[str, Any]) -> list[Any]:
    """All pieces of an answer."""
    return [piece.body async for piece in engine.ask(name, Ask(op, body))]
