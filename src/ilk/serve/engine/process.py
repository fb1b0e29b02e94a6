"""A process that works, seen from the server: begun, asked, watched and ended."""
from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from ilk.errors import IlkError
from ilk.serve.engine.faults import raised
from ilk.serve.engine.frames import BadFrame, Frame, packed, received
from ilk.serve.work import Ask, Gone, Reply

SILENCE = 30.0    # seconds without a sign of life after which a process counts as dead
TAKEN = 8         # pieces that are taken before the other side is told
_ENV = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "XDG_DATA_HOME", "XDG_CACHE_HOME", "VIRTUAL_ENV", "SYSTEMROOT")


class Process:
    """One of them. `died` is called once, when it is over in any other way than by `stop`."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.name, self.popen, self._reader, self._writer = name, popen, reader, writer
        self.about: Mapping[str, Any] = {}
        self.alive, self.heard, self.began = True, monotonic(), monotonic()
        self.died: Callable[[], None] | None = None
        self._number, self._waiting = 0, dict[int, asyncio.Queue[Frame | IlkError]]()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def begun(cls, name: str, place: str, memory: int | None) -> Process:
        """A new one with the model at a place, once it is there. Raises what opening the model raised; Gone if it died over it."""
        ours, theirs = socket.socketpair()
        try:
            words = [sys.executable, "-P", "-m", "ilk.serve.engine.worker", str(theirs.fileno())]
            popen = await asyncio.to_thread(subprocess.Popen, words, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            start_new_session=True, env=_environment())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        made = cls(name, popen, *await asyncio.open_connection(sock=ours))
        try:
            made._writer.write(packed(Frame({"name": name, "place": place, "memory": memory})))
            await asyncio.shield(made._ready)
        except BaseException:
            await made.stop()
            raise
        return made

    @property
    def taken(self) -> int:
        """Bytes of memory that nobody shares with it; 0 where that can't be told."""
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{self.popen.pid}/statm", encoding="ascii") as file:
            _, resident, shared = file.read().split()[:3]
            return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")
        return 0

    async def ask(self, ask: Ask) -> AsyncIterator[Reply]:
        """The pieces of the answer. When nobody wants more, the other side is told so."""
        self._number += 1
        number, queue, done, untold = self._number, asyncio.Queue[Frame | IlkError](), False, 0
        if not self.alive:
            raise self._gone()
        self._waiting[number] = queue
        try:
            self._writer.write(packed(Frame({"ask": number, "op": ask.op, "body": dict(ask.body)}, ask.blobs)))
            with suppress(OSError):
                await self._writer.drain()
            while True:
                got = await queue.get()
                if isinstance(got, IlkError):
                    raise got
                if done := "end" in got.head:
                    if "error" in got.head:
                        raise raised(got.head["error"])
                    return
                untold += 1
                if untold == TAKEN:
                    self._tell({"took": number, "many": untold})
                    untold = 0
                yield Reply(got.head["body"], got.blobs)
        finally:
            del self._waiting[number]
            if not done:
                self._tell({"cancel": number})

    async def stop(self) -> None:
        """Ends it at once."""
        self.died = None
        self._listening.cancel()
        self._over()
        with suppress(asyncio.CancelledError):
            await self._listening

    def _tell(self, said: Mapping[str, Any]) -> None:
        if self.alive:
            self._writer.write(packed(Frame(said)))

    async def _listen(self) -> None:
        try:
            while (frame := await received(self._reader)) is not None:
                self._heard(frame)
        except (BadFrame, OSError) as why:
            sys.stderr.write(f"ilk: the process of {self.name} is lost: {why}\n")
        died = self.died
        self._over()
        if died is not None:
            died()

    def _heard(self, frame: Frame) -> None:
        self.heard = monotonic()
        match frame.head:
            case {"piece": int(number)} | {"end": int(number)}:
                if number in self._waiting:
                    self._waiting[number].put_nowait(frame)
            case {"ready": dict(about)} if not self._ready.done():
                self.about = about
                self._ready.set_result(None)
            case {"failed": dict(why)} if not self._ready.done():
                self._ready.set_exception(raised(why))

    def _over(self) -> None:
        """Whoever waits is told; the process is ended for certain, and reaped."""
        if not self.alive:
            return
        self.alive = False
        with suppress(OSError):
            self.popen.kill()
        self._writer.close()
        asyncio.get_running_loop().run_in_executor(None, self.popen.wait)
        for queue in self._waiting.values():
            queue.put_nowait(self._gone())
        if not self._ready.done():
            self._ready.set_exception(self._gone())
            self._ready.exception()

    def _gone(self) -> Gone:
        return Gone(f"the process of {self.name} died", remedy="ask again: another is being started")


def _environment() -> dict[str, str]:
    """What a process is told of this one's surroundings: where things are, and no keys."""
    mine = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(("ILK_", "HF_"))}
    return {**mine, **_ENV}
