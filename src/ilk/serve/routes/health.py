"""Routes: whether the server lives and is ready, its version and limits."""
from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ilk import __version__
from ilk.serve.refusals import Unavailable
from ilk.serve.server import Has

router = APIRouter(tags=["server"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """It lives. Open to all."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(server: Has) -> dict[str, str]:
    """It takes work: 503 while it starts or ends, and while a model is being loaded or brought back."""
    if server.life.draining or not server.life.ready:
        raise Unavailable("the server is about to end" if server.life.draining else "the server is starting", code="draining" if server.life.draining else "loading")
    if late := [s for s in server.engine.served() if s.state in ("loading", "down")]:
        raise Unavailable(f"{late[0].name} is {late[0].state}", code=late[0].state, headers={"retry-after": "5"})
    return {"status": "ready"}


@router.get("/version")
async def version() -> dict[str, str]:
    """Which ilk that is."""
    return {"version": __version__}


@router.get("/v1/limits")
async def limits(server: Has) -> dict[str, Any]:
    """What is allowed: sizes in bytes, times in seconds."""
    return {"object": "ilk.limits", **server.limits.model_dump()}
