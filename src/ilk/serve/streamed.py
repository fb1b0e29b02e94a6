"""Answers that come in events: an error before the first one is an error, one after it is the last event; whoever leaves stops the work."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ilk.serve.wire import event, said, unless_gone

T = TypeVar("T")
PING, EVERY = b": ping\n\n", 15.0   # seconds of silence after which a line is kept alive
_CLOSING: set[asyncio.Future[None]] = set()   # so that none is lost while it runs
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Events(StreamingResponse):
    """Server-sent events, whose source is closed whatever becomes of the line."""

    media_type = "text/event-stream"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            source: Any = self.body_iterator
            await source.aclose()


async def streamed(request: Request, events: AsyncGenerator[bytes, None], headers: Mapping[str, str] | None = None) -> Events:
    """The events as an answer, which begins once the first of them is there: until then errors are raised."""
    try:
        first = await unless_gone(request, anext(events, b""))
    except BaseException:
        await events.aclose()
        raise
    return Events(_kept(first, events), headers={**HEADERS, **(headers or {})})


async def _kept(first: bytes, events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The events, a comment where none comes for long, and an error as the last of them."""
    waiting: asyncio.Future[bytes | None] | None = None
    try:
        yield first
        while True:
            waiting = waiting or asyncio.ensure_future(_next(events))
            done, _ = await asyncio.wait({waiting}, timeout=EVERY)
            if not done:
                yield PING
                continue
            got, waiting = waiting.result(), None
            if got is None:
                return
            yield got
    except Exception as why:  # told to the client: the status has gone out already
        yield event(said(why)[1])
    finally:
        closing = asyncio.ensure_future(_closed(waiting, events))   # a task of its own: this one may be cancelled at every await
        _CLOSING.add(closing)
        closing.add_done_callback(_CLOSING.discard)
        with suppress(asyncio.CancelledError):
            await asyncio.shield(closing)


async def _next(events: AsyncIterator[bytes]) -> bytes | None:
    return await anext(events, None)


async def _closed(waiting: asyncio.Future[Any] | None, events: AsyncGenerator[bytes, None]) -> None:
    if waiting is not None:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await events.aclose()


async def together(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[tuple[int, T], None]:
    """The pieces of several sources as they come, each with the number of its source. The first error is raised and ends all."""
    queue: asyncio.Queue[tuple[int, T] | BaseException | None] = asyncio.Queue(1)
    tasks = [asyncio.ensure_future(_pumped(i, source, queue)) for i, source in enumerate(sources)]
    try:
        left = len(tasks)
        while left:
            got = await queue.get()
            if isinstance(got, BaseException):
                raise got
            left -= got is None
            if got is not None:
                yield got
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)


async def _pumped(i: int, source: AsyncGenerator[T, None], queue: asyncio.Queue[tuple[int, T] | BaseException | None]) -> None:
    try:
        async with aclosing(source):
            async for piece in source:
                await queue.put((i, piece))
    except Exception as why:  # raised where the pieces are taken
        await queue.put(why)
    else:
        await queue.put(None)
