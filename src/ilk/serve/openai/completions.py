"""Completions: texts gone on with, or weighed, for any model of texts."""
from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from ilk.chat import Want
from ilk.errors import UsageError
from ilk.recipe import made
from ilk.serve.limits import Limits
from ilk.serve.openai.chat import Head, usage_of
from ilk.serve.openai.fields import TEXTS, Drawing, at_most, seeds
from ilk.serve.openai.nats import Tokens, text_nats
from ilk.serve.openai.talk import Piece, Talk, counted, spoken
from ilk.serve.streamed import together
from ilk.serve.work import Ask, Engine

MOST = 16   # tokens where none are asked for, as OpenAI has it


class TextAsked(Drawing):
    """More of a text, or of several."""

    prompt: Annotated[str | list[str] | list[int] | list[list[int]], TEXTS]
    """The text to go on with, or several. Numbers of tokens are not taken: they belong to another vocabulary."""
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    """So many tokens at most, 16 by default; 0 with echo and logprobs weighs the prompt."""
    echo: bool | None = None
    """The prompt stands before what is made; with logprobs its tokens are weighed too."""
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    """Log probabilities of the tokens, and so many of the likeliest at each place."""
    suffix: Annotated[str, WithJsonSchema({"type": "string", "maxLength": 0})] | None = None
    """What comes after: refused, as no model here writes between two texts."""
    best_of: Annotated[int, Field(ge=1, le=1)] | None = None
    """1 only: every answer that is made is told."""

    def ignored(self) -> list[str]:
        """The fields that are not heeded."""
        return self.unknown()

    def texts(self, limits: Limits) -> list[str]:
        """The prompts; UsageError for tokens, none or too many."""
        if not isinstance(self.prompt, str) and any(not isinstance(p, str) for p in self.prompt):
            raise token_input("prompt", "send the text itself")
        found = [self.prompt] if isinstance(self.prompt, str) else [p for p in self.prompt if isinstance(p, str)]
        if not found:
            raise UsageError("prompt: there is none", code="invalid_request", param="prompt", remedy="a text, which may be empty")
        at_most(len(found) * self.count(limits), limits.items, "prompt")
        return found

    def parts(self, limits: Limits) -> list[Part]:
        """One for each text that is to be made; UsageError for what can't be met."""
        if self.suffix:
            raise UsageError("suffix: no model here writes between two texts", code="suffix_unsupported", param="suffix", remedy="leave it out")
        most = min(MOST if self.max_tokens is None else self.max_tokens, limits.tokens)
        want = made(Want, {**self.drawing(limits), "most": most or None, "alternatives": self.logprobs})
        drawn = seeds(self.seed, self.count(limits))
        return [Part(Talk(self.model, replace(want, seed=seed), text=text), bool(self.echo), bool(most)) for text in self.texts(limits) for seed in drawn]


def token_input(param: str, remedy: str) -> UsageError:
    """That numbers of tokens were sent."""
    return UsageError(f"{param}: numbers of tokens are not taken: they belong to the vocabulary of another model", code="token_input_unsupported", param=param, remedy=remedy)


@dataclass(frozen=True)
class Part:
    """One text to make: whether its prompt is told, and whether anything is made after it."""

    talk: Talk
    echo: bool
    more: bool


async def _pieces(engine: Engine, part: Part) -> AsyncGenerator[Piece, None]:
    """The prompt, if it is told, with its tokens, if they are; then what is made; the end last."""
    talk = part.talk
    if part.echo:
        weighed = talk.want.alternatives is not None
        tokens = await _weighed(engine, talk) if weighed else ()
        yield {"text": talk.text, "tokens": tokens}
    if part.more:
        async with aclosing(spoken(engine, talk)) as pieces:
            async for piece in pieces:
                yield piece
    else:
        read = len(tokens) if part.echo and weighed else (await counted(engine, talk.model, talk.count()))[0] or 0
        yield {"end": {"why": "length", "read": read, "made": 0}}


async def _weighed(engine: Engine, talk: Talk) -> Tokens:
    return [t async for reply in engine.ask(talk.model, Ask("weigh", {"text": talk.text, "after": "", "ended": False})) for t in reply.body["tokens"]]


async def whole(engine: Engine, parts: Sequence[Part]) -> dict[str, Any]:
    """All texts as one object."""
    found: list[list[Piece]] = [[] for _ in parts]
    async with aclosing(together([_pieces(engine, part) for part in parts])) as pieces:
        async for i, piece in pieces:
            found[i].append(piece)
    choices = [_choice(i, pieces, part) for i, (pieces, part) in enumerate(zip(found, parts, strict=True))]
    return {**Head.of(parts[0].talk.model, "cmpl").told("text_completion"), "choices": choices, "usage": _usage([p[-1]["end"] for p in found], parts)}


def _choice(index: int, pieces: Sequence[Piece], part: Part) -> dict[str, Any]:
    text, most = "".join(p.get("text", "") for p in pieces), part.talk.want.alternatives
    nats = None if most is None else text_nats([t for p in pieces for t in p.get("tokens", ())], most, 0 if part.echo else len(part.talk.text))
    return {"index": index, "text": text, "logprobs": nats, "finish_reason": pieces[-1]["end"]["why"]}


def _usage(ends: Sequence[Mapping[str, Any]], parts: Sequence[Part]) -> dict[str, Any]:
    """Tokens read, once for each prompt, and made."""
    by_prompt = {part.talk.text: usage_of([end])["prompt_tokens"] for end, part in zip(ends, parts, strict=True)}
    read, made_ = sum(by_prompt.values()), sum(e["made"] for e in ends)
    return {"prompt_tokens": read, "completion_tokens": made_, "total_tokens": read + made_}


async def chunks(engine: Engine, parts: Sequence[Part], usage: bool) -> AsyncGenerator[dict[str, Any], None]:
    """The texts in chunks; the last of each says why it ended."""
    head, ends, at = Head.of(parts[0].talk.model, "cmpl"), dict[int, Mapping[str, Any]](), [0 if p.echo else len(p.talk.text) for p in parts]
    more = {"usage": None} if usage else {}
    async with aclosing(together([_pieces(engine, part) for part in parts])) as pieces:
        async for i, piece in pieces:
            if piece.get("end"):
                ends[i] = piece["end"]
            choice = {"index": i, "text": piece.get("text", ""), "logprobs": _nats(piece, parts[i], at[i]), "finish_reason": ends[i]["why"] if i in ends else None}
            at[i] += len(choice["text"])
            yield {**head.told("text_completion"), "choices": [choice], **more}
    if usage:
        yield {**head.told("text_completion"), "choices": [], "usage": _usage([ends[i] for i in range(len(parts))], parts)}


def _nats(piece: Piece, part: Part, at: int) -> dict[str, Any] | None:
    most = part.talk.want.alternatives
    return None if most is None or not piece.get("tokens") else text_nats(piece["tokens"], most, at)
