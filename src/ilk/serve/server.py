"""What a running server is made of, and how routes get at it."""
from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.work import Engine


@dataclass(frozen=True)
class Server:
    """The parts of one server. Routes say `server: Has` among their parameters."""

    engine: Engine
    place: Workspace
    limits: Limits = field(default_factory=Limits)
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))   # processes that read files, at once
    about: dict[tuple[str, str, int], Mapping[str, Any]] = field(default_factory=dict)   # what models told of themselves


def server_of(request: Request) -> Server:
    """The server that was asked."""
    found: Server = request.app.state.server
    return found


Has = Annotated[Server, Depends(server_of)]
