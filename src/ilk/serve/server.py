"""What a running server is made of, and how routes get at it."""
from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from ilk.jobs.runner import Runner
from ilk.jobs.store import Store
from ilk.serve.admission import Admission
from ilk.serve.admitted import Admitted
from ilk.serve.guard import Guard
from ilk.serve.limits import Limits
from ilk.serve.metrics import Metrics
from ilk.serve.place import Workspace
from ilk.serve.work import Engine


class Part(Protocol):
    """Something that runs beside the routes for as long as the server does: the runner of jobs, a watch."""

    async def start(self, server: Server) -> None: ...
    async def stop(self) -> None: ...


@dataclass
class Life:
    """Where a server stands between its start and its end. `draining`: it takes no new work, and ends as soon as what runs is done."""

    began: float = field(default_factory=time.monotonic)
    ready: bool = False
    draining: bool = False


@dataclass(frozen=True)
class Server:
    """The parts of one server. Routes say `server: Has` among their parameters. `parts` are started with it, in order, and stopped in the opposite one.
    What routes ask of `engine` waits for its turn (`Admitted`)."""

    engine: Engine
    place: Workspace
    limits: Limits = field(default_factory=Limits)
    guard: Guard = field(default_factory=Guard)
    metrics: Metrics = field(default_factory=Metrics)
    life: Life = field(default_factory=Life)
    parts: Sequence[Part] = ()
    log_prompts: bool = False
    studio: bool = True
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))   # processes that read files, at once: each takes some 260 MiB
    about: dict[tuple[str, str, int], Mapping[str, Any]] = field(default_factory=dict)   # what models told of themselves
    admission: Admission = field(init=False)

    def __post_init__(self) -> None:
        engine, admission = self.engine, Admission(self.limits, lambda: len(self.engine.served()))
        object.__setattr__(self, "admission", admission)
        object.__setattr__(self, "engine", Admitted(engine, admission, self.metrics, self.limits, self.guard.keys, self.log_prompts))
        self.metrics.follow(self.metrics.running, lambda: admission.running)
        self.metrics.follow(self.metrics.waiting, lambda: admission.waiting)

    @cached_property
    def jobs(self) -> Store:
        """Long work, shared with `ilk jobs`."""
        return Store(self.place.part("jobs"))

    @cached_property
    def runner(self) -> Runner:
        """What does it."""
        return Runner(self.jobs, self.place.part("models"), self.limits.jobs, seconds=self.limits.job_seconds)


def server_of(request: Request) -> Server:
    """The server that was asked."""
    found: Server = request.app.state.server
    return found


async def _has(request: Request) -> Server:   # not `server_of`: FastAPI takes plain functions to another thread
    return server_of(request)


Has = Annotated[Server, Depends(_has)]
