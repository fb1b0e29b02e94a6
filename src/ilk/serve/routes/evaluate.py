"""Routes: figures of a model, at once where they are soon worked out."""
from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ilk.errors import UsageError
from ilk.serve.body import Strict
from ilk.serve.caller import caller_of, needs
from ilk.serve.files import Files
from ilk.serve.lines import Line, lines
from ilk.serve.ops._items import unpacked
from ilk.serve.server import Has, Server
from ilk.serve.wire import unless_gone
from ilk.serve.work import Ask

router = APIRouter(prefix="/v1/evaluate", tags=["items"], dependencies=[needs("chat")], route_class=Strict)
MOST, BYTES = 500, 4 << 20   # items that are made and judged while somebody waits; bytes of a file


class ToEvaluate(BaseModel):
    """A model, and the real items that it is judged by."""

    model_config = ConfigDict(use_attribute_docstrings=True, strict=True, json_schema_extra={"examples": [{"model": "people",
        "file": "file-0123456789abcdef01234567", "n": 200}]})

    model: str = Field(max_length=200)
    """Which model."""
    file: str | None = Field(default=None, max_length=100)
    """A file of held-out items."""
    items: list[dict[str, Any] | str] | None = Field(default=None, max_length=1 << 20)
    """Held-out items themselves, as /v1/score takes them."""
    n: Annotated[int, Field(ge=1, le=10**9)] | None = None
    """How many items to make; by default as many as are held out, at most 500."""
    metrics: list[str] = Field(default=[], max_length=100)
    """Only these."""
    seed: int = Field(default=0, ge=-(2**63), lt=2**63)
    """The same seed gives the same figures."""


class Figure(BaseModel):
    """A figure, a trivial model's and that of real items beside it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    value: float | None
    error: float | None
    """Its standard error."""
    n: int | None
    floor: float | None = None
    ceiling: float | None = None
    better: str | None = None
    """higher, lower or middle."""
    convention: str | None = None
    why: str | None = None
    """Why there is no value."""


class Evaluation(BaseModel):
    """All figures that apply, and why others don't."""

    object: Literal["ilk.evaluation"]
    model: str
    n: int
    seed: int
    figures: list[Figure]
    line: Line


@router.post("", response_model=Evaluation)
async def evaluate(request: Request, server: Has, asked: ToEvaluate) -> dict[str, Any]:
    """Judge a model by a few held-out items, at once. More of them are a job of kind `evaluate`."""
    if (asked.file is None) == (asked.items is None):
        raise UsageError("a model is judged by a file or by items", code="ITEMS", param="file", remedy="say one of the two")
    if asked.n is not None and asked.n > MOST:
        raise UsageError(f"{asked.n} items take too long to wait for", code="USE_A_JOB", param="n",
            remedy=f'at most {MOST} here; POST /v1/jobs {{"kind": "evaluate", ...}} for more')
    found = await unless_gone(request, _found(server, asked, request))
    said = asked.model_dump(exclude_none=True, exclude_defaults=True)
    if asked.file is not None:
        said["file"] = Files(server.place, server.limits).get(asked.file, caller_of(request)).name
    return {"object": "ilk.evaluation", "model": asked.model, "seed": asked.seed, **found, "line": lines("evaluate", said)}


async def _found(server: Server, asked: ToEvaluate, request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {"n": asked.n, "seed": asked.seed, "metrics": asked.metrics, "most": MOST}
    blobs: list[bytes] = []
    if asked.items is not None:
        if len(asked.items) > min(MOST, server.limits.items):
            raise UsageError(f"{len(asked.items)} items take too long to wait for", code="USE_A_JOB", param="items", remedy="POST /v1/files, then POST /v1/jobs")
        body["items"], blobs = unpacked(asked.items)
    else:
        files, caller = Files(server.place, server.limits), caller_of(request)
        about = files.get(str(asked.file), caller)
        if about.bytes > BYTES:
            raise UsageError("the file is too large to wait for", code="USE_A_JOB", param="file", remedy='POST /v1/jobs {"kind": "evaluate", ...}')
        body |= {"path": str(files.path(about.id, caller)), "called": about.name}
    found: dict[str, Any] = {}
    async for piece in server.engine.ask(asked.model, Ask("evaluate", body, blobs)):
        found = dict(piece.body)
    return found
