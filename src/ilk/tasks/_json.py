"""Answers that are JSON."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..checked import Finding
from ..errors import ModelError
from ..files import parse_json

_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.DOTALL)


def parsed(answer: str, sort: type[Any]) -> tuple[Any, tuple[Finding, ...]]:
    """The JSON of an answer (a fence around it is taken off), or an empty one and what is wrong with it."""
    fenced = _FENCE.match(answer)
    try:
        found = parse_json((fenced[1] if fenced else answer).encode("utf-8", "replace"), "the answer")
    except ModelError as why:
        return sort(), (Finding("NOT_JSON", why.message),)
    if not isinstance(found, sort):
        return sort(), (Finding("NOT_JSON", f"the answer is JSON, but not {'an object' if sort is dict else 'a list'}"),)
    return found, ()


def record(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON Schema of an object that has just these fields."""
    return {"type": "object", "properties": {k: dict(v) for k, v in fields.items()}, "required": list(fields), "additionalProperties": False}
