"""Routes of OpenAI's that nothing here serves: said in the form of errors, before any of the body is read."""
from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from ilk.errors import UsageError
from ilk.serve.wire import refused


class Unserved(UsageError):
    """What is asked for is not served in this version."""

    exit, http, kind, default = 2, 501, "not_implemented", "not_implemented"


def unserved(router: APIRouter, path: str, what: str, methods: Sequence[str] = ("POST",)) -> None:
    """Adds a route that answers 501, and that trying again is no use. The description of the server is of what it serves: it leaves this out."""
    async def refuse(request: Request) -> JSONResponse:
        return refused(Unserved(f"{what} not served here", remedy="GET /openapi.json lists what is"), {"x-should-retry": "false", "connection": "close"})

    name = "_".join(p for p in path.split("/") if p and "{" not in p).replace("-", "_") or router.prefix.rpartition("/")[2]
    for method in methods:
        router.add_api_route(path, refuse, methods=[method], name=name, include_in_schema=False)
