"""Fields that several requests share, and what becomes of those that nobody here knows."""
from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from ilk.chat import Want
from ilk.errors import UsageError
from ilk.rng import Rng
from ilk.serve.limits import Limits

_ODD = re.compile(r"[^\w.\[\]-]", re.ASCII)
SEEDS = 2**31
TEXTS = WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})   # numbers of tokens are told apart, and refused


def _no(value: bool) -> bool:
    if value:
        raise ValueError("only false is served here")
    return value


No = Annotated[bool, AfterValidator(_no), WithJsonSchema({"type": "boolean", "const": False})]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Asked(BaseModel):
    """A request. Fields that it does not know are let pass (clients send new ones) and named in the header x-ilk-ignored."""

    model_config = ConfigDict(extra="allow", strict=True, use_attribute_docstrings=True)

    def unknown(self) -> list[str]:
        """The fields that nobody here knows."""
        return list(self.model_extra or {})

    def said(self, *names: str) -> list[str]:
        """Which of these fields were given a value that is not null."""
        return [name for name in names if getattr(self, name) is not None]


class ForModel(Asked):
    """A request to a model."""

    model: Name
    """The name of a model, as GET /v1/models tells it."""
    user: str | None = None
    """Who asks, for your own records: not kept."""


class StreamOptions(Asked):
    """How a stream is told."""

    include_usage: bool | None = None
    """A last piece that counts tokens."""


class Drawing(ForModel):
    """How tokens are drawn, as chat and completions share it."""

    temperature: Annotated[float, Field(ge=0, le=100)] | None = None
    """1 as the model was taught, 0 the likeliest token each time."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Draws among the fewest tokens that weigh so much."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Draws among so many of the likeliest tokens. An extra of ilk."""
    min_p: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Draws among tokens at least so likely beside the likeliest. An extra of ilk."""
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """Taken off a token's log weight for each time that the answer has it already."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    """Taken off a token's log weight if the answer has it already."""
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    """Added to log weights, by the token's number in the model's own vocabulary."""
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    """The same seed gives the same answer. Without one it is drawn, and told in the header x-ilk-seed."""
    stop: str | list[str] | None = None
    """Strings that end the answer and are left out of it."""
    n: Annotated[int, Field(ge=1)] | None = None
    """So many answers, each with a seed of its own."""
    stream: bool | None = None
    """The answer in pieces, as they are made."""
    stream_options: StreamOptions | None = None
    """How a stream is told."""

    def usage(self) -> bool:
        """Whether a stream ends with a count of tokens."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def count(self, limits: Limits) -> int:
        """How many answers; UsageError for more than are made."""
        return at_most(self.n or 1, limits.n, "n")

    def drawing(self, limits: Limits) -> dict[str, Any]:
        """The fields of `Want` that say how tokens are drawn, those that are not as by default; UsageError for what there is too much of."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        at_most(len(stops), limits.stop, "stop")
        said = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k, "min_p": self.min_p, "stop": tuple(s for s in stops if s),
                "frequency": self.frequency_penalty, "presence": self.presence_penalty, "bias": _bias(self.logit_bias or {})}
        default = Want()
        return {k: v for k, v in said.items() if v is not None and v != getattr(default, k)}


def _bias(said: Mapping[str, float]) -> tuple[tuple[int, float], ...]:
    at_most(len(said), 1024, "logit_bias")
    if odd := [k for k in said if not (k.isascii() and k.isdigit() and len(k) < 10)]:
        raise UsageError(f"logit_bias: {odd[0][:40]!r} is no number of a token", code="invalid_logit_bias", param="logit_bias", remedy="numbers of the model's own vocabulary")
    return tuple((int(k), v) for k, v in said.items())


def at_most(found: int, most: int, name: str) -> int:
    """The number; UsageError where it is over the limit."""
    if found > most:
        raise UsageError(f"{name}: {found} is more than {most}", code="over_limit", param=name, remedy="GET /v1/limits tells the limits")
    return found


def seeds(seed: int | None, n: int) -> list[int]:
    """A seed for each of n answers: the first is the one that was asked for (or drawn), the others follow from it.

    >>> seeds(7, 2) == seeds(7, 3)[:2], seeds(7, 2)[0], len(set(seeds(7, 8)))
    (True, 7, 8)
    """
    first = secrets.randbelow(SEEDS) if seed is None else seed
    return [first, *(Rng(first).child("choice", i).key() % SEEDS for i in range(1, n))]


def header_of(names: list[str]) -> dict[str, str]:
    """The header that says which fields were ignored; none where all were heeded.

    >>> header_of(["store", "odd name\\r\\n"])
    {'x-ilk-ignored': 'store, odd_name__'}
    """
    told = [_ODD.sub("_", name[:64]) for name in dict.fromkeys(names)]
    more = [f"and {len(told) - 32} more"] if len(told) > 32 else []
    return {"x-ilk-ignored": ", ".join([*told[:32], *more])} if told else {}
