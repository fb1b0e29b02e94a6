"""Routes: files that are sent to the server, as OpenAI's clients send them."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

from ilk.serve.answers import attachment, file_answer
from ilk.serve.caller import Caller, caller_of, needs
from ilk.serve.files import Files
from ilk.serve.server import Has, Server
from ilk.serve.upload import received
from ilk.serve.zipped import zipped


@asynccontextmanager
async def tidied(app: FastAPI) -> AsyncIterator[None]:
    """At the start, what uploads left behind is removed."""
    server: Server = app.state.server
    await asyncio.to_thread(Files(server.place, server.limits).tidy)
    yield


router = APIRouter(prefix="/v1/files", tags=["files"], dependencies=[needs("files")], lifespan=tidied)
Id = Annotated[str, Path(description="The number of a file, as the upload answered it.", examples=["file-0123456789abcdef01234567"])]
FORM = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": {
    "type": "object", "required": ["file"],
    "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream", "minLength": 1,
        "description": "The file. Several make one set of files, such as pictures in folders by class."},
                   "purpose": {"type": "string", "maxLength": 64, "description": "What it is for; ilk does not mind.", "example": "user_data"},
                   "set": {"type": "string", "maxLength": 200, "description": "The name of a set: even one file then is a folder."}}}}}}}


class FileFacts(BaseModel):
    """What is ilk's own."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    sha256: str
    """Of the bytes, all files of a set after one another."""
    parts: int
    """How many files a set has, else 1."""


class FileObject(BaseModel):
    """A file, as OpenAI has it."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["processed"]
    ilk: FileFacts


class FileList(BaseModel):
    """Files, the newest first."""

    object: Literal["list"]
    data: list[FileObject]
    has_more: bool
    first_id: str | None
    last_id: str | None


class Deleted(BaseModel):
    """What was deleted."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


def _files(request: Request, server: Server) -> tuple[Files, Caller]:
    return Files(server.place, server.limits), caller_of(request)


@router.post("", response_model=FileObject, openapi_extra=FORM)
async def upload(request: Request, server: Has) -> dict[str, Any]:
    """Keep a file: data to read and fit, documents to ask. What it is is told by its bytes, not by its name."""
    return (await received(request, *_files(request, server))).as_json()


@router.get("", response_model=FileList)
def every(request: Request, server: Has, purpose: Annotated[str | None, Query(max_length=64, description="Only those for this.")] = None,
          limit: Annotated[int, Query(ge=1, le=10_000, description="How many.")] = 10_000,
          after: Annotated[str | None, Query(max_length=100, description="Those after this number.")] = None,
          order: Annotated[Literal["asc", "desc"], Query(description="By the time they came.")] = "desc") -> dict[str, Any]:
    """The files of this key."""
    files, caller = _files(request, server)
    found = [f for f in files.listed(caller) if purpose in (None, f.purpose)]
    found = found[::-1] if order == "asc" else found
    ids = [f.id for f in found]
    begin = ids.index(after) + 1 if after in ids else 0
    page = [f.as_json() for f in found[begin:begin + limit]]
    return {"object": "list", "data": page, "has_more": len(found) > begin + limit, "first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}


@router.get("/{id}", response_model=FileObject)
def one(request: Request, server: Has, id: Id) -> dict[str, Any]:
    """One of them."""
    files, caller = _files(request, server)
    return files.get(id, caller).as_json()


@router.get("/{id}/content", response_class=StreamingResponse, responses={200: {"content": {"application/octet-stream": {}, "application/zip": {}},
    "description": "The bytes"}})
def content(request: Request, server: Has, id: Id) -> StreamingResponse:
    """Its bytes, to be kept and never shown; a set as a zip. Always the whole: ranges are not served."""
    files, caller = _files(request, server)
    found, path = files.get(id, caller), files.path(id, caller)
    if found.is_set:
        return StreamingResponse(zipped(path, found.id), media_type="application/zip", headers=attachment(f"{found.name}.zip"))
    return file_answer(path, found.name)


@router.delete("/{id}", response_model=Deleted)
def remove(request: Request, server: Has, id: Id) -> dict[str, Any]:
    """Delete it."""
    files, caller = _files(request, server)
    files.remove(id, caller)
    return {"id": id, "object": "file", "deleted": True}
