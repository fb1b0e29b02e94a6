"""Turns as the messages that templates and servers know."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..chat import Call, Picture, Result, Tool, Turn, Words
from ..errors import UsageError


def messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Role, content and calls of each turn; each result of a tool is a message. UsageError for a picture.

    >>> messages([Turn.of("user", "Hello")])
    [{'role': 'user', 'content': 'Hello'}]
    """
    if not turns:
        raise UsageError("there is no turn to answer", code="TURNS", param="turns", remedy="at least one turn of the user")
    return [m for turn in turns for m in _messages(turn)]


def _messages(turn: Turn) -> list[dict[str, Any]]:
    if any(isinstance(p, Picture) for p in turn.parts):
        raise UsageError("this model reads no pictures", code="PICTURE", param="turns", remedy="describe it in words, or take a model that sees")
    results = [{"role": "tool", "content": p.text, "tool_call_id": p.id} for p in turn.parts if isinstance(p, Result)]
    words = "".join(p.text for p in turn.parts if isinstance(p, Words))
    calls = [{"id": p.id, "type": "function", "function": {"name": p.name, "arguments": dict(p.arguments)}} for p in turn.parts if isinstance(p, Call)]
    if not words and not calls and results:
        return results
    role = {"role": turn.role, "content": words}
    return [*results, {**role, "tool_calls": calls} if calls else role]


def functions(tools: Sequence[Tool]) -> list[dict[str, Any]] | None:
    """Tools as they are told to a model; None for none."""
    return [{"type": "function", "function": {"name": t.name, "description": t.summary, "parameters": dict(t.schema)}} for t in tools] or None


def whole(name: str, template: object, turns: Sequence[Turn], rendered: Callable[[list[dict[str, Any]], bool], str]) -> str:
    """The turns as a model's own template renders them, up to where its answer begins; UsageError for no template, or one that does not say where."""
    if not template:
        raise UsageError(f"{name} has no template of turns", code="TEMPLATE", param="model",
                         remedy="a model that was taught to chat (its name often ends in -Instruct), or let it go on with a bare text")
    said = messages(turns)
    found = rendered(said, True)
    if said[-1]["role"] != "assistant" and found == rendered(said, False):
        raise UsageError(f"the template of {name} has no generation prompt: it does not say where an answer begins", code="TEMPLATE", param="model",
                         remedy="take a template that heeds add_generation_prompt")
    return found


def without_tools(name: str, tools: Sequence[Tool]) -> None:
    """UsageError for tools: calls in a model's own words are read by servers, not here."""
    if tools:
        raise UsageError(f"{name} calls no tools in words of its own", code="TOOLS", param="tools",
                         remedy="let it write calls as JSON of a schema, as conversations do (Shaped)")


def spans(written: str, turns: Sequence[Turn]) -> list[tuple[str, bool]]:
    """A rendered conversation in pieces, each with whether a turn said it: what stands in a turn is text, even where it looks like a template's mark.

    >>> spans("<user>Hi<end>", [Turn.of("user", "Hi")])
    [('<user>', False), ('Hi', True), ('<end>', False)]
    """
    found, at = list[tuple[str, bool]](), 0
    for said in (p.text for t in turns for p in t.parts if isinstance(p, Words | Result)):
        text = said if written.find(said, at) >= 0 else said.strip()
        start = written.find(text, at)
        if start < 0:
            raise UsageError("a turn holds marks of the model's own template, and the template does not write that turn as it is", code="MARKS",
                             param="turns", remedy="leave the marks out")
        found += [(written[at:start], False), (text, True)]
        at = start + len(text)
    return [(text, own) for text, own in (*found, (written[at:], False)) if text]


def around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens that a tokenizer puts before and after a text."""
    bare, whole = (list(tokenizer("a", add_special_tokens=marks)["input_ids"]) for marks in (False, True))
    at = next(i for i in range(len(whole)) if whole[i:i + len(bare)] == bare)
    return whole[:at], whole[at + len(bare):]
