"""Routes: libraries of documents, and questions to them."""
from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from ilk.serve import libraries
from ilk.serve.body import Strict
from ilk.serve.caller import caller_of, needs
from ilk.serve.libraries import AROUND, Libraries
from ilk.serve.lines import Line, lines
from ilk.serve.server import Has, Server
from ilk.serve.through import Through
from ilk.serve.wire import unless_gone
from ilk.serve.work import lacking

router = APIRouter(prefix="/v1", tags=["libraries"], route_class=Strict)
FILES = [needs("files")]
Name = Annotated[str, Path(description="The name of a library.", examples=["notes"], max_length=200)]


class Library(BaseModel):
    """A library."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    object: Literal["ilk.library"] = "ilk.library"
    documents: int
    """How many."""
    embedder: str | None
    """What finds passages by meaning; null: they are found by words."""
    generation: int
    """How often it was changed."""
    problem: str | None
    """Why it can't be opened."""


class LibraryList(BaseModel):
    """Libraries by name."""

    object: Literal["list"]
    data: list[Library]


class ToCreate(BaseModel):
    """A new library."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$", examples=["notes"])


class Deleted(BaseModel):
    """What was deleted."""

    name: str
    object: Literal["ilk.library"]
    deleted: Literal[True]


class DocumentSaid(BaseModel):
    """A document; `notes` say what was left out of it."""

    name: str
    characters: int
    facts: dict[str, Any]
    notes: list[str]


class DocumentList(BaseModel):
    """Documents by name."""

    object: Literal["list"]
    data: list[DocumentSaid]
    has_more: bool


class SpanSaid(BaseModel):
    """A stretch of a document and what stands around it; `path` are the headings above it."""

    document: str
    start: int
    end: int
    text: str
    before: str
    after: str
    path: list[str]
    characters: int


class Question(BaseModel):
    """A question to a library."""

    model_config = ConfigDict(use_attribute_docstrings=True, strict=True, json_schema_extra={"examples": [{"library": "notes", "question": "When was the bridge painted?"}]})

    library: str = Field(max_length=200)
    """Its name."""
    question: str = Field(min_length=1, max_length=10_000)
    """What you want to know."""
    model: str | None = Field(default=None, max_length=200)
    """A served model that words the answer; without one the best span is quoted."""
    k: int = Field(default=5, ge=1, le=100)
    """Passages to look at."""
    where: str | None = Field(default=None, max_length=10_000)
    """Only documents whose facts obey this rule."""
    bar: float = Field(default=0.5, ge=0, le=1)
    """How well a passage has to fit the question: up to this there is no answer."""


class Citation(BaseModel):
    """Where something stands: GET /v1/libraries/{name}/spans opens it."""

    number: int
    document: str
    start: int
    end: int
    quoted: str


class Sentence(BaseModel):
    """A sentence of the answer, how well it is supported, and by what."""

    text: str
    support: float
    citations: list[Citation]


class Place(BaseModel):
    """A passage."""

    document: str
    start: int
    end: int
    score: float | None = None


class Answer(BaseModel):
    """An answer, or why there is none (`abstained`)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    object: Literal["ilk.answer"]
    question: str
    answer: str
    abstained: str | None
    confidence: float
    sentences: list[Sentence]
    citations: list[Citation]
    passages: list[Place]
    """What was looked at."""
    dropped: list[str]
    """Sentences of the model that nothing supports."""
    left_out: list[Place]
    """Passages that did not fit into the model's window."""
    line: Line


@router.get("/libraries", response_model=LibraryList, dependencies=FILES)
def every(request: Request, server: Has) -> dict[str, Any]:
    """Your libraries."""
    shelf, caller = Libraries(server.place), caller_of(request)
    return {"object": "list", "data": [{"name": name, **libraries.told(shelf.path(name, caller))} for name in shelf.names(caller)]}


@router.post("/libraries", response_model=Library, dependencies=FILES)
def create(request: Request, server: Has, asked: ToCreate) -> dict[str, Any]:
    """Make an empty library; a job of kind `index` takes files into it."""
    at = Libraries(server.place).claim(asked.name, caller_of(request))
    libraries.create(at)
    return {"name": asked.name, **libraries.told(at)}


@router.delete("/libraries/{name}", response_model=Deleted, dependencies=FILES)
def remove(request: Request, server: Has, name: Name) -> dict[str, Any]:
    """Delete a library."""
    Libraries(server.place).remove(name, caller_of(request))
    return {"name": name, "object": "ilk.library", "deleted": True}


@router.get("/libraries/{name}/documents", response_model=DocumentList, dependencies=FILES)
def documents(request: Request, server: Has, name: Name, after: Annotated[str, Query(max_length=4096, description="Those after this name.")] = "",
              limit: Annotated[int, Query(ge=1, le=1000, description="How many.")] = 100) -> dict[str, Any]:
    """The documents of a library."""
    found, more = libraries.documents(Libraries(server.place).path(name, caller_of(request)), after, limit)
    return {"object": "list", "data": found, "has_more": more}


@router.get("/libraries/{name}/spans", response_model=SpanSaid, dependencies=FILES)
def spans(request: Request, server: Has, name: Name, document: Annotated[str, Query(max_length=4096, description="Its name.")],
          start: Annotated[int, Query(ge=0, le=2**53, description="The first character, from 0.")],
              end: Annotated[int, Query(ge=0, le=2**53, description="The one after the last.")],
          around: Annotated[int, Query(ge=0, le=10_000, description="Characters before and after.")] = AROUND) -> dict[str, Any]:
    """What stands at a place that an answer cites."""
    return libraries.span(Libraries(server.place).path(name, caller_of(request)), document, start, end, around)


@router.post("/ask", response_model=Answer, dependencies=[needs("chat")])
async def ask(request: Request, server: Has, asked: Question) -> dict[str, Any]:
    """Answer a question from a library, with the places that the answer stands on; or say that it can't be answered."""
    at = Libraries(server.place).path(asked.library, caller_of(request))
    served = [s.name for s in server.engine.served()]
    if asked.model is not None and asked.model not in served:
        raise lacking(asked.model, served)
    found = await unless_gone(request, _answered(server, asked, str(at)))
    return {"object": "ilk.answer", **found, "line": lines("ask", asked.model_dump(exclude_none=True, exclude_defaults=True))}


async def _answered(server: Server, asked: Question, at: str) -> dict[str, Any]:
    from ilk.rag.answer import Checks
    from ilk.rag.answer import ask as answer

    chat = None if asked.model is None else Through(server.engine, asked.model, asyncio.get_running_loop())
    async with server.reading:
        found = await asyncio.to_thread(answer, at, asked.question, chat, asked.k, asked.where, checks=Checks(asked.bar))
    number = {c: n for n, c in enumerate(found.citations, 1)}
    cited = {c: {"number": n, "document": c.document, "start": c.start, "end": c.end, "quoted": c.quoted} for c, n in number.items()}
    return {"question": found.question, "answer": found.text, "abstained": found.abstained, "confidence": found.confidence,
            "sentences": [{"text": claim.text, "support": claim.support, "citations": [cited[c] for c in claim.citations]} for claim in found.claims],
            "citations": list(cited.values()), "dropped": list(found.dropped), "left_out": [_place(hit) for hit in found.left_out],
            "passages": [{**_place(hit), "score": hit.score} for hit in found.shown]}


def _place(hit: Any) -> dict[str, Any]:
    return {"document": hit.passage.document, "start": hit.passage.start, "end": hit.passage.end}
