"""The engine as routes see it: work waits for its turn, is counted, is charged to whoever's key asked for it, and ends when its time is over."""
from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from ilk.serve.admission import SEAT, Admission, Seat
from ilk.serve.keys import Keys
from ilk.serve.limits import Limits
from ilk.serve.logs import told
from ilk.serve.metrics import Metrics
from ilk.serve.refusals import Late
from ilk.serve.work import Ask, Engine, Reply, Served

LIGHT = ("about", "count")      # never wait: they are answered between two steps
TEXTS = ("chat", "continue_")   # what a budget of tokens pays for
LETTERS = 4                     # of a request to a token, about, before anybody has counted


@dataclass
class _Meter:
    """What one piece of work read and made, as far as it got."""

    began: float
    read: int = 0
    made: int = 0
    at: float = 0.0

    def see(self, piece: Mapping[str, Any]) -> None:
        tokens = piece.get("tokens")   # of an answer's piece; a count of them is of another operation
        self.made += max(len(tokens) if isinstance(tokens, list | tuple) else 0, int(bool(piece.get("text"))))
        if end := piece.get("end"):
            self.read, self.made = int(end.get("read", 0)), int(end.get("made", self.made))


class Admitted:
    """An engine behind admission. `prompts`: what is asked goes to the log."""

    def __init__(self, engine: Engine, admission: Admission, metrics: Metrics, limits: Limits, keys: Keys | None = None, prompts: bool = False) -> None:
        self._engine, self._admission, self._metrics, self._limits, self._keys, self._prompts = engine, admission, metrics, limits, keys, prompts

    def served(self) -> Sequence[Served]:
        """The engine's."""
        return self._engine.served()

    async def load(self, name: str) -> None:
        """The engine's."""
        await self._engine.load(name)

    async def unload(self, name: str) -> None:
        """The engine's."""
        await self._engine.unload(name)

    async def close(self) -> None:
        """The engine's."""
        await self._engine.close()

    async def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        """The engine's pieces, when it is this request's turn."""
        if ask.op in LIGHT or name not in {s.name for s in self._engine.served()}:
            async with aclosing(self._engine.ask(name, ask)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece
            return
        seat = SEAT.get() or Seat(since=time.monotonic())
        until = asyncio.get_running_loop().time() + max(0.0, self._limits.request_seconds - (time.monotonic() - seat.since))
        async with self._turn(seat, name, until), self._charged(seat, ask) as (paid, meter):
            if self._prompts:
                told("asked", {"model": name, "op": ask.op, "body": dict(paid.body)})
            async with aclosing(self._engine.ask(name, paid)) as pieces:  # type: ignore[type-var]
                while (made := await self._next(pieces, until)) is not None:
                    self._seen(name, seat, meter, made.body)
                    yield made
            self._metrics.prompt_tokens.labels(name).inc(meter.read)
            self._metrics.completion_tokens.labels(name).inc(meter.made)

    @asynccontextmanager
    async def _turn(self, seat: Seat, name: str, until: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(until) as limit, self._admission.slot(seat, name) as waited:
                limit.reschedule(None)
                self._metrics.queued.labels(name).observe(waited)
                yield
        except TimeoutError:
            raise Late(self._limits.request_seconds) from None

    async def _next(self, pieces: AsyncIterator[Reply], until: float) -> Reply | None:
        try:
            async with asyncio.timeout_at(until):
                return await anext(pieces, None)
        except TimeoutError:
            raise Late(self._limits.request_seconds) from None

    @asynccontextmanager
    async def _charged(self, seat: Seat, ask: Ask) -> AsyncIterator[tuple[Ask, _Meter]]:
        """Holds what the work may cost and settles what it did. Where less is left than was asked for, the answer is cut to that."""
        meter, held = _Meter(time.monotonic()), None
        if self._keys is not None and ask.op in TEXTS:
            read = _letters(ask.body) // LETTERS
            want = dict(ask.body.get("want") or {})
            most = int(want.get("most") or self._limits.tokens)
            held = self._keys.reserve(seat.key, read + 1, read + most)
            if held is not None:
                ask = replace(ask, body={**ask.body, "want": {**want, "most": min(most, held - read)}})
        try:
            yield ask, meter
        finally:
            if held is not None and self._keys is not None:
                self._keys.settle(seat.key, held, meter.read + meter.made)

    def _seen(self, name: str, seat: Seat, meter: _Meter, piece: Mapping[str, Any]) -> None:
        meter.see(piece)
        if not piece.get("text"):
            return
        now = time.monotonic()
        if meter.at:
            self._metrics.between.labels(name).observe(now - meter.at)
        else:
            self._metrics.ttft.labels(name).observe(now - seat.since)
        meter.at = now


def _letters(value: Any) -> int:
    """Of all texts in a request."""
    if isinstance(value, Mapping):
        value = list(value.values())
    return sum(map(_letters, value)) if isinstance(value, list | tuple) else len(value) if isinstance(value, str) else 0
