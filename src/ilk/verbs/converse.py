"""Converse: a model that may use tools. It asks, granted functions run, their results go back as data, until it answers or the budget is spent."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..chat import Call, Chat, Counts, Result, Turn, Want
from ..errors import UsageError
from ._actions import Action, Refused, action
from ._calling import Calling, Native, Shaped
from .chat import WANT, chat_of, reply
from .conversation import Conversation


@dataclass(frozen=True)
class Budget:
    """How far a model may go: answers asked for, tokens read and made in all, letters of one result."""

    steps: int = 8
    tokens: int = 20_000
    result: int = 8_000


@dataclass(frozen=True)
class Done:
    """What became of a call: it `ran`, it was `refused` (an unknown tool, other arguments, too long a result), or the function `failed`."""

    call: Call
    how: Literal["ran", "refused", "failed"]
    result: Result


@dataclass(frozen=True)
class Conversed:
    """The answer and all that led to it; `why` it ended: `answered`, or the budget of `steps` or `tokens` was spent and there is no answer."""

    answer: str
    why: Literal["answered", "steps", "tokens"]
    conversation: Conversation
    done: tuple[Done, ...]
    tokens: int


def converse(model: Any, turns: str | Sequence[Turn], tools: Sequence[Callable[..., Any] | Action], budget: Budget | None = None,
             want: Want = WANT, by: Calling | None = None) -> Conversed:
    """Lets a model use tools: functions, or Actions. Only these run, only with arguments that they take, and errors go back to the model as results.

    `by` is how calls are said: `Native()` as the model was trained to, `Shaped()` as JSON of a schema, for any model whose answers can be shaped; by default
    the first, and the second for a model without (UsageError, code TOOLS). What a result says is data: it grants nothing.

    >>> def add(a: int, b: int) -> int:
    ...     "The sum of two numbers."
    ...     return a + b
    >>> converse("echo:3", "What is 1 + 2?", [add]).answer
    '3'
    """
    talks, granted = chat_of(model), {a.tool.name: a for a in (t if isinstance(t, Action) else action(t) for t in tools)}
    said = (Turn.of("user", turns),) if isinstance(turns, str) else tuple(turns)
    if len(granted) < len(tools):
        raise UsageError("two tools have the same name", code="TOOL", param="tools")
    if by is not None:
        return _loop(talks, said, granted, (budget or Budget(), want, by))
    try:
        return _loop(talks, said, granted, (budget or Budget(), want, Native()))
    except UsageError as why:
        if why.code != "TOOLS":
            raise
        return _loop(talks, said, granted, (budget or Budget(), want, Shaped()))


def _loop(model: Chat, turns: Sequence[Turn], granted: Mapping[str, Action], how: tuple[Budget, Want, Calling]) -> Conversed:
    budget, want, by = how
    tools = [a.tool for a in granted.values()]
    talk, done, spent = Conversation.of(by.opened(turns, tools)), list[Done](), 0
    asked = by.want(want, tools)
    for _ in range(budget.steps):
        read = model.count(model.written(talk.turns, asked.tools)) if isinstance(model, Counts) else 0
        left = budget.tokens - spent - read
        if left < 1:
            return Conversed("", "tokens", talk, tuple(done), spent)
        heard = reply(model, talk.turns, replace(asked, most=_most(model, asked.most, left, read)))
        talk, spent = talk.heard(heard), spent + heard.end.read + heard.end.made
        calls = by.calls(heard)
        if not calls:
            return Conversed(by.answer(heard), "answered", talk, tuple(done), spent)
        ran = [_done(call, granted, budget.result) for call in calls]
        done += ran
        talk = talk.say(by.results([d.call for d in ran], [d.result for d in ran]))
    return Conversed("", "steps", talk, tuple(done), spent)


def _most(model: Chat, most: int | None, left: int, read: int) -> int | None:
    """How many tokens the next answer may have: no more than is left. Where the model can't count, what is wanted, and the budget ends it afterwards."""
    if not isinstance(model, Counts):
        return most and min(most, left)
    return max(1, min(left, most or left, left if model.window is None else model.window - read))


def _done(call: Call, granted: Mapping[str, Action], longest: int) -> Done:
    how, text = _ran(call, granted)
    if len(text) > longest:
        how, text = "refused", f"error: the result has {len(text)} letters, and {longest} are allowed: ask for less"
    return Done(call, how, Result(text, call.id))


def _ran(call: Call, granted: Mapping[str, Action]) -> tuple[Literal["ran", "refused", "failed"], str]:
    if call.name not in granted:
        return "refused", f"error: there is no tool {call.name[:60]!r}; there are: {', '.join(granted) or 'none'}"
    try:
        return "ran", granted[call.name].run(call.arguments)
    except Refused as why:
        return "refused", f"error: {why}"
    except Exception as why:   # whatever a function of the user raises is told to the model, and stands in what was done
        return "failed", f"error: {type(why).__name__}: {str(why)[:500]}"
