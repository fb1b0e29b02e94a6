"""A served model as a Chat, for verbs that run in threads of this process: each answer is asked of the engine."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence

from ilk.chat import Delta, End, Turn, Want
from ilk.serve.work import Ask, Engine, Reply
from ilk.verbs._turns import turn_to_json, want_to_json


class Through:
    """Answers turns by asking the engine, from a thread."""

    window: int | None = None

    def __init__(self, engine: Engine, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.engine, self.name, self._loop = engine, name, loop

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """The pieces as they come."""
        pieces = self.engine.ask(self.name, Ask("chat", {"turns": [turn_to_json(t) for t in turns], "want": want_to_json(want)}))
        try:
            while (piece := asyncio.run_coroutine_threadsafe(_next(pieces), self._loop).result()) is not None:
                end = piece.body.get("end")
                yield Delta(piece.body.get("text", ""), end=End(**end) if end else None)
        finally:
            asyncio.run_coroutine_threadsafe(pieces.aclose(), self._loop).result()  # type: ignore[attr-defined]


async def _next(pieces: AsyncIterator[Reply]) -> Reply | None:
    return await anext(pieces, None)
