"""Routes: which models are served."""
from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ilk.serve.caller import needs
from ilk.serve.server import Has
from ilk.serve.work import Served, lacking

router = APIRouter(prefix="/v1/models", tags=["models"], dependencies=[needs("chat")])


@router.get("")
def every(server: Has) -> dict[str, Any]:
    """All models."""
    return {"object": "list", "data": [told(one) for one in server.engine.served()]}


@router.get("/{name:path}")
def one(server: Has, name: str) -> dict[str, Any]:
    """One of them."""
    served = {s.name: s for s in server.engine.served()}
    if name not in served:
        raise lacking(name, list(served))
    return told(served[name])


def told(served: Served) -> dict[str, Any]:
    """As OpenAI's clients read it; what is ilk's own stands under `ilk`."""
    return {"id": served.name, "object": "model", "created": served.since, "owned_by": "ilk", "ilk": {"state": served.state, **served.facts}}
