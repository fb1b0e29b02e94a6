"""Tools and shapes as OpenAI's clients ask for them; how a model that knows no calls of its own is brought to make them."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from ilk.chat import Answer, Call, End, Result, Schema, Tool, Turn, Want, Words
from ilk.errors import UsageError, nearest
from ilk.serve.body import depth_of
from ilk.serve.limits import Limits
from ilk.serve.openai.fields import Asked, at_most
from ilk.verbs._calling import Shaped, call_or_answer

ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


class Function(Asked):
    """What may be called."""

    name: ToolName
    """Letters, digits, - and _."""
    description: str | None = None
    """What it does, for the model."""
    parameters: dict[str, Any] | None = None
    """The JSON Schema of its arguments."""
    strict: bool | None = None
    """Not heeded: arguments are held to the schema wherever the model can be held to one."""


class ToolAsked(Asked):
    """A tool."""

    type: Literal["function"]
    function: Function


class Named(Asked):
    """A tool's name."""

    name: ToolName


class ChoiceOf(Asked):
    """That tool."""

    type: Literal["function"]
    function: Named


Choice = Literal["none", "auto", "required"] | ChoiceOf


class SchemaAsked(Asked):
    """A JSON Schema that has a name."""

    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    """Not heeded: it is always obeyed."""
    schema_: dict[str, Any] = Field(alias="schema")
    """The JSON Schema (draft 2020-12)."""


class TextFormat(Asked):
    """Any text."""

    type: Literal["text"]


class ObjectFormat(Asked):
    """Any object of JSON."""

    type: Literal["json_object"]


class SchemaFormat(Asked):
    """JSON of a schema."""

    type: Literal["json_schema"]
    json_schema: SchemaAsked


Format = Annotated[TextFormat | ObjectFormat | SchemaFormat, Field(discriminator="type")]


def shape_of(said: TextFormat | ObjectFormat | SchemaFormat | None, limits: Limits) -> Schema | None:
    """The shape that an answer is held to; UsageError for a schema that is too large or too deep."""
    match said:
        case ObjectFormat():
            return Schema({"type": "object"})
        case SchemaFormat(json_schema=asked):
            return Schema(bounded(asked.schema_, limits, "response_format.json_schema.schema"))
    return None


def bounded(schema: Mapping[str, Any], limits: Limits, at: str) -> dict[str, Any]:
    """The schema; UsageError for one that is too large or too deep."""
    found = dict(schema)
    if len(json.dumps(found)) > limits.schema_bytes:
        raise UsageError(f"{at}: the schema is larger than {limits.schema_bytes} bytes", code="schema_too_large", param=at)
    if depth_of(found, limits.schema_depth) > limits.schema_depth:
        raise UsageError(f"{at}: the schema is more than {limits.schema_depth} deep", code="schema_too_deep", param=at)
    return found


@dataclass(frozen=True)
class Tooling:
    """The tools of a request, and whether one of them has to be called. `one`: at most one call."""

    tools: tuple[Tool, ...] = ()
    must: bool = False
    one: bool = False

    @classmethod
    def of(cls, tools: Sequence[ToolAsked] | None, choice: Choice | None, parallel: bool | None, limits: Limits) -> Tooling:
        """What is asked; UsageError for too many, two of a name, or a choice of none of them."""
        at_most(len(tools or ()), limits.tools, "tools")
        found = {t.function.name: _tool(t.function, limits, f"tools.{i}.function.parameters") for i, t in enumerate(tools or ())}
        if len(found) < len(tools or ()):
            raise UsageError("two tools have the same name", code="invalid_tools", param="tools")
        if not found:
            return cls()
        if isinstance(choice, ChoiceOf):
            if (name := choice.function.name) not in found:
                raise UsageError(f"no tool {name!r}", code="invalid_tool_choice", param="tool_choice", remedy=nearest(name, found))
            return cls((found[name],), True, True)
        return cls() if choice == "none" else cls(tuple(found.values()), choice == "required", parallel is False)

    def held(self, turns: Sequence[Turn], want: Want) -> tuple[tuple[Turn, ...], Want]:
        """The request for a model that knows no calls of its own, or must make one: it is told of the tools, and held to JSON that says a call (or an answer)."""
        shape = call_or_answer(self.tools)
        if self.must:
            shape = {**shape, "anyOf": shape["anyOf"][:-1]}
        return Shaped().opened([_plain(t) for t in turns], self.tools), replace(want, tools=(), shape=Schema(shape))

    def read(self, text: str, end: End) -> tuple[str, tuple[Call, ...]]:
        """What such a model said: the answer, or its call."""
        answer = Answer(text, (), (), end)
        calls = Shaped().calls(answer)
        return ("", calls) if calls else (Shaped().answer(answer), ())


def _tool(said: Function, limits: Limits, at: str) -> Tool:
    schema = {"type": "object", "properties": {}} if said.parameters is None else said.parameters
    return Tool(said.name, said.description or "", bounded(schema, limits, at))


def _plain(turn: Turn) -> Turn:
    """A turn in words alone: calls and results as JSON, so that no text in them looks like anything else."""
    if not any(isinstance(p, Call | Result) for p in turn.parts):
        return turn
    said = [json.dumps({"tool": p.name, "arguments": dict(p.arguments)}) if isinstance(p, Call) else json.dumps({"data_of": p.id, "data": p.text})
            if isinstance(p, Result) else p.text if isinstance(p, Words) else "" for p in turn.parts]
    return Turn.of("user" if turn.role == "tool" else turn.role, "\n".join(s for s in said if s))
