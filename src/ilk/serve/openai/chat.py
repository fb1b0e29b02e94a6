"""Chat: the request, and its answer whole or in chunks."""
from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Annotated, Any, Literal

from pydantic import Field

from ilk.chat import Want
from ilk.recipe import made
from ilk.serve.limits import Limits
from ilk.serve.openai.fields import Drawing, No, seeds
from ilk.serve.openai.messages import Message, turns_of
from ilk.serve.openai.nats import chat_nats
from ilk.serve.openai.talk import Piece, Talk, spoken
from ilk.serve.openai.tools import Choice, Format, ToolAsked, Tooling, shape_of
from ilk.serve.streamed import together
from ilk.serve.work import Engine

WHY = {"stop": "stop", "length": "length", "calls": "tool_calls"}


class ChatAsked(Drawing):
    """An answer to turns."""

    messages: Annotated[list[Message], Field(min_length=1)]
    """The turns so far."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """So many tokens at most; what the window has no room for is cut, with finish_reason length."""
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    """The newer name of max_tokens."""
    response_format: Format | None = None
    """The shape that the answer is held to, token by token."""
    tools: list[ToolAsked] | None = None
    """What the model may call."""
    tool_choice: Choice | None = None
    """none, auto, required, or one of the tools."""
    parallel_tool_calls: bool | None = None
    """false: at most one call."""
    logprobs: bool | None = None
    """The tokens of the answer with their log probabilities."""
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """So many of the likeliest tokens at each place; with logprobs."""
    reasoning_effort: str | None = None
    """Ignored."""
    verbosity: str | None = None
    """Ignored."""
    service_tier: str | None = None
    """Ignored."""
    prediction: dict[str, Any] | None = None
    """Ignored."""
    prompt_cache_key: str | None = None
    """Ignored: beginnings that are alike are found without it."""
    safety_identifier: str | None = None
    """Ignored."""
    metadata: dict[str, Any] | None = None
    """Ignored: nothing is stored."""
    store: No | None = None
    """Nothing is stored: false only."""
    modalities: list[Literal["text"]] | None = None
    """Text only."""

    def ignored(self) -> list[str]:
        """The fields that are not heeded."""
        deep = [f"messages.{i}.{name}" for i, m in enumerate(self.messages) for name in (*m.unknown(), *m.said("name", "refusal"))]
        idle = [*(["top_logprobs"] if self.top_logprobs and not self.logprobs else []), *(["tool_choice"] if self.tool_choice not in (None, "none", "auto") and not self.tools else [])]
        return [*self.unknown(), *idle, *self.said("reasoning_effort", "verbosity", "service_tier", "prediction", "prompt_cache_key", "safety_identifier", "metadata"), *deep]

    def talks(self, limits: Limits) -> list[Talk]:
        """One for each answer; UsageError for what can't be met."""
        tooling = Tooling.of(self.tools, self.tool_choice, self.parallel_tool_calls, limits)
        asked = min(self.max_completion_tokens or self.max_tokens or limits.tokens, limits.tokens)
        want = made(Want, {**self.drawing(limits), "shape": shape_of(self.response_format, limits), "alternatives": (self.top_logprobs or 0) if self.logprobs else None,
                           "most": asked if self.said("max_completion_tokens", "max_tokens") else None})
        talk = Talk(self.model, want, turns_of(self.messages), tooling=tooling)
        return [replace(talk, want=replace(want, seed=seed)) for seed in seeds(self.seed, self.count(limits))]


@dataclass(frozen=True)
class Head:
    """What all pieces of an answer have in common."""

    id: str
    created: int
    model: str

    @classmethod
    def of(cls, model: str, kind: str) -> Head:
        """A new one."""
        return cls(f"{kind}-{token_hex(12)}", int(time.time()), model)

    def told(self, what: str) -> dict[str, Any]:
        """As JSON."""
        return {"id": self.id, "object": what, "created": self.created, "model": self.model}


async def gathered(engine: Engine, talks: Sequence[Talk]) -> list[list[Piece]]:
    """All pieces of all answers."""
    found: list[list[Piece]] = [[] for _ in talks]
    async with aclosing(together([spoken(engine, talk) for talk in talks])) as pieces:
        async for i, piece in pieces:
            found[i].append(piece)
    return found


async def whole(engine: Engine, talks: Sequence[Talk]) -> dict[str, Any]:
    """The answer as one object."""
    found = await gathered(engine, talks)
    choices = [_choice(i, pieces, talk) for i, (pieces, talk) in enumerate(zip(found, talks, strict=True))]
    return {**Head.of(talks[0].model, "chatcmpl").told("chat.completion"), "choices": choices, "usage": usage_of([pieces[-1]["end"] for pieces in found])}


def _choice(index: int, pieces: Sequence[Piece], talk: Talk) -> dict[str, Any]:
    text, calls = "".join(p.get("text", "") for p in pieces), calls_of(pieces, talk.tooling.one)
    message = {"role": "assistant", "content": text if text or not calls else None, "refusal": None, **({"tool_calls": calls} if calls else {})}
    nats = None if talk.want.alternatives is None else chat_nats([t for p in pieces for t in p.get("tokens", ())], talk.want.alternatives)
    return {"index": index, "message": message, "logprobs": nats, "finish_reason": WHY[pieces[-1]["end"]["why"]]}


def calls_of(pieces: Sequence[Piece], one: bool) -> list[dict[str, Any]]:
    """The calls, at most one if so asked; each has an id."""
    calls = [call_told(p["call"]) for p in pieces if p.get("call")]
    return calls[:1] if one else calls


def call_told(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call as clients read it."""
    said = {"name": call["name"], "arguments": json.dumps(call.get("arguments", {}), ensure_ascii=False)}
    return {"id": call.get("id") or f"call_{token_hex(12)}", "type": "function", "function": said}


def usage_of(ends: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tokens read (once) and made."""
    read, made_ = max(e["read"] for e in ends), sum(e["made"] for e in ends)
    return {"prompt_tokens": read, "completion_tokens": made_, "total_tokens": read + made_,
            "prompt_tokens_details": {"cached_tokens": max(e.get("reused", 0) for e in ends)}}


async def chunks(engine: Engine, talks: Sequence[Talk], usage: bool) -> AsyncGenerator[dict[str, Any], None]:
    """The answer in chunks: of each choice its role, its pieces, and why it ended; tokens at the very last if asked for."""
    head, ends = Head.of(talks[0].model, "chatcmpl"), list[Mapping[str, Any]]()
    states = [_Choice(i, talk) for i, talk in enumerate(talks)]
    more = {"usage": None} if usage else {}
    async with aclosing(together([spoken(engine, talk) for talk in talks])) as pieces:
        async for i, piece in pieces:
            for choice in states[i].told(piece):
                yield {**head.told("chat.completion.chunk"), "choices": [choice], **more}
            ends += [piece["end"]] if piece.get("end") else []
    if usage:
        yield {**head.told("chat.completion.chunk"), "choices": [], "usage": usage_of(ends)}


class _Choice:
    """How far the chunks of one choice have come."""

    def __init__(self, index: int, talk: Talk) -> None:
        self.index, self.talk, self.calls, self.begun = index, talk, 0, False

    def told(self, piece: Piece) -> Iterator[dict[str, Any]]:
        """The chunks' choices that a piece makes."""
        if not self.begun:
            self.begun = True
            yield self._delta({"role": "assistant", "content": ""})
        if piece.get("text") or piece.get("tokens"):
            nats = None if self.talk.want.alternatives is None else chat_nats(piece.get("tokens", ()), self.talk.want.alternatives)
            yield {**self._delta({"content": piece.get("text", "")}), "logprobs": nats}
        if piece.get("call") and not (self.talk.tooling.one and self.calls):
            yield self._delta({"tool_calls": [{"index": self.calls, **call_told(piece["call"])}]})
            self.calls += 1
        if piece.get("end"):
            yield self._delta({}, WHY[piece["end"]["why"]])

    def _delta(self, delta: Mapping[str, Any], why: str | None = None) -> dict[str, Any]:
        return {"index": self.index, "delta": delta, "logprobs": None, "finish_reason": why}
