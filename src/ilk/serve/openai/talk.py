"""An answer of a model in pieces, whatever the model knows: tools for one that knows none, a length that fits its window, errors by the names clients know."""
from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from ilk.chat import End, Turn, Want
from ilk.errors import IlkError, UsageError
from ilk.serve.openai.tools import Tooling
from ilk.serve.work import Ask, Engine
from ilk.verbs._turns import turn_to_json, want_to_json

Piece = Mapping[str, Any]   # text, tokens, call, end: what there is of them


class TooLong(UsageError):
    """What is asked does not fit in the model's window; with both numbers where they are known."""

    default = "context_length_exceeded"

    def __init__(self, message: str, read: int | None, window: int | None) -> None:
        super().__init__(message, param="messages", remedy="say less, leave messages out, or take a model with a larger window")
        self.read, self.window = read, window

    def as_json(self) -> dict[str, Any]:
        """With n_prompt_tokens and n_ctx."""
        return {"error": {**super().as_json()["error"], "n_prompt_tokens": self.read, "n_ctx": self.window}}


@dataclass(frozen=True)
class Talk:
    """What one answer is asked with. `turns` for a chat, else `text` to go on with."""

    model: str
    want: Want
    turns: tuple[Turn, ...] = ()
    text: str = ""
    tooling: Tooling = Tooling()

    def ask(self) -> Ask:
        """As work."""
        want = want_to_json(replace(self.want, tools=self.tooling.tools))
        return Ask("chat", {"turns": [turn_to_json(t) for t in self.turns], "want": want}) if self.turns else Ask("continue_", {"text": self.text, "want": want})

    def count(self) -> Ask:
        """The same, to be counted."""
        tools = want_to_json(Want(tools=self.tooling.tools)).get("tools", [])
        return Ask("count", {"turns": [turn_to_json(t) for t in self.turns], "tools": tools} if self.turns else {"text": self.text})


async def spoken(engine: Engine, talk: Talk) -> AsyncGenerator[Piece, None]:
    """The pieces, the end last. A model without tools of its own is held to JSON that says a call; that comes whole."""
    if not talk.tooling.must:
        begun = False
        try:
            async with aclosing(_fitted(engine, talk)) as pieces:
                async for piece in pieces:
                    begun = True
                    yield piece
            return
        except UsageError as why:
            if begun or why.code != "TOOLS" or not talk.tooling.tools:
                raise
    async with aclosing(_held(engine, talk)) as pieces:
        async for piece in pieces:
            yield piece


async def _held(engine: Engine, talk: Talk) -> AsyncGenerator[Piece, None]:
    if talk.want.shape is not None:
        raise UsageError(f"{talk.model} calls tools as JSON, and can't be held to another shape beside them", code="tools_with_format", param="response_format",
                         remedy="leave out tools or response_format")
    turns, want = talk.tooling.held(talk.turns, talk.want)
    pieces = [piece async for piece in _fitted(engine, replace(talk, turns=turns, want=want, tooling=Tooling()))]
    text, end = "".join(p.get("text", "") for p in pieces), End(**pieces[-1]["end"])
    called = [p for p in pieces if p.get("call")]
    if end.why == "length" and not called:   # cut within the JSON: there is no call, and what is there is told as it is
        yield {"text": text}
    elif not called:
        answer, calls = talk.tooling.read(text, end)
        called = [{"call": {"name": c.name, "arguments": dict(c.arguments), "id": c.id}} for c in calls]
        if answer:
            yield {"text": answer, "tokens": tuple(t for p in pieces for t in p.get("tokens", ()))}
    for piece in called:
        yield piece
    yield {"end": {"why": "calls" if called else end.why, "read": end.read, "made": end.made}}


async def _fitted(engine: Engine, talk: Talk) -> AsyncGenerator[Piece, None]:
    """The pieces; where the window has too little room for the tokens that were asked for, as many as it has room for.

    JSON that was cut before it was whole ends as any answer that was: by its length.
    """
    begun, texts = False, list[str]()
    try:
        async with aclosing(_asked(engine, talk)) as pieces:
            async for piece in pieces:
                begun = True
                texts += [piece.get("text", "")] if talk.want.shape is not None else []
                yield piece
        return
    except IlkError as why:
        if why.code == "SHAPE_CUT":
            yield {"end": await _cut(engine, talk, "".join(texts))}
            return
        if begun or why.code not in ("CONTEXT", "context_length_exceeded"):
            raise _named(why) from None
        talk = await _shorter(engine, talk, why)
    async with aclosing(_asked(engine, talk)) as pieces:
        async for piece in pieces:
            yield piece


async def _asked(engine: Engine, talk: Talk) -> AsyncGenerator[Piece, None]:
    replies: Any = engine.ask(talk.model, talk.ask())
    async with aclosing(replies):
        async for reply in replies:
            yield reply.body


async def _cut(engine: Engine, talk: Talk, text: str) -> dict[str, Any]:
    """The end of an answer that was cut, its tokens counted anew."""
    read, made = [(await counted(engine, talk.model, ask))[0] or 0 for ask in (talk.count(), Ask("count", {"text": text}))]
    return {"why": "length", "read": read, "made": made}


async def _shorter(engine: Engine, talk: Talk, why: IlkError) -> Talk:
    """The request for as many tokens as there is room for; TooLong where there is none."""
    read, window = await counted(engine, talk.model, talk.count())
    room = None if read is None or window is None else window - read
    if room is None or room < 1 or talk.want.most is None or talk.want.most <= room:
        raise TooLong(why.message, read, window) from None
    return replace(talk, want=replace(talk.want, most=room))


async def counted(engine: Engine, model: str, ask: Ask) -> tuple[int | None, int | None]:
    """Tokens of a text or of turns, and of the model's window; None for what the model can't tell."""
    try:
        bodies = [reply.body async for reply in engine.ask(model, ask)]
    except UsageError:
        return None, None
    return (bodies[-1].get("tokens"), bodies[-1].get("window")) if bodies else (None, None)


def _named(why: IlkError) -> IlkError:
    """The error with what works instead, where a model does not talk."""
    if why.code in ("CAPABILITY", "NO_CHAT") and isinstance(why, UsageError):
        return UsageError(why.message, code="capability", param="model", remedy="a model of texts goes on with a text: POST /v1/completions; others: POST /v1/sample")
    return why
