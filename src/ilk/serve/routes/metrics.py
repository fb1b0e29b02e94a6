"""Routes: what the server counts."""
from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from ilk.serve.server import Has

router = APIRouter(tags=["server"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(server: Has) -> Response:
    """Prometheus' text. Needs a key, but for a server of this machine only."""
    for served in server.engine.served():
        server.metrics.loaded.labels(served.name).set(served.state == "ready")
    return Response(server.metrics.text(), media_type=CONTENT_TYPE_LATEST)
