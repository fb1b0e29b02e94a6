"""Whether a finished text or value has the shape that was asked for, through the library jsonschema; and what is wrong with it, and where."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .chat import Pattern, Schema, Shape
from .errors import ModelError, UsageError, nearest
from .files import parse_json

NOTES = ("title", "description", "examples", "default", "$schema", "$id", "$anchor", "$comment", "$defs", "format", "deprecated", "readOnly", "writeOnly", "if",
         "then", "else", "contentMediaType", "contentEncoding", "x-guidance")
DEEPEST = 64
_REPEATED = re.compile(r"\)[*+?{]")   # a group of a pattern that may come again


def _validator(schema: Any) -> Any:
    """What holds values against a schema; it fetches nothing that a schema refers to. UsageError where the library is missing."""
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import extend
        from referencing import Registry
    except ImportError:
        raise UsageError("answers by a JSON Schema need the library jsonschema, which is not installed", code="MISSING_EXTRA", param="shape",
                         remedy='pip install "ilk[llm]"') from None
    return extend(Draft202012Validator, {"pattern": _pattern})(schema, registry=Registry())


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Exception]:
    """The keyword, without the patterns that take for ever: where a group is repeated, backtracking may, and an automaton does not."""
    from jsonschema import ValidationError

    if isinstance(value, str) and not (_automaton(pattern, value) if _REPEATED.search(pattern) else re.search(pattern, value)):
        yield ValidationError(f"{value[:200]!r} does not match {pattern[:200]!r}")


def _automaton(pattern: str, text: str) -> bool:
    from .backends._shapes import fits

    return fits(Schema({"type": "string", "pattern": pattern}), json.dumps(text, ensure_ascii=False))


def check_schema(schema: Any) -> None:
    """UsageError for what is no JSON Schema (draft 2020-12), is nested too deep, or has a keyword that nobody would heed.

    >>> check_schema({"type": "object", "propertys": {}})
    Traceback (most recent call last):
    ilk.errors.UsageError: the schema's keyword 'propertys' is not known...
    """
    from jsonschema.exceptions import SchemaError

    made = _validator(schema)
    try:
        made.check_schema(schema)
        _known(schema, (*made.VALIDATORS, *NOTES), 0)
        list(made.iter_errors(None))   # whether all that it refers to is there
    except RecursionError:
        raise _endless() from None
    except SchemaError as why:
        raise UsageError(f"no JSON Schema: {_first(why)} at {why.json_path}", code="SHAPE", param="shape", remedy="mend it at that place") from None
    except Exception as why:  # references and patterns fail as their own libraries do
        if isinstance(why, UsageError):
            raise
        raise UsageError(f"no JSON Schema: {_first(why)}", code="SHAPE", param="shape") from None


def _known(schema: Any, known: tuple[str, ...], depth: int) -> None:
    if not isinstance(schema, dict):
        return
    if depth > DEEPEST:
        raise UsageError("the schema is nested too deep", code="SHAPE", param="shape")
    for key, rule in schema.items():
        if key == "patternProperties" and (slow := [name for name in rule if _REPEATED.search(str(name))] if isinstance(rule, dict) else []):
            raise UsageError(f"a repeated group in the pattern {slow[0][:80]!r} of names may take for ever", code="SHAPE", param="shape", remedy="a pattern without one")
        if key not in known:
            raise UsageError(f"the schema's keyword {key!r} is not known", code="SHAPE", param="shape", remedy=nearest(str(key), known))
        if key in ("enum", "const", "default", "examples", "required", "dependentRequired"):
            continue
        named = isinstance(rule, dict) and key in ("properties", "$defs", "patternProperties", "dependentSchemas")
        for inner in rule.values() if named else rule if isinstance(rule, list) else [rule]:
            _known(inner, known, depth + 1)


def problems(value: Any, schema: Any) -> Iterator[str]:
    """What is wrong with a value, each with its place."""
    try:
        for found in _validator(schema).iter_errors(value):
            yield f"{found.json_path}: {found.message}"
    except RecursionError:
        raise _endless() from None
    except Exception as why:  # references and patterns fail as their own libraries do
        if isinstance(why, UsageError):
            raise
        raise UsageError(f"no JSON Schema: {_first(why)}", code="SHAPE", param="shape") from None


def _endless() -> UsageError:
    return UsageError("no JSON Schema: it refers to itself without end", code="SHAPE", param="shape")


def _first(why: object) -> str:
    return (str(why).splitlines() or [type(why).__name__])[0][:200]


def broken(text: str, shape: Shape) -> str | None:
    """Why a text does not obey, None if it does; UsageError for a shape that is none, or a grammar, which is not checked afterwards."""
    if isinstance(shape, Schema):
        check_schema(shape.schema)
        try:
            return next(problems(parse_json(text.encode("utf-8", "replace"), "the answer"), shape.schema), None)
        except ModelError as why:
            return why.message
    if isinstance(shape, Pattern):
        return None if _regex(shape.pattern).fullmatch(text) else f"it is not {shape.pattern!r} from end to end"
    raise UsageError("a grammar is obeyed only by models that run here", code="SHAPE", param="shape", remedy="a JSON Schema or a regular expression")


def checked(text: str, shape: Shape | None) -> str:
    """The text; ModelError (code SHAPE) if it does not obey."""
    if shape is not None and (why := broken(text, shape)):
        raise ModelError(f"the answer does not have the shape that was asked for: {why[:300]}", code="SHAPE", remedy="more tokens, another seed or another model")
    return text


def _regex(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as why:
        raise UsageError(f"{pattern[:80]!r} is no regular expression: {why}", code="SHAPE", param="shape") from None
