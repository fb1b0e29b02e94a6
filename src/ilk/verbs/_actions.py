"""Python functions as tools: the schema of their arguments by their signature, arguments checked before they run, and what they return as text."""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, getdoc, signature
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, PydanticUserError, ValidationError, create_model

from ..chat import Tool
from ..errors import UsageError
from ..files import plain


class Refused(Exception):
    """Arguments that a tool does not take, told for the model."""


@dataclass(frozen=True)
class Action:
    """A tool and the function that does it. Arguments are checked against `form` first."""

    tool: Tool
    function: Callable[..., Any]
    form: type[BaseModel]

    def run(self, arguments: Mapping[str, Any]) -> str:
        """What the function returns, as text; Refused for other arguments than it takes."""
        try:
            given = self.form.model_validate(dict(arguments))
        except ValidationError as why:
            raise Refused("; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in why.errors()[:5])) from None
        found = self.function(**{name: getattr(given, name) for name in self.form.model_fields})
        return found if isinstance(found, str) else json.dumps(plain(found), ensure_ascii=False, default=str)


def action(function: Callable[..., Any]) -> Action:
    """A function as a tool of its name: what it does is the first line of its docstring, its arguments are as annotated.

    Raises UsageError (code TOOL) for arguments without annotations, or of types that JSON can't say.

    >>> def add(a: int, b: int = 1) -> int:
    ...     "The sum."
    ...     return a + b
    >>> action(add).tool.summary, action(add).run({"a": 2})
    ('The sum.', '3')
    """
    name = getattr(function, "__name__", type(function).__name__)
    try:
        hints = get_type_hints(function, include_extras=True)
        fields: dict[str, Any] = {n: (hints[n], ... if p.default is Parameter.empty else p.default) for n, p in signature(function).parameters.items() if _named(p)}
        form = create_model(name, __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False), **fields)
        schema = form.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    except (KeyError, NameError, TypeError, ValueError, PydanticUserError) as why:
        raise UsageError(f"{name} can't be a tool: {str(why).splitlines()[0][:200]}", code="TOOL", param="tools",
                         remedy="a function of named arguments, each with a type that JSON can say") from None
    if "$defs" in schema:
        schema["$defs"] = {f"{name}.{key}": value for key, value in schema["$defs"].items()}
    return Action(Tool(name, (getdoc(function) or "").split("\n")[0], schema), function, form)


def _named(parameter: Parameter) -> bool:
    if parameter.kind not in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY):
        raise ValueError(f"{parameter} is not an argument with a name")
    return True
