"""The application: every router there is behind one door, and every error in one shape."""
from __future__ import annotations

import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from ilk import __version__
from ilk.errors import IlkError, UsageError
from ilk.serve import routes
from ilk.serve.door import Door
from ilk.serve.server import Server
from ilk.serve.wire import refused
from ilk.serve.work import Missing


def build(server: Server) -> FastAPI:
    """The application of a server."""
    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await server.engine.close()

    app = FastAPI(title="ilk", version=__version__, lifespan=life, docs_url=None, redoc_url=None)
    app.state.server = server
    for module in sorted(m.name for m in pkgutil.iter_modules(routes.__path__) if not m.name.startswith("_")):
        app.include_router(import_module(f"{routes.__name__}.{module}").router)
    app.add_exception_handler(IlkError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _refused)
    app.add_middleware(Door, server=server)
    return app


async def _refused(request: Request, why: Exception) -> Response:
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
    return answer
