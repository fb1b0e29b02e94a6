"""Answers of a model to turns: whole or as they come; what becomes of a conversation that is too long is said, never silent."""
from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..backend import chat_at
from ..chat import Answer, Chat, Counts, Delta, Turn, Want
from ..errors import UsageError

WANT = Want()


@dataclass(frozen=True)
class Reply(Answer):
    """An answer, of which model, how it was asked for, and how many turns the model was not shown."""

    model: str = ""
    want: Want = WANT
    dropped: int = 0


class Policy(Protocol):
    """What is done with a conversation that does not fit in a model's window: which turns are shown to the model."""

    def shown(self, model: Chat, turns: Sequence[Turn], want: Want) -> Sequence[Turn]: ...


@dataclass(frozen=True)
class Refuse:
    """All turns or none: the model refuses what does not fit (code CONTEXT)."""

    def shown(self, model: Chat, turns: Sequence[Turn], want: Want) -> Sequence[Turn]:
        """All of them."""
        return turns


@dataclass(frozen=True)
class DropOldest:
    """As few of the oldest exchanges as need be are not shown; system turns and the last exchange always are.

    An exchange is a user's turn and all up to the next. A model that can't count, or that does not know its window, is shown all, and refuses itself.
    """

    def shown(self, model: Chat, turns: Sequence[Turn], want: Want) -> Sequence[Turn]:
        """What fits; UsageError (code CONTEXT) if not even the last exchange does."""
        if not isinstance(model, Counts) or model.window is None:
            return turns
        window, starts = model.window, _starts(turns)

        def need(first: int) -> int:
            return model.count(model.written(_from(turns, first), want.tools)) + (want.most or 1)

        first = bisect_left(starts, True, key=lambda start: need(start) <= window)
        if first == len(starts):
            raise UsageError(f"the last turn alone needs {need(starts[-1])} tokens of a window of {window}", code="CONTEXT", param="turns", remedy="say it shorter")
        return _from(turns, starts[first])


def _starts(turns: Sequence[Turn]) -> list[int]:
    """Where the turns that are shown may start: at the first, and at each later turn of the user."""
    return [0, *(i for i, t in enumerate(turns) if i and t.role == "user" and any(b.role != "system" for b in turns[:i]))]


def _from(turns: Sequence[Turn], first: int) -> list[Turn]:
    return [t for i, t in enumerate(turns) if i >= first or t.role == "system"]


class Stream:
    """The pieces of an answer as they come; `close` ends it early, `reply` is all of it."""

    def __init__(self, pieces: Iterator[Delta], model: str, want: Want, dropped: int) -> None:
        self.model, self.want, self.dropped = model, want, dropped
        self._pieces, self._got = pieces, list[Delta]()

    def __iter__(self) -> Iterator[Delta]:
        for piece in self._pieces:
            self._got.append(piece)
            yield piece

    @property
    def text(self) -> str:
        """What came so far."""
        return "".join(d.text for d in self._got)

    def close(self) -> None:
        """No more pieces are wanted."""
        if isinstance(self._pieces, Generator):
            self._pieces.close()

    def reply(self) -> Reply:
        """The whole answer, waiting for what has not come yet; UsageError (code BROKEN_OFF) if it never ended."""
        whole = Answer.of(_drained(self, self._got))
        return Reply(whole.text, whole.tokens, whole.calls, whole.end, self.model, self.want, self.dropped)


def _drained(rest: Iterable[Delta], got: list[Delta]) -> list[Delta]:
    for _ in rest:
        pass
    return got


def stream(model: Any, turns: str | Sequence[Turn], want: Want = WANT, policy: Policy | None = None) -> Stream:
    """The answer while it is made. `model` is an address, what answers turns, or a Model of such a thing; a bare text is one turn of a user.

    Raises UsageError where turns do not fit (code CONTEXT) or the model can't answer.

    >>> [piece.text for piece in stream("echo:Good day", "Hello")]
    ['Good ', 'day', '']
    """
    talks, said = chat_of(model), (Turn.of("user", turns),) if isinstance(turns, str) else tuple(turns)
    if not said:
        raise UsageError("there is nothing to answer", code="TURNS", param="turns", remedy="a question")
    shown = tuple((policy or Refuse()).shown(talks, said, want))
    return Stream(talks.chat(shown, want), talks.name, want, len(said) - len(shown))


def reply(model: Any, turns: str | Sequence[Turn], want: Want = WANT, policy: Policy | None = None) -> Reply:
    """The whole answer: as `stream`, waiting for the end.

    >>> reply("echo:Good day", "Hello").text
    'Good day'
    """
    return stream(model, turns, want, policy).reply()


def chat_of(model: Any) -> Chat:
    """What answers turns behind an address, a Model or itself; UsageError (code NO_CHAT) where nothing does."""
    if isinstance(model, str):
        return chat_at(model)
    for found in (model, getattr(getattr(model, "body", None), "chat", None)):
        if isinstance(found, Chat):
            return found
    raise UsageError(f"this {type(model).__name__} does not answer turns", code="NO_CHAT", param="model", remedy="an address such as gguf:smollm2-135m-instruct")
