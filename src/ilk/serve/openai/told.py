"""Answers as OpenAI's clients read them, for the description of the routes."""
from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Told(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Usage(Told):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class FunctionTold(Told):
    """What is called, its arguments as a string of JSON."""

    name: str
    arguments: str


class CallTold(Told):
    """A call."""

    id: str
    type: Literal["function"]
    function: FunctionTold


class MessageTold(Told):
    """The answer."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None = None
    tool_calls: list[CallTold] | None = None


class Weight(Told):
    """A token with its log probability in nats, and its bytes."""

    token: str
    logprob: float
    bytes: list[int]


class Weighed(Weight):
    """A token and the likeliest ones at its place."""

    top_logprobs: list[Weight]


class Nats(Told):
    """Tokens of the answer."""

    content: list[Weighed]
    refusal: None = None


class Choice(Told):
    """One answer."""

    index: int
    message: MessageTold
    finish_reason: Literal["stop", "length", "tool_calls"]
    logprobs: Nats | None = None


class Completion(Told):
    """Answers to turns."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class TextNats(Told):
    """Tokens of a text; `top_logprobs` are by token."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


class TextChoice(Told):
    """One text."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"]
    logprobs: TextNats | None = None


class TextCompletion(Told):
    """Texts gone on with."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage


class Vector(Told):
    """A vector: numbers, or base64 of their bytes as little-endian float32."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class VectorUsage(Told):
    """Tokens that were read; 0 where the model can't count them."""

    prompt_tokens: int
    total_tokens: int


class Vectors(Told):
    """Vectors of texts."""

    object: Literal["list"]
    model: str
    data: list[Vector]
    usage: VectorUsage


class Drawn(Told):
    """A picture as base64 of a PNG."""

    b64_json: str


class Pictures(Told):
    """Pictures."""

    created: int
    data: list[Drawn]
    output_format: Literal["png"]
    size: str


class ResponseTold(Told):
    """An answer in the form of responses."""

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["completed", "incomplete", "in_progress", "failed"]
    model: str
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None
