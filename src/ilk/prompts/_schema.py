"""JSON Schema (draft 2020-12, the part that shapes of answers need): what is wrong with a value, and where. Unknown keywords are refused, never overlooked."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isclose
from typing import Any

from ilk.errors import UsageError, nearest

Schema = Mapping[str, Any]
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, Mapping), "array": lambda v: isinstance(v, list), "string": lambda v: isinstance(v, str), "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool), "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: not isinstance(v, bool) and (isinstance(v, int) or (isinstance(v, float) and v.is_integer()))}
NOTES = ("title", "description", "examples", "default", "$schema", "$id", "$comment", "$defs", "format", "deprecated", "readOnly", "writeOnly")
INSIDE = {"properties": "each", "$defs": "each", "items": "one", "additionalProperties": "one", "not": "one",
          "prefixItems": "all", "anyOf": "all", "oneOf": "all", "allOf": "all"}
DEEPEST = 64


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1 is 1.0 and not true."""
    return plain(one) == plain(other)


def plain(value: Any) -> str:
    """A value as one text, equal for equal values."""
    if isinstance(value, Mapping):
        return "{" + ",".join(sorted(f"{json.dumps(k)}:{plain(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(plain, value)) + "]"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else json.dumps(value)


def _type(rule: Any, value: Any) -> str | None:
    wanted = [rule] if isinstance(rule, str) else list(rule)
    return None if any(TYPES[t](value) for t in wanted) else f"is no {' or '.join(wanted)}"


def _required(rule: Sequence[str], value: Any) -> str | None:
    lacking = [k for k in rule if k not in value]
    return f"lacks {lacking[0]!r}" if lacking else None


def _multiple(rule: float, value: float) -> str | None:
    return None if isclose(value / rule, round(value / rule), rel_tol=0, abs_tol=1e-9) else f"is no multiple of {rule}"


def _unique(rule: bool, value: list[Any]) -> str | None:
    return "holds a thing twice" if rule and len(set(map(plain, value))) < len(value) else None


Rule = Callable[[Any, Any], str | None]
# Keyword: the type it speaks of (None: all), and what it says of a value.
RULES: Mapping[str, tuple[str | None, Rule]] = {
    "type": (None, _type),
    "const": (None, lambda r, v: None if same(r, v) else f"is not {json.dumps(r, ensure_ascii=False)}"),
    "enum": (None, lambda r, v: None if any(same(one, v) for one in r) else f"is none of {json.dumps(r, ensure_ascii=False)}"),
    "required": ("object", _required),
    "minProperties": ("object", lambda r, v: None if len(v) >= r else f"has fewer than {r} properties"),
    "maxProperties": ("object", lambda r, v: None if len(v) <= r else f"has more than {r} properties"),
    "minItems": ("array", lambda r, v: None if len(v) >= r else f"has fewer than {r} items"),
    "maxItems": ("array", lambda r, v: None if len(v) <= r else f"has more than {r} items"),
    "uniqueItems": ("array", _unique),
    "minLength": ("string", lambda r, v: None if len(v) >= r else f"is shorter than {r}"),
    "maxLength": ("string", lambda r, v: None if len(v) <= r else f"is longer than {r}"),
    "pattern": ("string", lambda r, v: None if re.search(r, v) else f"does not match {r}"),
    "minimum": ("number", lambda r, v: None if v >= r else f"is below {r}"),
    "maximum": ("number", lambda r, v: None if v <= r else f"is above {r}"),
    "exclusiveMinimum": ("number", lambda r, v: None if v > r else f"is not above {r}"),
    "exclusiveMaximum": ("number", lambda r, v: None if v < r else f"is not below {r}"),
    "multipleOf": ("number", _multiple)}


def check_schema(schema: Any, depth: int = 0) -> None:
    """UsageError for what is no schema, or says more than is looked at here."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        raise UsageError("a schema is an object, and not nested too deep", code="SCHEMA")
    known = (*RULES, *INSIDE, *NOTES, "$ref")
    for key, rule in schema.items():
        if key not in known:
            raise UsageError(f"the schema's keyword {key!r} is not known here", code="SCHEMA", remedy=nearest(str(key), known))
        if not _right(key, rule):
            raise UsageError(f"the schema says {key} = {json.dumps(rule, default=str)[:80]}, which can't be meant", code="SCHEMA")
        if key in INSIDE:
            for inner in rule.values() if INSIDE[key] == "each" else rule if INSIDE[key] == "all" else [rule]:
                check_schema(inner, depth + 1)


def _right(key: str, rule: Any) -> bool:
    """Whether what a keyword says is of its own kind."""
    if key == "type":
        return rule in TYPES if isinstance(rule, str) else isinstance(rule, list) and bool(rule) and all(isinstance(t, str) and t in TYPES for t in rule)
    if key == "required":
        return isinstance(rule, list) and all(isinstance(k, str) for k in rule)
    if key in ("pattern", "$ref"):
        return isinstance(rule, str) and (_pattern(rule) if key == "pattern" else rule == "#" or rule.startswith("#/$defs/"))
    if key in ("enum", "anyOf", "oneOf", "allOf", "prefixItems"):
        return isinstance(rule, list) and bool(rule)
    if key in ("properties", "$defs"):
        return isinstance(rule, Mapping)
    if key == "uniqueItems":
        return isinstance(rule, bool)
    if key not in RULES or key == "const":
        return True
    return TYPES["number"](rule) and (rule > 0 if key == "multipleOf" else TYPES["integer"](rule) and rule >= 0 if key[3:] in ("Items", "Length", "Properties") else True)


def _pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return False
    return True


def problems(value: Any, schema: Any, root: Any = None, at: str = "the answer", depth: int = 0) -> Iterator[str]:
    """What is wrong with a value, in words with the place."""
    root = schema if root is None else root
    if depth > 4 * DEEPEST:
        raise UsageError("the schema refers to itself without end", code="SCHEMA")
    if isinstance(schema, bool):
        yield from () if schema else (f"{at} may not be there",)
        return
    if "$ref" in schema:
        yield from problems(value, _referred(root, schema["$ref"]), root, at, depth + 1)
    for key, rule in schema.items():
        of, says = RULES.get(key, (None, None))
        if says is not None and (of is None or TYPES[of](value)) and (said := says(rule, value)):
            yield f"{at} {said}"
    yield from _parts(value, schema, root, at, depth)
    yield from _choices(value, schema, root, at, depth)


def _referred(root: Any, ref: str) -> Any:
    name = ref.removeprefix("#/$defs/")
    if ref != "#" and name not in root.get("$defs", {}):
        raise UsageError(f"the schema refers to {ref}, which it lacks", code="SCHEMA")
    return root if ref == "#" else root["$defs"][name]


def _parts(value: Any, schema: Schema, root: Any, at: str, depth: int) -> Iterator[str]:
    """What is wrong inside an object or an array."""
    if isinstance(value, Mapping):
        known = schema.get("properties", {})
        for key, one in value.items():
            yield from problems(one, known.get(key, schema.get("additionalProperties", True)), root, f"{at}.{key}", depth + 1)
    elif isinstance(value, list):
        first = schema.get("prefixItems", [])
        for i, one in enumerate(value):
            yield from problems(one, first[i] if i < len(first) else schema.get("items", True), root, f"{at}[{i}]", depth + 1)


def _choices(value: Any, schema: Schema, root: Any, at: str, depth: int) -> Iterator[str]:
    """What is wrong by schemas put together."""
    for inner in schema.get("allOf", []):
        yield from problems(value, inner, root, at, depth + 1)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            fits = sum(next(problems(value, inner, root, at, depth + 1), None) is None for inner in schema[key])
            if fits == 0 or (key == "oneOf" and fits > 1):
                yield f"{at} fits {fits or 'none'} of {len(schema[key])} choices"
    if "not" in schema and next(problems(value, schema["not"], root, at, depth + 1), None) is None:
        yield f"{at} is what it may not be"
