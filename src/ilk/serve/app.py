"""The application: every router there is behind one door, and every error in one shape."""
from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ilk import __version__
from ilk.errors import IlkError, UsageError
from ilk.serve import routes
from ilk.serve.answers import FAULTS
from ilk.serve.described import App
from ilk.serve.door import Door, Table
from ilk.serve.server import Server, server_of
from ilk.serve.wire import refused
from ilk.serve.work import Missing

EVERY = 0.1   # seconds between two looks at the loop


def build(server: Server) -> FastAPI:
    """The application of a server."""
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(server.engine.close)
            for part in (Lag(), *server.parts):
                await part.start(server)
                stack.push_async_callback(part.stop)
            server.life.ready = True
            yield
            server.life.draining = True

    app = App(title="ilk", version=__version__, lifespan=life, docs_url=None, redoc_url=None, redirect_slashes=False, responses=FAULTS)
    app.state.server = server
    names = [m.name for m in pkgutil.iter_modules(routes.__path__) if not m.name.startswith("_") and (server.studio or m.name != "studio")]
    routers = [import_module(f"{routes.__name__}.{name}").router for name in names]
    for router in routers:
        app.include_router(router)
    app.state.table = Table([*app.routes, *(route for router in routers for route in router.routes)])
    app.add_exception_handler(IlkError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _refused)
    app.add_middleware(Door, server=server, table=app.state.table)
    return app


class Lag:
    """Measures how late the event loop is: a part of every server."""

    async def start(self, server: Server) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._watch(server))

    async def stop(self) -> None:
        """Ends."""
        self._task.cancel()

    async def _watch(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            server.metrics.lag.observe(max(0.0, loop.time() - due))


async def _refused(request: Request, why: Exception) -> Response:
    server_of(request).metrics.refused(why)
    return refused(why)


async def _invalid(request: Request, why: Exception) -> Response:
    first = why.errors()[0] if isinstance(why, RequestValidationError) else {"loc": (), "msg": ""}
    at = ".".join(str(p) for p in first["loc"] if p != "body")
    return refused(UsageError(f"{at or 'the request'}: {first['msg']}", code="invalid_request", param=at or None))


async def _http(request: Request, why: Exception) -> Response:
    status, detail, headers = (why.status_code, why.detail, why.headers) if isinstance(why, HTTPException) else (500, "", None)
    error = Missing(f"there is nothing at {request.method} {request.url.path[:200]}", code="not_found") if status == 404 else UsageError(str(detail), code="http")
    answer = refused(error, headers)
    answer.status_code = status
    if status == 405:   # all methods of that path, whichever route they are of
        table = request.app.state.table
        here = table.find(request.method, request.url.path)
        answer.headers["allow"] = ", ".join(sorted({method for _, name, methods in table.rows if name == here for method in methods}))
    return answer
