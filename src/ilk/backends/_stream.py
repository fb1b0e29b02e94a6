"""Tokens as the text of an answer: never half a character, never half of a string that ends it."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..chat import Delta, Token
from ._stop import Stops

HALF, LONGEST = "\ufffd", 4   # what half a character is decoded as; bytes of the longest character


class Writer:
    """Takes tokens one by one and gives their text when it is whole. `text` writes numbers of tokens; `stop` strings end the answer.

    >>> words = ["So", " be", " it", "!"]
    >>> writer = Writer(lambda ids: "".join(words[i] for i in ids), (" it",))
    >>> [d.text for i in range(4) for d in writer.add(i)], writer.stopped
    (['So', ' be'], True)
    """

    def __init__(self, text: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self.text, self.stops = text, Stops(stop)
        self.ids: list[int] = []
        self.known = self.read = 0   # tokens before `known` no longer matter; those before `read` are written

    @property
    def stopped(self) -> bool:
        """Whether a stop string came."""
        return self.stops.met

    def seen(self, more: Sequence[int]) -> str:
        """What some tokens would add, half characters and all."""
        before = self.text(self.ids[self.known:self.read])
        return self.text([*self.ids[self.known:], *more])[len(before):]

    def add(self, token: int, told: Token | None = None) -> Iterator[Delta]:
        """The next token, and what is known of it; gives what can be said now."""
        self.ids.append(token)
        piece = self.seen(())
        if piece.endswith(HALF) and len(self.ids) - self.read < LONGEST:
            piece = ""
        else:
            self.known, self.read = self.read, len(self.ids)
        return iter(self.stops.add(Delta(piece, () if told is None else (replace(told, text=piece),))))

    def rest(self) -> Iterator[Delta]:
        """What was held back, once no more comes: half a character is left out."""
        if self.read < len(self.ids) and not self.stopped:
            yield from self.stops.add(Delta(self.seen(()).rstrip(HALF)))
        yield from self.stops.rest()
