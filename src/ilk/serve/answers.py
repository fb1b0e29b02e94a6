"""Answers that several topics give: files to keep (never shown by a browser), and what goes wrong, as OpenAPI describes it."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict

PIECE = 1 << 18
NEVER_SHOWN = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'", "accept-ranges": "none"}


class Fault(BaseModel):
    """What was wrong, where, and what would work."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    """In words, with what would work."""
    type: str
    """The sort of error."""
    param: str | None = None
    """The field that it is about."""
    code: str
    """What to tell it by."""


class RequestFault(Fault):
    """And what there was too much of."""

    n_prompt_tokens: int | None = None
    """With context_length_exceeded: tokens of the request."""
    n_ctx: int | None = None
    """With context_length_exceeded: tokens that fit."""


class ErrorAnswer(BaseModel):
    """Every error has this shape."""

    error: RequestFault


_WHY = {400: "What was asked can't be meant", 401: "No key, or an unknown one", 403: "The key may not do that", 404: "There is no such thing, or not for this key",
        405: "Not that method", 408: "It took too long to arrive", 409: "It is there already", 413: "More than is taken", 415: "Not of a kind that is taken",
        429: "Too much at once", 431: "Headers too large", 500: "A fault of the server", 503: "Loading or stopping", 507: "No room on disk"}
FAULTS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorAnswer, "description": why} for status, why in _WHY.items()}


EVENTS = {"text/event-stream": {"schema": {"type": "object", "properties": {"data": {"type": "string"}, "event": {"type": "string"}, "id": {"type": "string"}},
                                           "required": ["data"]}}}


def or_events(about: str, *others: str) -> dict[int | str, dict[str, Any]]:
    """What a route that may stream answers with beside its JSON, which is `about`; and in which other forms."""
    return {200: {"description": about, "content": {**EVENTS, **{kind: {} for kind in others}}}}


def attachment(name: str) -> dict[str, str]:
    """Headers under which a browser keeps a file and never shows it; the name is written so that nothing in it can end the header.

    >>> attachment('a"b\\r\\n.csv')["content-disposition"]
    "attachment; filename*=UTF-8''a%22b%0D%0A.csv"
    """
    return {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}", **NEVER_SHOWN}


def file_answer(path: Path, name: str) -> StreamingResponse:
    """A file, piece by piece."""
    return StreamingResponse(_pieces(path), media_type="application/octet-stream", headers={**attachment(name), "content-length": str(path.stat().st_size)})


def _pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            yield piece
