"""What goes over the wire to servers that speak as OpenAI's does, and what comes back, with the differences of those that nearly do."""
from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from ..chat import Call, Delta, Picture, Result, Token, Tool, Turn, Words
from ..errors import IlkError, ModelError, PolicyError
from ..files import parse_json
from ._endpoint import message_of

UNREAD = "(not JSON)"   # the argument under which arguments stand that can't be read: no tool takes it


class _Function(BaseModel):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Asked(BaseModel):
    index: int | None = None
    id: str | None = None
    function: _Function = _Function()


class _Said(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Asked] | None = None


class _Weighed(BaseModel):
    token: str
    logprob: float


class _Token(_Weighed):
    top_logprobs: list[_Weighed] | None = None


class _Nats(BaseModel):
    content: list[_Token] | None = None   # of a chat
    tokens: list[str] | None = None       # of a bare text
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _Choice(BaseModel):
    delta: _Said | None = None     # of a stream
    message: _Said | None = None   # of a whole answer
    text: str | None = None        # of a bare text
    finish_reason: str | None = None
    logprobs: _Nats | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class Pieces:
    """Gathers what a server sends into pieces of an answer: text at once, calls of tools when they are whole."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.read = self.made = self.counted = 0
        self._calls: list[_Asked] = []

    def of(self, said: Any) -> Delta:
        """The piece in one chunk; ModelError (code ENDPOINT_GARBAGE or ENDPOINT), PolicyError where the server refuses to answer."""
        chunk = _chunk(said)
        if chunk.usage:
            self.read, self.made = chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0
        if not chunk.choices:
            return Delta()
        choice = chunk.choices[0]
        spoken = choice.delta or choice.message or _Said(content=choice.text)
        if spoken.refusal:
            raise PolicyError(f"the model refuses: {spoken.refusal[:300]}", code="REFUSED")
        if choice.finish_reason == "content_filter":
            raise PolicyError("the server's filter ended the answer", code="FILTERED")
        self.why = choice.finish_reason or self.why
        for asked in spoken.tool_calls or ():
            self._gather(asked)
        self.counted += bool(spoken.content)
        return Delta(spoken.content or "", _tokens(choice.logprobs))

    def calls(self) -> Iterator[Call]:
        """The calls, now that all of them are there."""
        for i, asked in enumerate(self._calls):
            yield Call(asked.function.name or "", _arguments(asked.function.arguments), asked.id or f"call_{i}")

    def _gather(self, asked: _Asked) -> None:
        """A new call, or more of one: some servers number them all 0, or not at all, but then each comes whole."""
        same = [c for c in self._calls if c.index == asked.index]
        last = same[-1] if same else self._calls[-1] if self._calls and asked.index is None else None
        if last is None or (asked.id and last.id and asked.id != last.id) or (asked.function.name and last.function.arguments):
            self._calls.append(asked.model_copy(deep=True))
            return
        last.id = last.id or asked.id
        last.function.name = last.function.name or asked.function.name
        if isinstance(asked.function.arguments, dict):
            last.function.arguments = asked.function.arguments
        elif not isinstance(last.function.arguments, dict):
            last.function.arguments = (last.function.arguments or "") + (asked.function.arguments or "")


def _chunk(said: Any) -> _Chunk:
    try:
        chunk = _Chunk.model_validate(said)
    except ValidationError as why:
        first = why.errors()[0]
        raise ModelError(f"the server's answer can't be read: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}", code="ENDPOINT_GARBAGE") from None
    if chunk.error:
        raise ModelError(f"the server broke off: {message_of(json.dumps({'error': chunk.error}))}", code="BROKEN_OFF", remedy="ask again")
    return chunk


def _tokens(told: _Nats | None) -> tuple[Token, ...]:
    if told is None:
        return ()
    if told.content:
        return tuple(Token(t.token, t.logprob, tuple((o.token, o.logprob) for o in t.top_logprobs or ())) for t in told.content)
    others = told.top_logprobs or [None] * len(told.tokens or ())
    return tuple(Token(t, p, tuple((o or {}).items())) for t, p, o in zip(told.tokens or (), told.token_logprobs or (), others, strict=False) if p is not None)


def _arguments(said: str | dict[str, Any] | None) -> dict[str, Any]:
    if isinstance(said, dict):
        return said
    try:
        found = parse_json((said or "{}").encode("utf-8", "replace"), "arguments")
    except IlkError:
        found = None
    return found if isinstance(found, dict) else {UNREAD: said}


def messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Turns as messages; each result of a tool is one of its own."""
    return [message for turn in turns for message in _messages(turn)]


def _messages(turn: Turn) -> Iterator[dict[str, Any]]:
    results = [p for p in turn.parts if isinstance(p, Result)]
    yield from ({"role": "tool", "tool_call_id": r.id or f"call_{i}", "content": r.text} for i, r in enumerate(results))
    parts = [p for p in turn.parts if isinstance(p, Words | Picture)]
    calls = [p for p in turn.parts if isinstance(p, Call)]
    if parts or calls or not results:
        yield {"role": turn.role, "content": _content(parts) if parts or not calls else None, **({"tool_calls": [_call(c, i) for i, c in enumerate(calls)]} if calls else {})}


def _content(parts: Sequence[Words | Picture]) -> str | list[dict[str, Any]]:
    if all(isinstance(p, Words) for p in parts):
        return "".join(p.text for p in parts if isinstance(p, Words))
    return [{"type": "text", "text": p.text} if isinstance(p, Words) else
            {"type": "image_url", "image_url": {"url": f"data:{p.media};base64,{b64encode(p.data).decode()}"}} for p in parts]


def _call(call: Call, i: int) -> dict[str, Any]:
    return {"id": call.id or f"call_{i}", "type": "function", "function": {"name": call.name, "arguments": json.dumps(dict(call.arguments))}}


def tool(told: Tool) -> dict[str, Any]:
    """A tool as it is offered."""
    return {"type": "function", "function": {"name": told.name, "description": told.summary, "parameters": dict(told.schema)}}
