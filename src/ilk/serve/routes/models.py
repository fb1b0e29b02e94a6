"""Routes: which models are served, what each is and can, and its folder to keep."""
from __future__ import annotations

import asyncio
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path as Folder
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from ilk.errors import ModelError, PolicyError, UsageError
from ilk.files import parse_json
from ilk.serve.answers import attachment
from ilk.serve.caller import needs
from ilk.serve.server import Has, Server
from ilk.serve.wire import unless_gone
from ilk.serve.work import Ask, Served, lacking
from ilk.serve.zipped import zipped

router = APIRouter(prefix="/v1/models", tags=["models"])
CHAT, FILES, ADMIN = [needs("chat")], [needs("files")], [needs("admin")]
Name = Annotated[str, Path(description="The name of a model.", examples=["people"])]
REMEMBERED, WRITTEN = 256, 1 << 20   # models of which what was told is remembered; bytes of a description that is read for a list


class GivenField(BaseModel):
    """Something that can be given, as a field of a form."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")

    part: str
    """Which part of an item; `label`, `prompt`."""
    type: str
    """number, category, label or prompt."""
    values: list[Any] | None = None
    low: float | str | None = None
    high: float | str | None = None
    step: float | str | None = None


class OptionField(BaseModel):
    """An option of a way of drawing."""

    model_config = ConfigDict(extra="allow")

    name: str
    type: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    values: list[Any] | None = None
    summary: str | None = None


class Way(BaseModel):
    """A way of drawing."""

    name: str
    axis: str
    summary: str
    options: list[OptionField]


class Facts(BaseModel):
    """What is ilk's own. A model that was not asked yet may not tell all."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")

    state: Literal["cold", "loading", "ready", "down"]
    place: str | None = None
    """`workspace`, or `given` where it was named when the server was started."""
    kind: str | None = None
    """table, text, image or array."""
    family: str | None = None
    can: list[str] | None = None
    """What it can be asked."""
    score: Literal["exact", "bound", "estimate"] | None = None
    """Of what sort its scores are; null: it gives none."""
    signed: bool | str | None = None
    card: str | None = None
    """Its card, as Markdown."""
    labels: list[Any] | None = None
    givens: list[GivenField] | None = None
    ways: list[Way] | None = None
    shape: list[int] | None = None


class ModelSaid(BaseModel):
    """A model, as OpenAI has it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    ilk: Facts


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[ModelSaid]


class Deleted(BaseModel):
    """What was deleted."""

    id: str
    object: Literal["model"] = "model"
    deleted: Literal[True] = True


@router.get("", response_model=ModelList, dependencies=CHAT)
def every(server: Has) -> dict[str, Any]:
    """All models."""
    return {"object": "list", "data": [told(one, _known(server, one)) for one in server.engine.served()]}


@router.get("/{name:path}/download", dependencies=FILES, response_class=StreamingResponse,
            responses={200: {"content": {"application/zip": {}}, "description": "The folder as a zip"}})
def download(server: Has, name: Name) -> StreamingResponse:
    """The folder of a model as a zip, to be unpacked and used anywhere."""
    at = _folder(_served(server, name))
    top = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.ilk"
    return StreamingResponse(zipped(at, top), media_type="application/zip", headers=attachment(f"{top}.zip"))


@router.post("/{name:path}/load", response_model=ModelSaid, dependencies=ADMIN)
async def load(request: Request, server: Has, name: Name) -> dict[str, Any]:
    """Load a model before anybody asks it."""
    _served(server, name)
    await unless_gone(request, server.engine.load(name))
    return told(_served(server, name))


@router.post("/{name:path}/unload", response_model=ModelSaid, dependencies=ADMIN)
async def unload(server: Has, name: Name) -> dict[str, Any]:
    """Put a model away until somebody asks it."""
    _served(server, name)
    await server.engine.unload(name)
    return told(_served(server, name))


@router.get("/{name:path}", response_model=ModelSaid, dependencies=CHAT)
async def one(request: Request, server: Has, name: Name) -> dict[str, Any]:
    """One of them, with its card, what it can be given, and its ways of drawing; it is loaded for that."""
    served = _served(server, name)
    about = await unless_gone(request, _about(server, served))
    return told(_served(server, name), about)


@router.delete("/{name:path}", response_model=Deleted, dependencies=ADMIN)
async def remove(server: Has, name: Name) -> dict[str, Any]:
    """Delete a model of the workspace; others belong to whoever started the server."""
    at = _folder(_served(server, name))
    if at.parent != server.place.part("models"):
        raise PolicyError(f"{name[:80]!r} was named when the server was started: it is not the server's to delete", code="NOT_OURS", param="model",
                          remedy="models of the workspace can be deleted")
    await server.engine.unload(name)
    gone = server.place.part("temporary") / f"gone-{secrets.token_hex(8)}"
    await asyncio.to_thread(at.rename, gone)
    await asyncio.to_thread(shutil.rmtree, gone, True)
    return {"id": name}


def told(served: Served, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """As OpenAI's clients read it; what is ilk's own stands under `ilk`."""
    return {"id": served.name, "object": "model", "created": served.since, "owned_by": "ilk", "ilk": {**served.facts, **(more or {}), "state": served.state}}


def _known(server: Server, served: Served) -> Mapping[str, Any]:
    """What a list tells of a model without loading it: what it told before, else what its folder says."""
    if (about := server.about.get((served.name, served.place, served.since))) is not None:
        return {k: v for k, v in about.items() if k not in ("card", "givens", "ways")}
    with suppress(OSError, ModelError, KeyError, TypeError):
        at = Folder(served.place) / "ilk.json"
        if at.stat().st_size <= WRITTEN:
            said = parse_json(at.read_bytes(), "ilk.json")
            return {"kind": said["modality"]["name"], "family": said["family"]["name"]}
    return {}


def _served(server: Server, name: str) -> Served:
    served = {s.name: s for s in server.engine.served()}
    if name not in served:
        raise lacking(name, list(served))
    return served[name]


def _folder(served: Served) -> Folder:
    """Where it is; UsageError for a model that is no folder here."""
    at = Folder(served.place)
    if not (at / "ilk.json").is_file():
        raise UsageError(f"{served.name[:80]!r} is no folder of this machine", code="NOT_A_FOLDER", param="model", remedy="it is served from an address")
    return at


async def _about(server: Server, served: Served) -> Mapping[str, Any]:
    """What the model tells of itself, asked once as long as it is the same."""
    key = (served.name, served.place, served.since)
    if key not in server.about:
        told: Mapping[str, Any] = {}
        async for piece in server.engine.ask(served.name, Ask("about")):
            told = piece.body
        while len(server.about) >= REMEMBERED:
            del server.about[next(iter(server.about))]
        server.about[key] = told
    return server.about[key]
