"""Routes: what is asked here, in Python and on the command line."""
from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from ilk.errors import UsageError
from ilk.serve.body import Strict
from ilk.serve.caller import Caller, caller_of, needs
from ilk.serve.files import Files
from ilk.serve.lines import Line, lines
from ilk.serve.server import Has
from ilk.serve.work import Missing

router = APIRouter(prefix="/v1/lines", tags=["lines"], dependencies=[needs("chat")], route_class=Strict)


class Asking(BaseModel):
    """What would be asked."""

    model_config = ConfigDict(use_attribute_docstrings=True, strict=True, json_schema_extra={"examples": [{"verb": "sample",
        "params": {"model": "people", "n": 3, "given": ["age > 60"]}}]})

    verb: Literal["sample", "score", "edit", "impute", "vary", "interpolate", "steer", "fit", "race", "evaluate", "audit", "report", "index", "ask", "chat", "tune", "export"]
    """What would be done."""
    params: dict[str, Any]
    """As the route of the verb, or a job of that kind, takes them."""


@router.post("", response_model=Line)
def line(request: Request, server: Has, asked: Asking) -> Line:
    """The lines that do the same, to be copied."""
    try:
        return lines(asked.verb, named(asked.params, Files(server.place, server.limits), caller_of(request)))
    except (KeyError, TypeError, AttributeError, ValueError) as why:
        if isinstance(why, UsageError):
            raise
        raise UsageError(f"these are no parameters of {asked.verb[:40]}", code="PARAMS", param="params", remedy="as its route takes them") from None


def named(params: dict[str, Any], files: Files, caller: Caller) -> dict[str, Any]:
    """The parameters with the names of files in the place of their numbers."""
    def name(id: Any) -> Any:
        with suppress(Missing):
            return files.get(id, caller).name if isinstance(id, str) else id
        return id

    found = dict(params)
    if "file" in found:
        found["file"] = name(found["file"])
    if isinstance(found.get("files"), list):
        found["files"] = [name(id) for id in found["files"]]
    return found
