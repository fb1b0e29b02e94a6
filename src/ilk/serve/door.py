"""The door: what every request passes before anything else sees it. It numbers requests, says who asks, refuses what is too much, and counts and logs the rest."""
from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import nullcontext

from starlette.datastructures import Headers as Given
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ilk.errors import IlkError
from ilk.serve.admission import WORK
from ilk.serve.caller import Caller
from ilk.serve.logs import told
from ilk.serve.refusals import Headers, TooLarge, Unavailable, Unclear, Unsupported
from ilk.serve.server import Server
from ilk.serve.wire import refused

OPEN = ("/healthz",)       # asked by nobody in particular
STUDIO = "/studio"         # its files hold nothing of anybody's
UPLOADS = ("/v1/files", "/v1/images/edits", "/v1/images/variations", "/v1/audio/transcriptions")   # routes that take a file, as multipart
FORM = 64 * 1024           # what a form may say beside its file
PIECE = 64 * 1024          # of an answer that is sent at once, so that little waits for a slow reader
_ODD = re.compile(r"//|/\.{1,2}(/|$)|\\|[\x00-\x1f\x7f]")
_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PAGE = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob: data:; connect-src 'self'; "
         "frame-src 'self' blob:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
_SAFE = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cross-origin-resource-policy": "same-origin",
         "cross-origin-opener-policy": "same-origin", "x-frame-options": "SAMEORIGIN"}


class Table:
    """Routes as they are written down, by the paths that people ask for."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.rows: list[tuple[re.Pattern[str], str, frozenset[str]]] = [
            (route.path_regex, route.path, frozenset(getattr(route, "methods", None) or ())) for route in routes if hasattr(route, "path_regex") and hasattr(route, "path")]

    def find(self, method: str, path: str) -> str:
        """The route, "none" where there is none: what has that path and method, else what has that path."""
        here = [(name, methods) for pattern, name, methods in self.rows if pattern.match(path)]
        return next((name for name, methods in here if not methods or method in methods), here[0][0] if here else "none")


class Door:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, server: Server, table: Table) -> None:
        self.app, self.server, self.table = app, server, table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await _Passage(self.server, self.table, scope, receive, send).through(self.app)


class _Passage:
    """One request on its way in and its answer on its way out."""

    def __init__(self, server: Server, table: Table, scope: Scope, receive: Receive, send: Send) -> None:
        self.server, self.scope, self._receive, self._send = server, scope, receive, send
        self.number, self.began, self.headers = f"req_{secrets.token_hex(12)}", time.monotonic(), Given(scope=scope)
        self.method, self.path = scope["method"], scope["path"]
        self.route = table.find(self.method, self.path)
        self.caller, self.origin = Caller("nobody", frozenset()), ""
        self.taken, self.status, self.ended, self.gone = 0, 0, False, False
        self.refusal: IlkError | None = None

    async def through(self, app: ASGIApp) -> None:
        """In, and out again: whatever happens there is one answer, and one line in the log."""
        try:
            answer = self._checked()
            if answer is not None:
                await answer(self.scope, self._receive, self.send)
                return
            kind = WORK.get(self.route) if self.method == "POST" else None
            with self.server.admission.seat(self.caller.id, kind) if kind else nullcontext():
                await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            if self.server.life.draining and not self.gone and not self.status:
                await self._refuse(Unavailable("the server has ended before this was done", code="draining"))
            elif not self.gone and not self.server.life.draining:
                raise
        except Exception as why:  # what nobody else answered
            if not isinstance(why, IlkError):
                told("fault", {"request": self.number, "route": self.route}, logging.ERROR, why)
            await self._refuse(why)
        finally:
            self._counted()

    def _checked(self) -> Response | None:
        """Refuses by an exception; or the answer, where it is the door's own."""
        guard, host = self.server.guard, self.headers.get("host", "")
        self._measured()
        guard.named(host)
        origin = self.headers.get("origin")
        if origin is not None and guard.asked_from(origin, host):
            self.origin = origin
            if self.method == "OPTIONS" and "access-control-request-method" in self.headers:
                return _preflight(self.headers)
        self.caller = Caller("nobody", frozenset()) if self._open() else guard.caller(self._authorization())
        self.scope.setdefault("state", {}).update(caller=self.caller, request=self.number)
        if _ODD.search(self.path):
            raise Unclear("there is nothing at such a path", code="not_found")
        self._bodied()
        if self.server.life.draining and self.route in WORK:
            raise Unavailable("the server is about to end", code="draining", headers={"retry-after": "5"})
        return None

    def _measured(self) -> None:
        limits, raw = self.server.limits, self.scope["headers"]
        size = len(self.scope.get("raw_path") or b"") + len(self.scope["query_string"]) + sum(len(name) + len(value) + 4 for name, value in raw)
        if size > limits.header or len(raw) > limits.headers:
            raise Headers(f"{len(raw)} headers of {size} bytes", remedy=f"at most {limits.headers} of {limits.header} bytes together")

    def _authorization(self) -> bytes | None:
        """Its bytes; two of them are none that anybody sends."""
        found = [value for name, value in self.scope["headers"] if name == b"authorization"]
        return found[0] if len(found) == 1 else None

    def _open(self) -> bool:
        """Whether anybody may ask that. Read off the path as it was sent: what is spelled in another way is not open."""
        sent = (self.scope.get("raw_path") or self.path.encode()).decode("latin-1").partition("?")[0]
        if sent in OPEN or (sent == "/metrics" and self._near()):
            return True
        return self.method in ("GET", "HEAD") and (sent == STUDIO or sent.startswith(STUDIO + "/")) and not _ODD.search(self.path) and "%" not in sent

    def _near(self) -> bool:
        """Whether the server listens on this machine only and nobody hands requests on to it."""
        return self.server.guard.loopback and not {"forwarded", "x-forwarded-for"} & set(self.headers.keys())

    def _bodied(self) -> None:
        """Refuses a body by what its headers say of it."""
        length = self.headers.get("content-length", "0")
        if self.headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
            raise Unsupported("compressed bodies are not taken", remedy="send it as it is, without Content-Encoding")
        if length.isascii() and length.isdigit() and int(length) > self._most():
            raise self._too_large()
        if length != "0" or "transfer-encoding" in self.headers:
            kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "application/json" and not (kind == "multipart/form-data" and self.route in UPLOADS):
                raise Unsupported(f"bodies of {kind[:60] or 'no type'} are not taken here", remedy="Content-Type: application/json")

    def _most(self) -> int:
        return self.server.limits.upload + FORM if self.route in UPLOADS else self.server.limits.body

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body has more than {self._most()} bytes", remedy="`ilk serve --limit body=...` allows more" if self.route not in UPLOADS
                        else "`ilk serve --limit upload=...` allows more")

    async def receive(self) -> Message:
        """What the client sent, counted."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone = not self.ended
        self.taken += len(message.get("body", b""))
        if self.taken > self._most():
            self.refusal = self._too_large()
            raise self.refusal
        return message

    async def send(self, message: Message) -> None:
        """The answer, with what every answer has; in the place of one to a request that was refused in its middle, the refusal."""
        if message["type"] == "http.response.start":
            if self.refusal is not None and self.status == 0:
                await self._refuse(self.refusal)
            if self.status == 0:
                self.status = message["status"]
                await self._send({**message, "headers": self._dressed(message)})
        elif not self.ended:
            await self._sent(message)

    async def _sent(self, message: Message) -> None:
        body, more = message.get("body", b""), message.get("more_body", False)
        for start in range(0, max(1, len(body)), PIECE):
            last = start + PIECE >= len(body)
            self.ended = last and not more
            await self._send({**message, "body": body[start:start + PIECE], "more_body": not self.ended})

    async def _refuse(self, why: BaseException) -> None:
        """The error as the answer, if none has begun."""
        self.server.metrics.refused(why)
        if self.status == 0:
            self.refusal = None
            await refused(why)(self.scope, self._receive, self.send)
        elif not self.ended:
            raise why

    def _dressed(self, message: Message) -> list[tuple[bytes, bytes]]:
        """Headers of an answer: its own, without anything that could begin another line, and those of safety."""
        kept: Message = {"type": "", "headers": [(name, _UNSAFE.sub(b" ", value).strip()) for name, value in message.get("headers", [])]}
        headers = MutableHeaders(scope=kept)
        headers["x-request-id"] = self.number
        page = self.path == STUDIO or self.path.startswith(STUDIO + "/")
        for name, value in {**_SAFE, "content-security-policy": _PAGE if page else "default-src 'none'; frame-ancestors 'self'",
                            "cache-control": "no-cache" if page else "no-store"}.items():
            headers.setdefault(name, value)
        if self.origin:
            headers["access-control-allow-origin"], headers["access-control-expose-headers"] = self.origin, "*"
            headers["cross-origin-resource-policy"] = "cross-origin"
            headers.add_vary_header("Origin")
        return list(headers.raw)

    def _counted(self) -> None:
        metrics, seconds = self.server.metrics, time.monotonic() - self.began
        if self.gone and not self.ended:
            metrics.cancelled.inc()
        metrics.requests.labels(self.route, f"{self.status // 100}xx" if self.status else "none").inc()
        metrics.duration.labels(self.route).observe(seconds)
        told("request", {"request": self.number, "method": self.method if self.method.isalpha() and len(self.method) < 10 else "other", "route": self.route,
                         "status": self.status, "seconds": round(seconds, 4), "caller": self.caller.id, "read": self.taken, "left": self.gone})


def _preflight(headers: Given) -> Response:
    """What a page elsewhere may send."""
    asked = headers.get("access-control-request-headers", "authorization, content-type")
    return Response(status_code=204, headers={"access-control-allow-methods": "GET, POST, DELETE, OPTIONS", "access-control-allow-headers": asked[:1000],
                                              "access-control-max-age": "600"})
