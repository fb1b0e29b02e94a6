"""The page of a comparison and its votes as an ASGI application: for this machine only, by a secret address, nothing from elsewhere."""
from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from ilk.errors import IlkError, PolicyError, UsageError
from ilk.pages.ballot import ballot
from ilk.verbs._ballots import Votes

HOSTS, MOST = ("127.0.0.1", "localhost"), 4096   # names by which this machine may be asked; bytes of a vote
HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff", "x-frame-options": "DENY"}


def blind_app(votes: Votes, token: str, language: str = "en", done: Callable[[], None] = lambda: None) -> Any:
    """The application (starlette): /TOKEN/ is the page, beside it `next`, `vote` and `undo`. `done` is called after the last vote was answered.

    Every refusal has one shape, that of `IlkError.as_json`. UsageError where starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.background import BackgroundTask
        from starlette.exceptions import HTTPException
        from starlette.requests import Request
        from starlette.responses import HTMLResponse, JSONResponse, Response
        from starlette.routing import Route
    except ImportError:
        raise UsageError("starlette is not installed", code="MISSING", remedy="pip install 'ilk[blind]'") from None

    async def page(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; form-action 'none'"
        asked = request.query_params.get("language", language)
        return HTMLResponse(ballot(asked, votes.study.wide, nonce), headers={**HEADERS, "content-security-policy": policy})

    def answered() -> Response:
        told = state(votes)
        return JSONResponse(told, headers=HEADERS, background=BackgroundTask(done) if told["done"] else None)

    async def ahead(request: Request) -> Response:
        return answered()

    async def vote(request: Request) -> Response:
        said = await _body(request)
        if type(said.get("k")) is not int or not isinstance(said.get("choice"), str):
            raise UsageError("a vote has a number `k` and a `choice`", code="VOTE")
        seconds = said.get("seconds")
        votes.cast(said["k"], said["choice"], float(seconds) if isinstance(seconds, int | float) and 0 <= seconds < 1e6 else None)
        return answered()

    async def undo(request: Request) -> Response:
        await _body(request)
        votes.undo()
        return answered()

    async def refused(request: Request, why: Exception) -> Response:
        if isinstance(why, HTTPException):
            said = UsageError(f"{why.detail}: {request.method} {request.url.path[:80]}".replace(token, "..."), code="HTTP")
            return JSONResponse(said.as_json(), why.status_code, headers=HEADERS)
        error = why if isinstance(why, IlkError) else IlkError("something went wrong here", code="INTERNAL")
        status = {"STALE": 409, "TOO_LARGE": 413}.get(error.code, error.http)
        return JSONResponse(error.as_json(), status, headers=HEADERS)

    routes = [Route(f"/{token}/", page), Route(f"/{token}/next", ahead), Route(f"/{token}/vote", vote, methods=["POST"]), Route(f"/{token}/undo", undo, methods=["POST"])]
    return _Guard(Starlette(routes=routes, exception_handlers={HTTPException: refused, IlkError: refused, Exception: refused}), token)


def state(votes: Votes) -> dict[str, Any]:
    """What the page shows next; never whose it is."""
    k, study = votes.next, votes.study
    found: dict[str, Any] = {"done": k is None, "k": k, "voted": len(votes.mine), "total": len(study.order)}
    if k is None:
        return found
    pair = study.order[k]
    return {**found, "left": study.items[pair.left][pair.item], "right": study.items[pair.right][pair.item], "asked": study.asked[pair.item]}


async def _body(request: Any) -> dict[str, Any]:
    """The object of JSON that was sent, of so many bytes at most."""
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > MOST:
            raise UsageError(f"more than {MOST} bytes", code="TOO_LARGE")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON", code="JSON") from None
    if not isinstance(found, dict):
        raise UsageError("the body is not an object of JSON", code="JSON")
    return found


Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _Guard:
    """Answers nobody who asks this machine by another name (a page elsewhere whose name was pointed here) or does not know the token."""

    def __init__(self, app: Any, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if (why := self._wrong(scope["path"], headers)) is None:
            await self.app(scope, receive, send)
            return
        body = json.dumps(why.as_json()).encode()
        told = {**HEADERS, "content-type": "application/json", "content-length": str(len(body))}
        await send({"type": "http.response.start", "status": why.http, "headers": [(k.encode(), v.encode()) for k, v in told.items()]})
        await send({"type": "http.response.body", "body": body})

    def _wrong(self, path: str, headers: dict[str, str]) -> PolicyError | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
            return PolicyError("this machine is asked by another name", code="HOST")
        if origin is not None and origin.partition("://")[2] != host:
            return PolicyError("a page from elsewhere asks", code="ORIGIN")
        if not secrets.compare_digest(path.split("/")[1].encode() if path.count("/") > 1 else b"", self.token.encode()):
            return PolicyError("the address is not the one that ilk blind printed", code="TOKEN")
        return None
