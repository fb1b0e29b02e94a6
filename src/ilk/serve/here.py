"""An engine that does the work in threads of this process: for models that are elsewhere (another server, by address) or that are none (echo)."""
from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ilk import registry
from ilk.backend import opened
from ilk.chat import Chat, Embeds
from ilk.serve import ops
from ilk.serve.work import Ask, Held, Reply, Served, lacking

ELSEWHERE = ("echo", "openai")
AHEAD = 8   # pieces that are made before anybody takes one


def held(name: str, place: str) -> Held:
    """The model at a place, a folder or an address, opened."""
    if not elsewhere(place) and not _address(place):
        return _of_folder(name, place)
    found = opened(place)
    if isinstance(found, Chat):
        return Held(name, chat=found, embeds=found if isinstance(found, Embeds) else None, address=place)
    return Held(name, embeds=found, address=place)


def elsewhere(place: str) -> bool:
    """Whether the work of a place is done by another server, or there is none."""
    return _address(place) and place.partition(":")[0] in ELSEWHERE


def _address(place: str) -> bool:
    return ":" in place and place.partition(":")[0] in registry.names("backends") and not os.path.exists(place)


def _of_folder(name: str, place: str) -> Held:
    from ilk.backends.local import LocalModel
    from ilk.verbs.open import model_at

    model = model_at(place)
    chat = getattr(model.body, "chat", None)
    if not isinstance(chat, Chat) and not LocalModel.refuses(model):
        chat = LocalModel(name, model)
    return Held(name, model, chat if isinstance(chat, Chat) else None)


class Here:
    """The engine. `places` are folders and addresses by the names that clients know."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._served = {name: Served(name, place, "cold") for name, place in places.items()}
        self._held: dict[str, Held] = {}
        self._lock = asyncio.Lock()

    def served(self) -> Sequence[Served]:
        """In the order they were named."""
        return tuple(self._served.values())

    async def load(self, name: str) -> None:
        """Opens it."""
        await self._opened(name)

    async def unload(self, name: str) -> None:
        """Forgets it; opened again when it is asked."""
        if self._held.pop(name, None) is not None:
            self._served[name] = replace(self._served[name], state="cold")

    async def close(self) -> None:
        """Forgets all."""
        self._held.clear()

    async def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        """The pieces, made in a thread that stops at the next one when nobody wants more."""
        found = await self._opened(name)
        pieces = _Pieces(asyncio.get_running_loop(), found, ask)
        threading.Thread(target=pieces.make, daemon=True).start()
        try:
            while (piece := await pieces.next()) is not None:
                yield piece
        finally:
            pieces.stop()

    async def _opened(self, name: str) -> Held:
        if name not in self._served:
            raise lacking(name, list(self._served))
        async with self._lock:
            if name not in self._held:
                self._held[name] = await asyncio.to_thread(held, name, self._served[name].place)
                self._served[name] = replace(self._served[name], state="ready")
        return self._held[name]


class _Pieces:
    """Pieces on their way from the thread that makes them to the loop that takes them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, found: Held, ask: Ask) -> None:
        self._loop, self._held, self._ask = loop, found, ask
        self._queue: asyncio.Queue[Reply | BaseException | None] = asyncio.Queue()
        self._room, self._stopped = threading.Semaphore(AHEAD), False

    def make(self) -> None:
        """Runs the operation; in a thread."""
        end: BaseException | None = None
        try:
            for piece in self._run():
                if piece is not None:
                    self._room.acquire()
                if self._stopped:
                    return
                if piece is not None:
                    self._put(piece)
        except Exception as why:  # handed on to whoever asked
            end = why
        self._put(end)

    def _run(self) -> Iterator[Reply | None]:
        pieces = ops.run(self._held, self._ask)
        try:
            yield from pieces
        finally:
            close: Any = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _put(self, piece: Reply | BaseException | None) -> None:
        with suppress(RuntimeError):   # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._queue.put_nowait, piece)

    async def next(self) -> Reply | None:
        """The next piece, None after the last; raises what the operation raised."""
        got = await self._queue.get()
        self._room.release()
        if isinstance(got, BaseException):
            raise got
        return got

    def stop(self) -> None:
        """No more are wanted."""
        self._stopped = True
        self._room.release()
