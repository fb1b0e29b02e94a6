"""Runs the jobs of a workspace: a thread that claims them, follows their processes and writes down what they tell."""
from __future__ import annotations

import logging
import secrets
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ilk.errors import IlkError, ResourceError
from ilk.files import plain
from ilk.jobs.child import Child, collected
from ilk.jobs.job import Job, State
from ilk.jobs.store import LEASE, Lost, Store

ROUND, GRACE = 0.25, 20.0   # seconds between two looks; for a process to keep its checkpoint
_LOG = logging.getLogger("ilk.jobs")


@dataclass
class _Work:
    """A job at work here, what was last wanted of it, and since when."""

    child: Child
    job: Job
    wanted: str | None = None
    since: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    beaten: float = 0.0


class Runner:
    """Runs `many` jobs at once, each in `threads` threads and for `seconds` at most. `start` and `stop` for a server; `step` does one round."""

    def __init__(self, store: Store, models: Path, many: int = 1, threads: int = 1, seconds: float = 24 * 3600, lease: float = LEASE) -> None:
        self.store, self.models, self.many, self.threads, self.seconds, self.lease = store, models, many, threads, seconds, lease
        self.name = f"runner_{secrets.token_hex(8)}"
        self._work: dict[str, _Work] = {}
        self._wake, self._stopping, self._thread = threading.Event(), False, threading.Thread(target=self._go, name="ilk-jobs", daemon=True)

    def start(self) -> None:
        """Begins, in a thread."""
        self._thread.start()

    def stop(self, grace: float = GRACE) -> None:
        """Ends the processes that run, their checkpoints kept, and gives the jobs back; they go on when a runner starts again."""
        self._stopping = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()
        for work in self._work.values():
            work.child.send(signal.SIGTERM)
        until = time.monotonic() + grace
        while time.monotonic() < until and not all(work.child.ended() for work in self._work.values()):
            time.sleep(0.02)
        for work in tuple(self._work.values()):
            self._end(work.child)
            with suppress(IlkError):
                self._hear(work)
                self._over(work, "queued")
            self._forget(work)

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    @property
    def idle(self) -> bool:
        """Whether nothing runs here and nothing waits."""
        return not self._work and not self.store.list(state="queued", limit=1)

    def step(self) -> None:
        """One round: takes back what others lost, begins what there is room for, and follows what runs. What can't be written now is tried in the next round."""
        for work in tuple(self._work.values()):
            self._safely(work)
        with suppress(ResourceError):
            self.store.recover(self.name)
            while len(self._work) < self.many and (job := self.store.claim(self.name, self.lease)) is not None:
                self._begin(job)

    def _go(self) -> None:
        with suppress(OSError):
            self.store.tidy()
        while not self._stopping:
            try:
                self.step()
            except Exception:   # the thread outlives what it can't understand; its jobs keep their leases only while it works
                _LOG.exception("a round of the jobs failed")
            self._wake.wait(ROUND)
            self._wake.clear()

    def _begin(self, job: Job) -> None:
        try:
            child = Child.of(job, self.store.folder / job.id, self.threads)
        except ResourceError as why:
            self.store.leave(job.id, self.name, "failed", error=why.as_json()["error"])
            return
        self._work[job.id] = _Work(child, job)

    def _safely(self, work: _Work) -> None:
        try:
            self._follow(work)
        except ResourceError:
            pass
        except Lost:
            self._end(work.child)
            self._forget(work)

    def _follow(self, work: _Work) -> None:
        ended = work.child.ended()   # before its last events are read
        self._hear(work)
        self._beat(work, ended)
        if ended:
            self._over(work)
            self._forget(work)
        elif work.wanted is not None and time.monotonic() - work.since > GRACE:
            self._end(work.child)
        elif work.wanted is None and time.monotonic() - work.begun > self.seconds:
            self._ask(work, "deadline")

    def _beat(self, work: _Work, now: bool) -> None:
        if now or time.monotonic() - work.beaten >= min(1.0, self.lease / 5):
            wanted = self.store.beat(work.job.id, self.name, self.lease)
            work.beaten = time.monotonic()
            if wanted is not None and wanted != work.wanted:
                self._ask(work, wanted)
            elif wanted is None and work.wanted == "pause":
                work.wanted = "resume"   # it was told to stop already

    def _ask(self, work: _Work, wanted: str) -> None:
        work.wanted, work.since = wanted, time.monotonic()
        work.child.send(signal.SIGTERM)

    def _hear(self, work: _Work) -> None:
        facts, read = work.child.news(work.job.read)
        if read != work.job.read:
            fractions = [f["fraction"] for f in facts if f.get("event") == "progress" and isinstance(f.get("fraction"), int | float)]
            self.store.hear(work.job.id, self.name, facts, read, min(1.0, max(0.0, fractions[-1])) if fractions else None)
            work.job = Job(**{**vars(work.job), "read": read})

    def _over(self, work: _Work, otherwise: State | None = None) -> None:
        """Writes down how it ended. `otherwise`: what becomes of a job whose process was ended by the runner itself."""
        answer, id = work.child.answered(), work.job.id
        if answer is not None and "error" not in answer:
            made = collected(work.child.folder, self.models, work.job)
            self.store.leave(id, self.name, "succeeded", made)
        elif work.wanted in ("cancel", "pause"):
            self.store.leave(id, self.name, "cancelled" if work.wanted == "cancel" else "paused")
        elif work.wanted == "deadline":
            self.store.leave(id, self.name, "failed", error={"message": f"it took more than {self.seconds:.0f} s", "type": "server_error", "param": None, "code": "deadline"})
        elif otherwise is not None or work.wanted == "resume":
            self.store.leave(id, self.name, otherwise or "queued")
        elif answer is not None and answer["error"].get("code") != "STOPPED":
            self.store.leave(id, self.name, "failed", error=plain(_within(answer["error"], self.store.folder.parent)))
        elif work.child.killed:
            self.store.again(id, self.name)
        else:
            self.store.leave(id, self.name, "failed", error=work.child.error())

    def _end(self, child: Child) -> None:
        child.send(signal.SIGKILL)
        if child.process is not None:
            child.process.wait()

    def _forget(self, work: _Work) -> None:
        work.child.close()
        self._work.pop(work.job.id, None)


def _within(error: dict[str, object], root: Path) -> dict[str, object]:
    """The error with places inside the workspace told from there."""
    return {k: v.replace(f"{root}/", "") if isinstance(v, str) else v for k, v in error.items()}
