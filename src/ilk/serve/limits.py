"""What the server allows: one table, shown by `ilk limits` and at /v1/limits, each settable as a flag of `ilk serve --limit NAME=VALUE`."""
from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ilk.errors import UsageError, nearest

MIB = 1 << 20
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Limits(BaseModel):
    """Bounds on what is asked. Sizes in bytes, times in seconds.

    >>> Limits().n, Limits.of({"n": "4"}).n
    (8, 4)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    body: Count = 2 * MIB
    """A body of JSON."""
    header: Count = 16 * 1024
    """All headers together."""
    headers: Count = 64
    """How many headers."""
    header_seconds: Seconds = 10
    """Until the headers of a request are here."""
    body_seconds: Seconds = 60
    """Until the body of a request is here, and more time for large uploads at `body_rate`."""
    body_rate: Count = 64 * 1024
    """Bytes a second that an upload has to bring on average."""
    write_seconds: Seconds = 30
    """A client that takes nothing of its answer for so long is cut off."""
    buffer: Count = MIB
    """What is kept of an answer for a client that is slow."""
    upload: Count = 64 * MIB
    """An uploaded file."""
    uploads: Count = 1024 * MIB
    """All files of a key together."""
    pixels: Count = 64_000_000
    """Pixels of a picture."""
    ratio: Count = 100
    """How many times larger than packed an archive may be."""
    read_memory: Count = 4096 * MIB
    """Address space of the process that reads an uploaded file."""
    read_seconds: Seconds = 60
    """Until an uploaded file is read."""
    running: Count = 16
    """Requests at work at once, a model."""
    queue: Annotated[int, Field(ge=0)] = 64
    """Requests that wait, a model; more are refused with 429."""
    n: Count = 8
    """Answers to one chat request."""
    items: Count = 1024
    """Items of one request to make, score or edit."""
    tokens: Count = 32_768
    """Tokens of one answer."""
    stop: Count = 16
    """Strings that end an answer."""
    top_logprobs: Annotated[int, Field(ge=0, le=20)] = 20
    """Other tokens told beside each."""
    tools: Count = 64
    """Tools of a request."""
    schema_bytes: Count = 64 * 1024
    """A JSON Schema."""
    schema_depth: Count = 32
    """How deep a JSON Schema goes."""
    schema_seconds: Seconds = 2
    """Until a JSON Schema is understood."""
    request_seconds: Seconds = 600
    """A request in all."""
    idle_seconds: Seconds = 300
    """Until a model that nobody asks is put away."""
    drain_seconds: Seconds = 30
    """For what is at work when the server is asked to stop."""
    jobs: Count = 1
    """Jobs that run at once."""
    jobs_queued: Count = 100
    """Jobs of a key that wait."""
    job_seconds: Seconds = 7 * 86400
    """A job in all."""
    workspace: Count = 10 * 1024 * MIB
    """All that is kept on disk."""

    @classmethod
    def of(cls, said: dict[str, Any]) -> Limits:
        """The defaults but for what is said; UsageError (code LIMIT) for an unknown name or a value out of range."""
        try:
            return cls(**said)
        except ValidationError as why:
            first = why.errors()[0]
            name = str(first["loc"][0])
            if name not in cls.model_fields:
                raise UsageError(f"no limit {name[:40]!r}", code="LIMIT", param="limit", remedy=nearest(name, cls.model_fields)) from None
            raise UsageError(f"the limit {name}: {first['msg']}", code="LIMIT", param="limit", remedy=f"such as {name}={cls.model_fields[name].default}") from None
