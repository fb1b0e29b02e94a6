"""How much is let in at once: seats, given at the door before a body is read, and slots, in which a model works.

A request that asks for work takes a seat as soon as its headers are here. There are `running + queue` seats for every served model together; who finds none is
refused with 429, unread. Whose model that is, only the body says: when the work begins, the request waits for one of the `running` slots of its model. First
come requests of the more urgent kind; among those of a kind, keys take turns (start-time fair queueing: Goyal, Vin and Cheng 1996, with every request the same
size), so that one who asks a hundred times delays the other by one.
"""
from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

from ilk.serve.limits import Limits
from ilk.serve.work import Busy

Kind = Literal["chat", "sample", "other"]
RANKS: dict[Kind, int] = {"chat": 0, "sample": 1, "other": 2}
WORK: dict[str, Kind] = {
    "/v1/chat/completions": "chat", "/v1/completions": "chat", "/v1/responses": "chat", "/v1/ask": "chat",
    "/v1/sample": "sample", "/v1/edit": "sample", "/v1/impute": "sample", "/v1/vary": "sample", "/v1/interpolate": "sample", "/v1/steer": "sample",
    "/v1/images/generations": "sample", "/v1/images/edits": "sample", "/v1/images/variations": "sample", "/v1/audio/speech": "sample",
    "/v1/audio/transcriptions": "chat", "/v1/embeddings": "other", "/v1/score": "other", "/v1/moderations": "other", "/v1/evaluate": "other"}
SOONEST, LATEST = 1.0, 60.0   # seconds of Retry-After
_WEIGHT = 0.2                 # of the newest service time in the average


@dataclass(eq=False)
class Seat:
    """A request that was let in: whose it is, how urgent, and since when. `slots`: the models that work for it."""

    key: str = ""
    kind: Kind = "other"
    since: float = 0.0
    slots: dict[str, _Slot] = field(default_factory=dict)


SEAT: ContextVar[Seat | None] = ContextVar("seat", default=None)


@dataclass(eq=False)
class _Slot:
    """A request's place at a model: `free` is done when it may begin. `users`: how many pieces of work of the request share it."""

    free: asyncio.Future[None]
    turn: tuple[int, float, int]
    users: int = 0
    began: float = 0.0


@dataclass
class _Line:
    """What waits for a model, and what runs. `now` is the turn of the newest that began, `last` that of each key's newest."""

    running: int = 0
    waiting: list[_Slot] = field(default_factory=list)
    now: float = 0.0
    last: dict[str, float] = field(default_factory=dict)
    number: int = 0

    def turn(self, seat: Seat) -> tuple[int, float, int]:
        self.number += 1
        mine = max(self.now, self.last.get(seat.key, 0.0)) + 1
        self.last[seat.key] = mine
        return RANKS[seat.kind], mine, self.number


class Admission:
    """The seats and slots of a server."""

    def __init__(self, limits: Limits, models: Callable[[], int] = lambda: 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._models, self._clock = limits, models, clock
        self._seats: set[Seat] = set()
        self._lines: dict[str, _Line] = {}
        self._service = SOONEST

    @property
    def seated(self) -> int:
        """Requests that were let in and have not been answered."""
        return len(self._seats)

    @property
    def running(self) -> int:
        """Requests at work."""
        return sum(line.running for line in self._lines.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for their model."""
        return sum(len(line.waiting) for line in self._lines.values())

    @contextmanager
    def seat(self, key: str, kind: Kind) -> Iterator[Seat]:
        """A seat for as long as the block runs; Busy (code queue_full) where there is none."""
        models = max(1, self._models())
        if len(self._seats) >= models * (self._limits.running + self._limits.queue):
            raise Busy("too many requests wait already", self._after(len(self._seats), models), code="queue_full")
        seat = Seat(key, kind, self._clock())
        self._seats.add(seat)
        set_ = SEAT.set(seat)
        try:
            yield seat
        finally:
            self._seats.discard(seat)
            SEAT.reset(set_)

    @asynccontextmanager
    async def slot(self, seat: Seat, model: str) -> AsyncIterator[float]:
        """A model's time, for as long as the block runs; how many seconds it was waited for. Busy (code queue_full) where too much waits for that model."""
        line, asked = self._lines.setdefault(model, _Line()), self._clock()
        slot = seat.slots.get(model) or self._lined_up(line, seat, model)
        slot.users += 1
        try:
            await asyncio.shield(slot.free)
            yield self._clock() - asked
        finally:
            slot.users -= 1
            if not slot.users:
                del seat.slots[model]
                self._leave(line, slot)

    def _lined_up(self, line: _Line, seat: Seat, model: str) -> _Slot:
        slot = _Slot(asyncio.get_running_loop().create_future(), line.turn(seat))
        if line.running < self._limits.running and not line.waiting:
            self._begin(line, slot)
        elif len(line.waiting) >= self._limits.queue:
            raise Busy("too many requests wait for this model already", self._after(len(line.waiting), 1), code="queue_full")
        else:
            line.waiting.append(slot)
        seat.slots[model] = slot
        return slot

    def _begin(self, line: _Line, slot: _Slot) -> None:
        line.running, line.now, slot.began = line.running + 1, max(line.now, slot.turn[1]), self._clock()
        slot.free.set_result(None)

    def _leave(self, line: _Line, slot: _Slot) -> None:
        if slot in line.waiting:
            line.waiting.remove(slot)
            slot.free.cancel()
        else:
            line.running -= 1
            self._service += _WEIGHT * (self._clock() - slot.began - self._service)
        while line.waiting and line.running < self._limits.running:
            first = min(line.waiting, key=lambda waiting: waiting.turn)
            line.waiting.remove(first)
            self._begin(line, first)
        if not line.waiting:
            line.last.clear()

    def _after(self, before: int, models: int) -> float:
        """Until there is room again: as long as those before take, by how long the ones before them took."""
        return min(LATEST, max(SOONEST, self._service * (before + 1) / (models * self._limits.running)))
