"""All models that are served: each in a process of its own from when it is first asked until nobody asks it for long, the memory is wanted, or the end."""
from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from time import monotonic
from typing import Any

from ilk.errors import IlkError
from ilk.serve.engine.process import SILENCE, Process
from ilk.serve.here import Here, elsewhere
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.work import Ask, Gone, Reply, Served, lacking

LOOK = 0.5                          # seconds between two looks at the processes
WAITS = (0.1, 0.5, 2.0, 4.0)        # seconds before a process is begun again that died so many times
CALM = 60.0                         # seconds after which earlier deaths are forgotten
TRIES = 3
SUFFIX = ".ilk"


class Kept:
    """One model: its process if it has one, who uses it, and when it was last used."""

    def __init__(self, name: str, place: str, found: str, memory: int | None) -> None:
        self.name, self.place, self.found, self.memory = name, place, found, memory
        self.stamp = stamp(place)
        self.process: Process | None = None
        self.starting: asyncio.Task[Process] | None = None
        self.uses, self.used, self.deaths, self.down = 0, monotonic(), 0, False
        self.about: Mapping[str, Any] = {}

    @property
    def state(self) -> str:
        """As `Served` has it."""
        if self.process is not None:
            return "ready"
        return "down" if self.down else "loading" if self.starting is not None else "cold"

    def served(self) -> Served:
        """What clients are told."""
        return Served(self.name, self.place, self.state, {"place": self.found, **self.about}, int(self.stamp))

    async def ready(self) -> Process:
        """Its process, begun if there is none."""
        while self.process is None or not self.process.alive:
            if self.starting is None:
                self.start()
            await asyncio.shield(self.starting)  # type: ignore[arg-type]
        return self.process

    def start(self) -> None:
        """Begins a process, unless one is being begun."""
        if self.starting is None:
            self.starting = asyncio.create_task(self._start())
            self.starting.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _start(self) -> Process:
        try:
            for left in reversed(range(TRIES)):
                if self.deaths:
                    await asyncio.sleep(WAITS[min(self.deaths, len(WAITS)) - 1])
                with suppress(*((Gone,) if left else ())):
                    self.process = await Process.begun(self.name, self.place, self.memory)
                    self.process.died, self.about, self.down = self._died, self.process.about, False
                    return self.process
                self.deaths, self.down = self.deaths + 1, True
            raise Gone(f"the process of {self.name} dies whenever it is begun")
        finally:
            self.starting, self.used = None, monotonic()

    def _died(self) -> None:
        """It is begun anew, later each time; one that dies again and again waits for the next who asks."""
        if self.process is not None and monotonic() - self.process.began > CALM:
            self.deaths = 0
        self.process, self.deaths, self.down = None, self.deaths + 1, True
        if self.deaths <= len(WAITS):
            self.start()

    async def put_away(self) -> None:
        """Ends its process."""
        process, starting, self.process, self.starting, self.down = self.process, self.starting, None, None, False
        if starting is not None:
            starting.cancel()
            with suppress(asyncio.CancelledError, IlkError):
                await starting
        for one in {process, self.process} - {None}:
            self.process = None
            await one.stop()  # type: ignore[union-attr]


def stamp(place: str) -> float:
    """When what is at a place was last written; 0 for an address."""
    with suppress(OSError, ValueError):
        return os.stat(f"{place}/ilk.json" if os.path.isdir(place) else place).st_mtime
    return 0.0


class Pool:
    """The engine. `places` are folders and addresses by the names that clients know; models of the workspace are found as soon as they are there."""

    def __init__(self, places: Mapping[str, str], workspace: Workspace, limits: Limits, memory: int | None = None) -> None:
        self._here = Here({name: place for name, place in places.items() if elsewhere(place)})
        self._order, self._limits, self._memory = tuple(places), limits, memory
        self._kept = {name: Kept(name, place, "given", memory) for name, place in places.items() if not elsewhere(place)}
        self._folder = workspace.part("models")
        self._looking: asyncio.Task[None] | None = None

    def served(self) -> Sequence[Served]:
        """Those that were named in that order, then those of the workspace by name."""
        self._rescan()
        every = {**{s.name: s for s in self._here.served()}, **{name: kept.served() for name, kept in self._kept.items()}}
        return tuple(every[name] for name in (*self._order, *sorted(every.keys() - set(self._order))))

    async def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        """The pieces of the answer, from wherever the work is done."""
        if name in {s.name for s in self._here.served()}:
            async with aclosing(self._here.ask(name, ask)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece
            return
        kept = self._found(name)
        self._look_after()
        kept.uses += 1
        try:
            process = await self._ready(kept)
            async with aclosing(process.ask(ask)) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    yield piece
        finally:
            kept.uses, kept.used = kept.uses - 1, monotonic()

    async def load(self, name: str) -> None:
        """Begins its process and waits for it."""
        if name in {s.name for s in self._here.served()}:
            await self._here.load(name)
            return
        self._look_after()
        await self._ready(self._found(name))

    async def unload(self, name: str) -> None:
        """Ends its process, whoever uses it; it is begun again when it is asked."""
        if name in {s.name for s in self._here.served()}:
            await self._here.unload(name)
            return
        await self._found(name).put_away()

    async def close(self) -> None:
        """Ends all."""
        if self._looking is not None:
            self._looking.cancel()
        await asyncio.gather(self._here.close(), *(kept.put_away() for kept in self._kept.values()))

    def _found(self, name: str) -> Kept:
        if name not in self._kept:
            self._rescan()
        if name not in self._kept:
            raise lacking(name, [s.name for s in self.served()])
        return self._kept[name]

    async def _ready(self, kept: Kept) -> Process:
        if kept.process is None:
            await self._make_room()
        return await kept.ready()

    def _there(self) -> dict[str, str]:
        """The models in the workspace. Looked for with every request, so without Path, which takes ten times as long."""
        with suppress(FileNotFoundError):
            found = {name[:-len(SUFFIX)]: f"{self._folder}/{name}" for name in sorted(os.listdir(self._folder)) if name.endswith(SUFFIX)}
            return {name: at for name, at in found.items() if name and os.path.isfile(f"{at}/ilk.json")}
        return {}

    def _rescan(self) -> None:
        """Takes in models that are new in the workspace, and forgets those that are gone."""
        there = self._there()
        mine = {name for name, kept in self._kept.items() if kept.found == "workspace"}
        for name in there.keys() - self._kept.keys() - set(self._order):
            self._kept[name] = Kept(name, there[name], "workspace", self._memory)
        for name in mine:
            kept = self._kept[name]
            if kept.uses or (name in there and stamp(kept.place) == kept.stamp):
                continue
            if name in there:
                self._kept[name] = Kept(name, there[name], "workspace", self._memory)
            else:
                del self._kept[name]
            self._drop(kept)

    def _drop(self, kept: Kept) -> None:
        """Ends a process whose model is there no more."""
        if kept.process is not None or kept.starting is not None:
            self._dropping = asyncio.ensure_future(kept.put_away())

    def _look_after(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Puts away what nobody asks, and ends what is silent or takes more than it may."""
        while True:
            await asyncio.sleep(LOOK)
            for kept in list(self._kept.values()):
                process = kept.process
                if process is None:
                    continue
                if not kept.uses and monotonic() - kept.used > self._limits.idle_seconds:
                    await kept.put_away()
                elif monotonic() - process.heard > SILENCE or (self._memory is not None and process.taken > self._memory):
                    process.popen.kill()
            await self._make_room()

    async def _make_room(self) -> None:
        """Puts away those that were used least recently and that nobody uses, until the others fit into the memory."""
        if self._memory is None:
            return
        idle = sorted((k for k in self._kept.values() if k.process is not None and not k.uses), key=lambda k: k.used)
        while idle and sum(k.process.taken for k in self._kept.values() if k.process is not None) > self._memory:
            await idle.pop(0).put_away()
