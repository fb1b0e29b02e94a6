"""Routes: items that models make, score and change."""
from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from ilk.errors import IlkError, UsageError
from ilk.serve.answers import attachment, or_events
from ilk.serve.body import Strict
from ilk.serve.caller import needs
from ilk.serve.lines import Line, lines
from ilk.serve.ops._items import bytes_of, packed, unpacked
from ilk.serve.server import Has, Server
from ilk.serve.wire import DONE, event, said, unless_gone
from ilk.serve.work import Ask, Reply

router = APIRouter(prefix="/v1", tags=["items"], dependencies=[needs("chat")], route_class=Strict)
Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Many = Annotated[int, Field(ge=1, le=1 << 20)]
Item = dict[str, Any] | str
DOCS = ConfigDict(use_attribute_docstrings=True, strict=True)
Place = Annotated[int, Field(ge=0, lt=2**31)]
Names = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(min_length=1, max_length=1000)]


class InBox(BaseModel):
    """Pixels of a rectangle."""

    model_config = DOCS | ConfigDict(extra="forbid")

    box: list[Place] = Field(min_length=4, max_length=4)
    """Top, left, bottom, right, counted from 0; the last ones are not among them."""


class InMask(BaseModel):
    """Pixels where a picture is white."""

    model_config = DOCS | ConfigDict(extra="forbid")

    mask: str
    """The picture as base64."""


class InSpan(BaseModel):
    """Characters of a text."""

    model_config = DOCS | ConfigDict(extra="forbid")

    span: list[Place] = Field(min_length=1, max_length=2)
    """From the first up to the second; without that, to the end."""


class OutsideOf(BaseModel):
    """All but what another region names."""

    model_config = DOCS | ConfigDict(extra="forbid")

    outside: InBox | InMask | Names


class Asked(BaseModel):
    """What all requests have."""

    model_config = DOCS

    model: str = Field(min_length=1, max_length=200, examples=["people"])
    """Which model."""
    seed: Seed = 0
    """The same seed gives the same items."""
    given: list[str | dict[str, Any]] = Field(default=[], max_length=64, examples=[["age > 60"]])
    """Rules as the command line takes them, or values to keep by name."""
    label: str | int | None = None
    """A label, for models that were fitted with labels."""
    prompt: str | None = Field(default=None, min_length=1, max_length=100_000)
    """What pictures shall show, for models that were fitted with captions."""


class Drawn(Asked):
    """And how items are drawn."""

    how: str | None = Field(default=None, min_length=1, max_length=64)
    """A way of drawing; GET /v1/models/{id} lists those of a model."""
    options: dict[str, Any] = Field(default={}, max_length=64)
    """Its options."""
    stream: bool = False
    """Send items while they are made, as events."""


class ToSample(Drawn):
    """New items."""

    model_config = DOCS | ConfigDict(json_schema_extra={"examples": [{"model": "people", "n": 3, "seed": 1, "given": ["age > 60"]}]})

    n: Many = 1
    """How many."""
    format: Literal["json", "file"] = "json"
    """`file`: to be kept, as csv, txt, zip or npz."""
    suffix: str | None = Field(default=None, max_length=16)
    """With `file`: another of the forms that such items are written in."""


class WithItems(Asked):
    """What is asked of items that are sent."""

    items: list[Item] = Field(min_length=1, max_length=1 << 20, examples=[[{"age": 42, "city": "Lyon"}]])
    """A row is an object (null: unknown), a text a string, a picture {"b64": "..."}, an array {"shape": [...], "values": [...]}."""


class ToScore(WithItems):
    """How likely items are."""

    model_config = DOCS | ConfigDict(json_schema_extra={"examples": [{"model": "people", "items": [{"age": 42, "city": "Lyon"}]}]})


class ToEdit(WithItems, Drawn):
    """Items with part of them made anew."""

    model_config = DOCS | ConfigDict(json_schema_extra={"examples": [{"model": "people", "items": [{"age": 42, "city": "Lyon"}], "redo": ["age"], "n": 2}]})

    redo: Names | InBox | InMask | InSpan | OutsideOf
    """What is made anew: columns, a box or a mask of a picture, a span of a text, or all outside of such."""
    n: Many = 1
    """How many of each."""


class ToImpute(WithItems):
    """Rows with cells that are missing."""

    model_config = DOCS | ConfigDict(json_schema_extra={"examples": [{"model": "people", "items": [{"age": None, "city": "Lyon"}], "best": True}]})

    n: Many = 1
    """How many of each."""
    best: bool = False
    """The single best guess at each cell instead of draws."""


class ToVary(BaseModel):
    """Items to vary."""

    model_config = DOCS | ConfigDict(json_schema_extra={"examples": [{"model": "digits", "items": [{"b64": "iVBORw0KGgo="}], "strength": 0.3, "n": 4}]})

    model: str = Field(min_length=1, max_length=200)
    """Which model: one of a family with codes."""
    items: list[Item] = Field(min_length=1, max_length=1 << 20)
    """As they are sent to /v1/score."""
    strength: float = Field(default=0.5, ge=0, le=1)
    """From 0, the item as the model decodes it, to 1, any other."""
    n: Many = 1
    """How many of each."""
    seed: Seed = 0
    """The same seed gives the same items."""


class ToInterpolate(BaseModel):
    """Two items."""

    model_config = DOCS | ConfigDict(json_schema_extra={"examples": [{"model": "digits", "items": [{"b64": "iVBORw0KGgo="}, {"b64": "iVBORw0KGgo="}], "n": 8}]})

    model: str = Field(min_length=1, max_length=200)
    """Which model: one of a family with codes."""
    items: list[Item] = Field(min_length=2, max_length=2)
    """The ends."""
    n: Annotated[int, Field(ge=2, le=1 << 20)] = 8
    """How many in all, the ends among them."""
    seed: Seed = 0
    """The same seed gives the same items."""


class Turn(BaseModel):
    """What is given from a step on."""

    model_config = DOCS

    step: int = Field(ge=0, le=1 << 20)
    given: list[str | dict[str, Any]] = Field(min_length=1, max_length=64)


class ToSteer(Drawn):
    """New items, of which more is asked while they are made."""

    model_config = DOCS | ConfigDict(json_schema_extra={"examples": [{"model": "people", "n": 2, "turns": [{"step": 4, "given": ["age > 60"]}]}]})

    n: Many = 1
    """How many."""
    turns: list[Turn] = Field(max_length=64)
    """What is given besides, and from which step on."""


class Met(BaseModel):
    """How something that was given was met."""

    model_config = DOCS

    given: str
    met: Literal["exact", "estimate", "guided", "rejected"]
    share: float | None = None
    """The share of draws that obey."""
    ess: float | None = None
    """The effective sample size of an estimate."""


class Samples(BaseModel):
    """Items that were made."""

    model_config = DOCS

    object: Literal["ilk.samples"]
    model: str
    n: int
    seed: int
    kind: Literal["table", "text", "image", "array"] | None = None
    items: list[Any]
    met: list[Met]
    line: Line
    """The same in Python and on the command line."""
    cells: int | None = None
    """Cells that were filled."""
    left: list[str] | None = None
    """Columns with missing cells that the model knows nothing of."""


class Scores(BaseModel):
    """Nats per item; null: the model never makes it."""

    model_config = DOCS

    object: Literal["ilk.scores"]
    model: str
    n: int
    seed: int
    nats: list[float | None]
    sort: Literal["exact", "bound", "estimate"]
    measure: str
    """The base measure."""
    mean: float | None
    error: float | None
    """The standard error of the mean."""
    shared_error: float | None
    """Of that, what all items share."""
    per: dict[str, float | None]
    """Mean nats per character, byte or dimension."""
    line: Line


STREAMS = or_events("Items; as events with `stream`")


@router.post("/sample", response_model=Samples, response_model_exclude_unset=True,
             responses=or_events("Items; as events with `stream`, as a file with `format`", "application/octet-stream"))
async def sample(request: Request, server: Has, asked: ToSample) -> Any:
    """Make new items."""
    body = asked.model_dump(exclude={"model", "format", "stream", "suffix"}, exclude_none=True)
    _few(server, asked.n)
    if asked.format == "file":
        return await unless_gone(request, _file(server, asked.model, {**body, "suffix": asked.suffix}))
    return await _items(request, server, asked, Ask("steps" if asked.stream else "sample", body), "sample")


@router.post("/score", response_model=Scores)
async def score(request: Request, server: Has, asked: ToScore) -> Any:
    """Say how likely items are."""
    body, blobs = _sent(server, asked, 1)
    found = await unless_gone(request, _last(server, asked.model, Ask("score", body, blobs)))
    return {"object": "ilk.scores", "model": asked.model, "n": len(found.body["nats"]), "seed": asked.seed, **found.body, "line": _line(server, "score", asked)}


@router.post("/edit", response_model=Samples, response_model_exclude_unset=True, responses=STREAMS)
async def edit(request: Request, server: Has, asked: ToEdit) -> Any:
    """Make part of items anew; the rest of them is kept."""
    body, blobs = _sent(server, asked, asked.n)
    body["redo"] = _masked(body["redo"], blobs)
    return await _items(request, server, asked, Ask("edit", body, blobs), "edit")


@router.post("/impute", response_model=Samples, response_model_exclude_unset=True)
async def impute(request: Request, server: Has, asked: ToImpute) -> Any:
    """Fill the missing cells of rows."""
    body, blobs = _sent(server, asked, asked.n)
    return await _items(request, server, asked, Ask("impute", body, blobs), "impute")


@router.post("/vary", response_model=Samples, response_model_exclude_unset=True)
async def vary(request: Request, server: Has, asked: ToVary) -> Any:
    """Make variations of items."""
    body, blobs = _sent(server, asked, asked.n)
    return await _items(request, server, asked, Ask("vary", body, blobs), "vary")


@router.post("/interpolate", response_model=Samples, response_model_exclude_unset=True)
async def interpolate(request: Request, server: Has, asked: ToInterpolate) -> Any:
    """Make the way from one item to another."""
    _few(server, asked.n)
    body, blobs = _sent(server, asked, 1)
    return await _items(request, server, asked, Ask("interpolate", body, blobs), "interpolate")


@router.post("/steer", response_model=Samples, response_model_exclude_unset=True, responses=STREAMS)
async def steer(request: Request, server: Has, asked: ToSteer) -> Any:
    """Make new items, and ask more of them on the way."""
    _few(server, asked.n)
    return await _items(request, server, asked, Ask("steer", asked.model_dump(exclude={"model"}, exclude_none=True)), "steer")


def _few(server: Server, n: int) -> None:
    """UsageError where that is more than a request may make."""
    if n > server.limits.items:
        raise UsageError(f"{n} items are more than {server.limits.items}", code="limit_items", param="n", remedy="ask in several requests, or submit a job (POST /v1/jobs)")


def _sent(server: Server, asked: BaseModel, each: int) -> tuple[dict[str, Any], list[bytes]]:
    """The request without its bytes, and those; checked before any work."""
    body = asked.model_dump(exclude={"model"}, exclude_none=True)
    sent = asked.model_dump(include={"items"})["items"]   # in items null says that a cell is unknown
    _few(server, len(sent) * each)
    body["items"], blobs = unpacked(sent)
    return body, blobs


def _masked(redo: Any, blobs: list[bytes]) -> Any:
    """What is made anew, with a mask's bytes among the blobs."""
    if not isinstance(redo, Mapping):
        return redo
    if "mask" in redo:
        blobs.append(bytes_of(redo["mask"], "redo.mask"))
        return {**redo, "mask": len(blobs) - 1}
    return {**redo, "outside": _masked(redo["outside"], blobs)} if "outside" in redo else redo


async def _last(server: Server, model: str, ask: Ask) -> Reply:
    found: Reply | None = None
    async with aclosing(server.engine.ask(model, ask)) as pieces:  # type: ignore[type-var]
        async for found in pieces:  # noqa: B007 - the last one is the answer
            pass
    if found is None:
        raise IlkError("no answer")
    return found


async def _items(request: Request, server: Server, asked: Any, ask: Ask, verb: str) -> Any:
    """The answer; as events where that is asked, the last of them the whole answer."""
    def whole(last: Reply) -> dict[str, Any]:
        items = packed(last.body["items"], last.blobs)
        more = {k: last.body[k] for k in ("cells", "left") if k in last.body}
        return {"object": "ilk.samples", "model": asked.model, "n": len(items), "seed": asked.seed, "kind": _kind(items), "items": items, "met": last.body.get("met", []),
                "line": _line(server, verb, asked), **more}

    if not getattr(asked, "stream", False):
        return whole(await unless_gone(request, _last(server, asked.model, ask)))
    pieces = server.engine.ask(asked.model, ask)
    first = await unless_gone(request, anext(pieces))
    return StreamingResponse(_events(first, pieces, whole), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def _events(first: Reply, pieces: AsyncIterator[Reply], whole: Any) -> AsyncIterator[bytes]:
    """Steps, then the whole answer; an error ends the stream as an event of its own."""
    last = first
    try:
        async with aclosing(pieces):  # type: ignore[type-var]
            yield _step(first)
            async for last in pieces:
                yield _step(last)
        yield event(whole(last))
        yield DONE
    except Exception as why:  # the answer has begun: told within it
        yield event(said(why)[1])


def _step(piece: Reply) -> bytes:
    return event({"step": piece.body.get("step", 1), "of": piece.body.get("of", 1), "items": packed(piece.body["items"], piece.blobs)})


async def _file(server: Server, model: str, body: Mapping[str, Any]) -> Response:
    found = await _last(server, model, Ask("file", body))
    return Response(found.blobs[0], media_type="application/octet-stream", headers=attachment(found.body["name"]))


def _kind(items: list[Any]) -> str | None:
    """What sort of items they are, by the first."""
    if not items:
        return None
    first = items[0]
    return "text" if isinstance(first, str) else "image" if "mime" in first and "b64" in first else "array" if set(first) == {"shape", "values"} else "table"


def _line(server: Server, verb: str, asked: BaseModel) -> dict[str, Any]:
    return lines(verb, asked.model_dump(exclude_none=True, exclude_defaults=True)).model_dump()
