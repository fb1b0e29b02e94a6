"""Whether a text has the shape that was asked for: where nothing forces it token by token."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..chat import Pattern, Schema, Shape
from ..errors import ModelError, UsageError
from ..files import parse_json


def broken(text: str, shape: Shape) -> str | None:
    """Why a text does not obey, None if it does; UsageError for a shape that is none, or a grammar, which is not checked afterwards."""
    if isinstance(shape, Schema):
        return _unlike(text, shape.schema)
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


def _unlike(text: str, schema: Mapping[str, Any]) -> str | None:
    try:
        from jsonschema import Draft202012Validator, SchemaError
        from referencing import Registry
        from referencing.exceptions import Unresolvable
    except ImportError:
        raise UsageError("answers by a JSON Schema need jsonschema", code="EXTRA", param="shape", remedy='pip install "ilk[llm]"') from None
    try:
        Draft202012Validator.check_schema(schema)
        found = next(Draft202012Validator(schema, registry=Registry()).iter_errors(parse_json(text.encode("utf-8", "replace"), "the answer")), None)
    except ModelError as why:
        return why.message
    except (SchemaError, Unresolvable, RecursionError, re.error) as why:
        raise UsageError(f"no JSON Schema: {str(why).splitlines()[0][:200]}", code="SHAPE", param="shape") from None
    return None if found is None else f"{found.json_path}: {found.message}"
