"""The options of recipes as fields of a form: what a page shows of them."""
from __future__ import annotations

import warnings
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from ilk import registry
from ilk.recipe import listed

TYPES = {"integer": "integer", "number": "number", "string": "text", "boolean": "check"}


@cache
def fields(axis: str, name: str) -> tuple[dict[str, Any], ...]:
    """The options of a member of an axis that a field can hold: {name, type, default, low, high, values}. Recipes inside recipes are left out.

    >>> fields("families", "ngram")
    ({'name': 'order', 'type': 'integer', 'default': 6, 'low': 1, 'high': 10, 'values': None},)
    """
    recipe = registry.get(axis, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # defaults that JSON can't hold: those options are no fields
        said = TypeAdapter(recipe).json_schema()["properties"]
    return tuple(field for option in listed(recipe) if (field := _field(option.name, said[option.name])))


def _field(name: str, said: dict[str, Any]) -> dict[str, Any] | None:
    kinds = [kind for kind in said.get("anyOf", [said]) if kind.get("type") != "null"]
    kind = kinds[0] if len(kinds) == 1 else {}
    if kind.get("type") not in TYPES:
        return None
    values = kind.get("enum") or ([kind["const"]] if "const" in kind else None)
    low, high = (kind.get(end, kind.get(f"exclusive{end.title()}")) for end in ("minimum", "maximum"))
    return {"name": name, "type": "select" if values else TYPES[kind["type"]], "default": said.get("default"), "low": low, "high": high, "values": values}
