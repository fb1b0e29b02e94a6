"""What OpenAI's routes have in common."""
from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ilk.serve.wire import DONE, event
from ilk.serve.work import Engine, Served, lacking


def known(engine: Engine, name: str) -> Served:
    """The model that is served by that name; Missing (code model_not_found) where there is none."""
    served = {s.name: s for s in engine.served()}
    if name not in served:
        raise lacking(name, list(served))
    return served[name]


async def events_of(chunks: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    """Chunks as events, and the word that these were all."""
    async with aclosing(chunks):
        async for chunk in chunks:
            yield event(chunk)
    yield DONE
