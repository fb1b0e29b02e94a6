"""Turns, and how answers were asked for, as JSON and back."""
from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..chat import Call, Grammar, Part, Pattern, Picture, Result, Schema, Shape, Tool, Turn, Want, Words
from ..errors import IlkError, ModelError
from ..recipe import made

_SHAPES: dict[str, type[Shape]] = {"schema": Schema, "pattern": Pattern, "text": Grammar}   # by their one field


def turn_to_json(turn: Turn) -> dict[str, Any]:
    """Its role, and its parts: each an object of one key that says what it is."""
    return {"role": turn.role, "parts": [_part_to_json(p) for p in turn.parts]}


def turn_from_json(said: Any) -> Turn:
    """What `turn_to_json` wrote; ModelError (code CONVERSATION) for anything else."""
    return _read(lambda: Turn(said["role"], tuple(_part_from_json(p) for p in said["parts"])), "turn")


def want_to_json(want: Want) -> dict[str, Any]:
    """All that is not as by default."""
    said = {f.name: getattr(want, f.name) for f in fields(want) if getattr(want, f.name) != f.default}
    if want.shape is not None:
        said["shape"] = {f.name: getattr(want.shape, f.name) for f in fields(want.shape)}
    return said | ({"tools": [{"name": t.name, "summary": t.summary, "schema": t.schema} for t in want.tools]} if want.tools else {})


def want_from_json(said: Any) -> Want:
    """What `want_to_json` wrote; ModelError (code CONVERSATION) for anything else."""
    return _read(lambda: made(Want, {**said, **_shape(said.get("shape")), "tools": tuple(made(Tool, t) for t in said.get("tools", ()))}), "way to ask")


def _shape(said: Mapping[str, Any] | None) -> dict[str, Shape]:
    if said is None:
        return {}
    (name,) = said
    return {"shape": made(_SHAPES[name], said)}


def _part_to_json(part: Part) -> dict[str, Any]:
    match part:
        case Words(text):
            return {"words": text}
        case Picture(data, media):
            return {"picture": b64encode(data).decode(), "media": media}
        case Call(name, arguments, id):
            return {"call": name, "arguments": dict(arguments), "id": id}
        case Result(text, id):
            return {"result": text, "id": id}


def _part_from_json(said: Mapping[str, Any]) -> Part:
    match said:
        case {"words": str(text)}:
            return Words(text)
        case {"picture": str(data), "media": str(media)}:
            return Picture(b64decode(data, validate=True), media)
        case {"call": str(name), "arguments": dict(arguments), "id": str(id)}:
            return Call(name, arguments, id)
        case {"result": str(text), "id": str(id)}:
            return Result(text, id)
    raise ValueError("a part of no known kind")


def _read(make: Any, what: str) -> Any:
    try:
        return make()
    except (IlkError, KeyError, TypeError, ValueError, AttributeError) as why:
        raise ModelError(f"this is no {what} of a conversation: {str(why)[:200]}", code="CONVERSATION") from None
