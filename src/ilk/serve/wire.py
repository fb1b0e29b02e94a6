"""What goes over the wire: errors in one shape, events of a stream, and work that ends when whoever asked has left."""
from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import Message

from ilk.errors import IlkError
from ilk.files import plain
from ilk.serve.work import Busy

T = TypeVar("T")
DONE = b"data: [DONE]\n\n"
_PLAIN = " !#$&'()*+,/:;<=>?@[]^`{|}"


def said(why: BaseException) -> tuple[int, dict[str, Any]]:
    """Status and body of an error. Of what is no IlkError nothing is told but that it happened: no path, no value, no trace."""
    if not isinstance(why, IlkError):
        why = IlkError("a fault of the server", code="INTERNAL", remedy="its log says more under the x-request-id of this answer")
    return why.http, why.as_json()


def refused(why: BaseException, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The error as an answer."""
    status, body = said(why)
    after = {"retry-after": str(max(1, round(why.after)))} if isinstance(why, Busy) else {}
    return JSONResponse(body, status, headers={**after, **getattr(why, "headers", {}), **(headers or {})})


def header(text: str) -> str:
    """Any text as the value of a header: what can't stand in one is escaped as in an address.

    >>> header("x-a: 1\\r\\nü")
    'x-a: 1%0D%0A%C3%BC'
    """
    return quote(text[:1000], safe=_PLAIN)


def event(data: Mapping[str, Any], name: str = "", number: int | None = None) -> bytes:
    """One event of a stream, which any text survives.

    >>> event({"a": "line\\u2028line"}, number=3)
    b'id: 3\\ndata: {"a":"line\\\\u2028line"}\\n\\n'
    """
    head = (f"event: {name}\n" if name else "") + ("" if number is None else f"id: {number}\n")
    return f"{head}data: {json.dumps(plain(data), separators=(',', ':'))}\n\n".encode()


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """What the work gives. It is cancelled when the client closes the connection (a plain handler would go on)."""
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise asyncio.CancelledError("the client left")
        return doing.result()
    finally:
        for task in (doing, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _left(request: Request) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await request.receive()
