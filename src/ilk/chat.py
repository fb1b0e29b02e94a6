"""What it is to talk with a model, without any transport: turns made of parts, what is wanted, the pieces an answer comes in, and what a model may be able to do."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from .errors import UsageError

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
Vectors = NDArray[np.float32]   # (n, size), each of length 1


@dataclass(frozen=True, slots=True)
class Words:
    """A text inside a turn."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture inside a turn: the bytes of a file and its media type."""

    data: bytes
    media: str = "image/png"


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that the model asks for, with its arguments."""

    name: str
    arguments: Mapping[str, Any]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answered to the call of that id. Its text is data, whatever it says."""

    text: str
    id: str = ""


Part = Words | Picture | Call | Result


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said.

    >>> Turn.of("user", "Hello").text
    'Hello'
    """

    role: Role
    parts: tuple[Part, ...]

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise UsageError(f"no role {str(self.role)[:40]!r}", code="ROLE", param="role", remedy=f"one of: {', '.join(ROLES)}")

    @classmethod
    def of(cls, role: Role, text: str) -> Turn:
        """A turn of nothing but a text."""
        return cls(role, (Words(text),))

    @property
    def text(self) -> str:
        """Its words and results, one after the other."""
        return "".join(p.text for p in self.parts if isinstance(p, Words | Result))


@dataclass(frozen=True)
class Tool:
    """What a model may call: a name, what it does in a sentence, and the JSON Schema of its arguments."""

    name: str
    summary: str = ""
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True)
class Schema:
    """Answers that are JSON of this JSON Schema."""

    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Pattern:
    """Answers that a regular expression matches from end to end."""

    pattern: str


@dataclass(frozen=True)
class Grammar:
    """Answers of a context-free grammar, written as Lark has it."""

    text: str


Shape = Schema | Pattern | Grammar


@dataclass(frozen=True, kw_only=True)
class Want:
    """How an answer is to be made. Temperature 0 takes the likeliest token each time.

    `most` tokens at most (None: up to the window); `stop` strings end the answer and are left out of it; `shape` is obeyed token by token;
    `frequency` is taken off a token's log weight each time that the answer has it, `presence` once, and `bias` is added by a token's number;
    `alternatives` is how many other tokens are told beside each that was drawn, with their nats (None: no nats at all).
    """

    most: Annotated[int, Interval(ge=1)] | None = None
    temperature: Annotated[float, Interval(ge=0, le=100)] = 1.0
    top_p: Annotated[float, Interval(gt=0, le=1)] = 1.0
    top_k: Annotated[int, Interval(ge=1)] | None = None
    min_p: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    shape: Shape | None = None
    tools: tuple[Tool, ...] = ()
    frequency: Annotated[float, Interval(ge=-2, le=2)] = 0.0
    presence: Annotated[float, Interval(ge=-2, le=2)] = 0.0
    bias: tuple[tuple[int, float], ...] = ()
    alternatives: Annotated[int, Interval(ge=0, le=20)] | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A token as text, its log probability in nats where it stood, and the likeliest others there."""

    text: str
    nats: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """Why an answer ended, and how many tokens were read and made; `reused` of those read were known from an earlier question."""

    why: Literal["stop", "length", "calls"]
    read: int
    made: int
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer: more text, the tokens it is made of (if asked for), a whole call of a tool, or the end, which comes last and once."""

    text: str = ""
    tokens: tuple[Token, ...] = ()
    call: Call | None = None
    end: End | None = None


@dataclass(frozen=True)
class Answer:
    """All pieces together."""

    text: str
    tokens: tuple[Token, ...]
    calls: tuple[Call, ...]
    end: End

    @classmethod
    def of(cls, pieces: Iterable[Delta]) -> Answer:
        """The pieces of one answer, joined; UsageError if it never ended.

        >>> Answer.of([Delta("Hel"), Delta("lo"), Delta(end=End("stop", 3, 2))]).text
        'Hello'
        """
        got = list(pieces)
        if not got or got[-1].end is None:
            raise UsageError("the answer broke off", code="BROKEN_OFF", remedy="ask again")
        return cls("".join(d.text for d in got), tuple(t for d in got for t in d.tokens), tuple(d.call for d in got if d.call), got[-1].end)

    @property
    def turn(self) -> Turn:
        """The answer as a turn of the conversation."""
        return Turn("assistant", (*((Words(self.text),) if self.text or not self.calls else ()), *self.calls))


@runtime_checkable
class Chat(Protocol):
    """Answers turns. `name` is its address, `window` how many tokens it can look at (None: not known).

    What does not fit is refused before anything is made: UsageError (code CONTEXT) that names both numbers. To stop early, close the iterator.
    """

    @property
    def name(self) -> str: ...
    @property
    def window(self) -> int | None: ...
    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]: ...


@runtime_checkable
class Continues(Protocol):
    """Goes on with a bare text, without a template of turns."""

    def continued(self, text: str, want: Want) -> Iterator[Delta]: ...


@runtime_checkable
class Weighs(Protocol):
    """Log probabilities of the tokens of a text after a bare text or after turns; where it is `ended`, the token that ends it comes last."""

    def weigh(self, text: str, after: str | Sequence[Turn] = "", ended: bool = False) -> tuple[Token, ...]: ...


@runtime_checkable
class Counts(Protocol):
    """Writes turns as the model reads them, and counts tokens."""

    def written(self, turns: Sequence[Turn], tools: Sequence[Tool] = ()) -> str: ...
    def count(self, text: str) -> int: ...


@runtime_checkable
class Embeds(Protocol):
    """Texts as vectors of length 1, whose inner product says how alike they are. `name` and `size` tell one embedding from another."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int: ...
    def embed(self, texts: Sequence[str]) -> Vectors: ...
