"""A client that says exactly what it is told to, to an application in this process: no path is made nicer on its way."""
from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ilk.serve.app import build
from ilk.serve.guard import LOOPBACK, Guard
from ilk.serve.here import Here
from ilk.serve.keys import Keys, hashed
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.server import Server

TOKEN = "ilk-" + "t" * 43


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        found = json.loads(self.body)["error"]
        assert set(found) == {"message", "type", "param", "code"}
        return found


def server(at: Path, models: Mapping[str, str] | None = None, limits: Limits | None = None, **guard: Any) -> Server:
    """A server that asks for the token, as `ilk serve` makes it."""
    place = Workspace.at(at / "workspace")
    asks = {"asks": True, "token": hashed(TOKEN.encode()), "keys": Keys.of(place), "hosts": frozenset(LOOPBACK), **guard}
    return Server(Here(models or {"echo": "echo:"}), place, limits or Limits(), Guard(**asks))


async def ask(app: Any, method: str, path: str, headers: Sequence[tuple[bytes, bytes]] = (), body: Sequence[bytes] = (), leaves: bool = False,
              takes: int | None = None) -> Said:
    """One request. `body` comes in such pieces; then the client waits, or `leaves`. Of the answer it takes so many pieces, and then no more."""
    raw, _, query = path.encode().partition(b"?")
    scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method, "scheme": "http", "root_path": "",
             "path": unquote(raw.decode()), "raw_path": raw, "query_string": query, "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9),
             "headers": [(b"host", b"127.0.0.1"), *headers] if b"host" not in dict(headers) else list(headers), "state": {}}
    pieces, said, over = list(body), [], asyncio.Event()

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        if not body and not said and not getattr(receive, "empty", False):
            receive.empty = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if not leaves:
            await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)
        if len(said) == takes:
            await asyncio.Event().wait()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            over.set()

    await app(scope, receive, send)
    if not said:
        return Said(0, {}, b"")
    return Said(said[0]["status"], {k.decode(): v.decode("latin-1") for k, v in said[0]["headers"]}, b"".join(m.get("body", b"") for m in said[1:]))


def bearer(secret: str) -> tuple[bytes, bytes]:
    """The header of a key."""
    return b"authorization", f"Bearer {secret}".encode()


JSON = (b"content-type", b"application/json")


def chat(text: str = "Hello", model: str = "echo", **more: Any) -> list[bytes]:
    """The body of a chat request."""
    return [json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()]


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Any]:
    """The application of a server, started."""
    app = build(server)
    async with app.router.lifespan_context(app):
        yield app
