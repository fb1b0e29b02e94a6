"""Routes: long work, which goes on when whoever asked has left."""
from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from ilk.errors import UsageError, nearest
from ilk.jobs.child import ANSWER
from ilk.jobs.job import Job, Kind, Order, State
from ilk.jobs.kinds import KINDS, params_of, shown
from ilk.jobs.store import NoJob
from ilk.serve.answers import Fault, attachment, or_events
from ilk.serve.body import Strict
from ilk.serve.caller import Caller, needs
from ilk.serve.lines import Line, lines
from ilk.serve.server import Has, Server
from ilk.serve.shelf import CallersShelf
from ilk.serve.wire import DONE, event
from ilk.serve.work import Missing

LOOK, PING = 0.3, 15.0   # seconds between looks at the log, and between signs of life
SANDBOX = {"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:", "x-content-type-options": "nosniff"}


router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=Strict)
Id = Annotated[str, Path(description="The number of a job.", examples=["job_0123456789abcdef01234567"], max_length=80)]
Allowed = Annotated[Caller, needs("jobs")]
EXAMPLE: Any = {"kind": "fit", "params": {"file": "file-0123456789abcdef01234567", "family": "gmm", "seconds": 60}}


class Asked(BaseModel):
    """A job that is asked for. `params` are those of its kind: docs/en/jobs.md has them all."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})

    kind: str = Field(description=f"One of {', '.join(KINDS)}.", max_length=40)
    params: dict[str, Any] = Field({}, max_length=40)
    priority: int = Field(0, ge=-100, le=100, description="The higher the sooner.")
    name: str = Field("", max_length=200, description="For people.")


class JobObject(BaseModel):
    """A job as it stands. Times are seconds since 1970; `progress` goes from 0 to 1; `made` says what there is of it: model, report, file or library."""

    id: str
    object: Literal["ilk.job"]
    kind: Kind
    name: str
    state: State
    priority: int
    progress: float | None
    attempt: int
    created: float
    started: float | None
    ended: float | None
    params: dict[str, Any]
    made: dict[str, str]
    error: Fault | None
    line: Line


class JobList(BaseModel):
    """Jobs, the latest first."""

    object: Literal["list"]
    data: list[JobObject]
    has_more: bool


class JobGone(BaseModel):
    """A job that was deleted."""

    id: str
    object: Literal["ilk.job"]
    deleted: Literal[True]


@router.post("", status_code=202, response_model=JobObject)
def submit(server: Has, caller: Allowed, asked: Asked, idempotency_key: Annotated[str | None, Header(max_length=200)] = None) -> dict[str, Any]:
    """Takes a job on: it is kept before this answers. The same Idempotency-Key again is the same job."""
    params, shelf = params_of(asked.kind, asked.params), CallersShelf(server, caller)
    words = tuple(params.words(shelf))
    line = lines(asked.kind, params.called(shelf))
    order = Order(asked.kind, words, caller.id, asked.name, asked.params, line.model_dump(), asked.priority, idempotency_key)
    job = server.jobs.submit(order, server.limits.jobs_queued)
    server.runner.wake()
    return told(job, server)


@router.get("", response_model=JobList)
def listed(server: Has, caller: Allowed, state: State | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100,
           after: Annotated[str | None, Query(max_length=80, description="The id of the last job that is known.")] = None) -> dict[str, Any]:
    """Your jobs, the latest first."""
    if after is not None:
        _of(server, caller, after)
    jobs = server.jobs.list(None if caller.may("admin") else caller.id, state, after, limit + 1)
    return {"object": "list", "data": [told(job, server) for job in jobs[:limit]], "has_more": len(jobs) > limit}


@router.get("/{id}", response_model=JobObject)
def one(server: Has, caller: Allowed, id: Id) -> dict[str, Any]:
    """A job as it stands."""
    return told(_of(server, caller, id), server)


@router.get("/{id}/events", response_class=StreamingResponse,
            responses=or_events("Events as they come, until the job is over; then [DONE]."))
async def events(request: Request, server: Has, caller: Allowed, id: Id,
                 last_event_id: Annotated[int, Header(ge=0, le=2**62, description="Go on after this event.")] = 0) -> StreamingResponse:
    """What a job tells: progress, curves, previews, changes of its state. Broken off, it goes on after the Last-Event-ID that is sent."""
    await asyncio.to_thread(_of, server, caller, id)
    return StreamingResponse(_events(server, id, last_event_id), media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"})


@router.post("/{id}/cancel", response_model=JobObject)
def cancel(server: Has, caller: Allowed, id: Id) -> dict[str, Any]:
    """Ends a job; one that runs is asked to stop, and killed if it does not."""
    return _changed(server, server.jobs.cancel(_of(server, caller, id).id))


@router.post("/{id}/pause", response_model=JobObject)
def pause(server: Has, caller: Allowed, id: Id) -> dict[str, Any]:
    """Stops a job at its checkpoint until it is resumed."""
    return _changed(server, server.jobs.pause(_of(server, caller, id).id))


@router.post("/{id}/resume", response_model=JobObject)
def resume(server: Has, caller: Allowed, id: Id) -> dict[str, Any]:
    """Lets a job go on that was paused, cancelled, interrupted or failed."""
    return _changed(server, server.jobs.resume(_of(server, caller, id).id))


@router.delete("/{id}", response_model=JobGone)
def delete(server: Has, caller: Allowed, id: Id) -> dict[str, Any]:
    """Takes a job away that does not run, with its files; models that it made stay."""
    server.jobs.remove(_of(server, caller, id).id)
    return {"id": id, "object": "ilk.job", "deleted": True}


@router.get("/{id}/files/{name}", response_class=FileResponse, responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}})
def file(server: Has, caller: Allowed, id: Id, name: Annotated[str, Path(max_length=200)]) -> Response:
    """A file that a job made: a page (shown without scripts, and with nothing loaded), its answer as JSON, a table, an archive."""
    job = _of(server, caller, id)
    files = {job.made[k] for k in ("report", "file") if k in job.made} | ({ANSWER} if job.state == "succeeded" else set())
    path = server.jobs.folder / job.id / name
    if name not in files or not path.is_file():
        raise Missing(f"{id} has no file {name[:80]!r}", code="not_found", param="name", remedy=nearest(name, sorted(files)))
    if path.suffix == ".html":
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=SANDBOX)
    mime = "application/json" if name == ANSWER else mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(path, media_type=mime, headers=attachment(name))


def told(job: Job, server: Server) -> dict[str, Any]:
    """A job as JSON."""
    same = {k: getattr(job, k) for k in ("id", "kind", "name", "state", "priority", "progress", "attempt", "created", "started", "ended")}
    line = {"python": "", "cli": shown(job.words, server.place.root), **job.line}
    return {**same, "object": "ilk.job", "params": dict(job.params), "made": dict(job.made), "error": job.error, "line": line}


def _of(server: Server, caller: Caller, id: str) -> Job:
    """Theirs; another's is none."""
    job = server.jobs.get(id)
    if not caller.owns(job.owner):
        raise NoJob(f"no job {id[:80]!r}", param="job")
    return job


def _changed(server: Server, job: Job) -> dict[str, Any]:
    server.runner.wake()
    return told(job, server)


async def _events(server: Server, id: str, after: int) -> AsyncIterator[bytes]:
    quiet = 0.0
    while True:
        found, over = await asyncio.to_thread(_since, server, id, after)
        for one in found:
            after, quiet = one.number, 0.0
            yield event({**one.facts, "at": one.at}, number=one.number)
        if (over or server.life.draining) and not found:
            yield DONE
            return
        if not found:
            await asyncio.sleep(LOOK)
            quiet += LOOK
        if quiet >= PING:
            quiet = 0.0
            yield b": ping\n\n"


def _since(server: Server, id: str, after: int) -> tuple[Any, bool]:
    """Events, and whether there will be none: the state is read first, so that the last event is not missed."""
    try:
        over = server.jobs.get(id).over
    except UsageError:   # it was deleted
        over = True
    return server.jobs.events(id, after), over
