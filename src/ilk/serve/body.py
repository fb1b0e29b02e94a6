"""Bodies of requests: read up to a limit, as strict JSON that any program can hold, before anything else looks at them."""
from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from ilk.errors import ModelError, UsageError
from ilk.files import parse_json
from ilk.serve.refusals import TooLarge

DEEPEST = 64   # objects and lists inside each other


class Strict(APIRoute):
    """A route whose JSON is UTF-8 without doubled keys, NaN, half characters or more than 64 levels, and no longer than the server's limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Reads the body, then goes on as any route does."""
        go = super().get_route_handler()
        wants = self.body_field is not None

        async def handle(request: Request) -> Response:
            if wants:
                await _read(request)
            return await go(request)
        return handle


async def _read(request: Request) -> None:
    """Puts the parsed body where the framework looks for it."""
    data = await bytes_of(request, request.app.state.server.limits.body)
    if not data:
        raise UsageError("the body is empty", code="invalid_json", remedy="send an object of JSON")
    request._body, request._json = data, json_of(data)


async def bytes_of(request: Request, most: int) -> bytes:
    """The body; TooLarge as soon as more than `most` bytes came."""
    parts, seen = [], 0
    try:
        async for part in request.stream():
            seen += len(part)
            if seen > most:
                raise TooLarge(f"the body is longer than {most} bytes", remedy="send less")
            parts.append(part)
    except ClientDisconnect:
        raise asyncio.CancelledError("the client left") from None
    return b"".join(parts)


def json_of(data: bytes) -> Any:
    """The value; UsageError (code invalid_json) that says why it is none.

    >>> json_of(b'{"a": 1}')
    {'a': 1}
    """
    try:
        found = parse_json(data, "the body")
    except ModelError as why:
        raise UsageError(why.message, code="invalid_json", remedy="send an object of JSON") from None
    if depth_of(found, DEEPEST) > DEEPEST:
        raise UsageError(f"the body is nested more than {DEEPEST} deep", code="invalid_json")
    if b"\\ud" in data.lower() and not _whole(found):
        raise UsageError("a text of the body has half a character in it (a lone surrogate)", code="invalid_json")
    return found


def depth_of(value: Any, most: int) -> int:
    """How many objects and lists stand inside each other, counted up to one more than `most`.

    >>> depth_of({"a": [1]}, 9), depth_of(1, 9), depth_of([[[[]]]], 2)
    (2, 0, 3)
    """
    level, depth = [value], 0
    while level and depth <= most:
        level = [x for v in level if isinstance(v, dict | list) for x in (v.values() if isinstance(v, dict) else v)] if (inside := _any(level)) else []
        depth += inside
    return depth


def _any(level: list[Any]) -> bool:
    return any(isinstance(v, dict | list) for v in level)


def _whole(value: Any) -> bool:
    """Whether every text in it can be written as UTF-8."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str) and any("\ud800" <= c <= "\udfff" for c in one):
            return False
        left += [*one, *one.values()] if isinstance(one, dict) else one if isinstance(one, list) else []
    return True
