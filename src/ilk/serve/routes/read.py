"""Routes: what is understood of a file."""
from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ilk.serve.apart import apart
from ilk.serve.body import Strict
from ilk.serve.caller import Caller, caller_of, needs
from ilk.serve.files import Files
from ilk.serve.server import Has, Server
from ilk.serve.wire import unless_gone

router = APIRouter(prefix="/v1/read", tags=["data"], dependencies=[needs("files")], route_class=Strict)
Type = Literal["number", "integer", "continuous", "category", "boolean", "date", "text", "identifier"]


class Reading(BaseModel):
    """Which file, and how it is to be read."""

    model_config = ConfigDict(use_attribute_docstrings=True, strict=True, json_schema_extra={"examples": [{"file": "file-0123456789abcdef01234567",
        "types": {"zip": "category"}}]})

    file: str = Field(max_length=100)
    """Its number."""
    types: dict[str, Type] = Field(default_factory=dict, max_length=10_000)
    """What columns are to be taken for instead of what they seem."""
    modality: Literal["table", "text", "image", "array"] | None = None
    """The kind of data, where it is not to be guessed."""


class Column(BaseModel):
    """A column of a table."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    type: str
    """As `types` takes it."""
    described: str
    """In a few words."""
    missing: int
    """Cells that are missing."""
    low: float | str | None = None
    """The least, of numbers and dates."""
    high: float | str | None = None
    values: list[str] | None = None
    """The first of a category's."""
    many: int | None = None
    """How many values a category has."""
    examples: list[Any]


class Problem(BaseModel):
    """Something that is wrong with the data, or that was decided while they were read."""

    where: str
    what: str
    remedy: str | None = None


class FamilySaid(BaseModel):
    """A family, and whether it takes the data."""

    name: str
    summary: str
    takes: bool
    why: str | None = None
    options: list[dict[str, Any]] = []
    """Its options, as those of a model's ways of drawing."""


class Understood(BaseModel):
    """What was understood. `kind` is null where the data could not be read: `problems` says why."""

    kind: Literal["table", "text", "image", "array"] | None
    n: int
    columns: list[Column]
    shape: list[int] | None = None
    labels: list[Any] | None = None
    problems: list[Problem]
    preview: list[Any]
    families: list[FamilySaid]
    default_family: str | None = None


@router.post("", response_model=Understood)
async def read(request: Request, server: Has, asked: Reading) -> dict[str, Any]:
    """Say what a file holds: its kind, columns and their types, what is wrong with it, its first items, and which families take it."""
    return await unless_gone(request, understood(server, asked, caller_of(request)))


async def understood(server: Server, asked: Reading, caller: Caller) -> dict[str, Any]:
    """As `read`; the file is opened in a process of its own."""
    files = Files(server.place, server.limits)
    said = {"path": str(files.path(asked.file, caller)), "name": files.get(asked.file, caller).name, "types": asked.types, "modality": asked.modality}
    async with server.reading:
        return await apart("ilk.serve.understood", said, server.place.part("temporary"), server.limits.read_memory, server.limits.read_seconds)
