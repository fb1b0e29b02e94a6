"""Tokens as the text of an answer: never half a character, never half of a string that ends it."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..chat import Delta, Token

HALF, LONGEST = "\ufffd", 4   # what half a character is decoded as; bytes of the longest character


class Writer:
    """Takes tokens one by one and gives their text when it is whole. `text` writes numbers of tokens; `stop` strings end the answer.

    >>> words = ["So", " be", " it", "!"]
    >>> writer = Writer(lambda ids: "".join(words[i] for i in ids), (" it",))
    >>> [d.text for i in range(4) for d in writer.add(i)], writer.stopped
    (['So', ' be'], True)
    """

    def __init__(self, text: Callable[[Sequence[int]], str], stop: Sequence[str] = ()) -> None:
        self.text, self.pieces = text, Pieces(stop)
        self.ids: list[int] = []
        self.known = self.read = 0   # tokens before `known` no longer matter; those before `read` are written

    @property
    def stopped(self) -> bool:
        """Whether a stop string came."""
        return self.pieces.stopped

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
        return self.pieces.add(piece, told)

    def rest(self) -> Iterator[Delta]:
        """What was held back, once no more comes: half a character is left out."""
        yield from self.pieces.add(self.seen(()).rstrip(HALF) if self.read < len(self.ids) and not self.stopped else "")
        yield from self.pieces.rest()


class Pieces:
    """Pieces of a text, held back while they may be the beginning of a stop string."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self.stop = tuple(s for s in stop if s)
        self.held, self.tokens, self.stopped = "", list[tuple[int, Token]](), False

    def add(self, piece: str, told: Token | None = None) -> Iterator[Delta]:
        """One more piece; gives what can be said now."""
        if told is not None:
            self.tokens.append((len(self.held), replace(told, text=piece)))
        self.held += piece
        ends = [at for s in self.stop if (at := self.held.find(s)) >= 0]
        self.stopped = bool(ends)
        return self._said(min(ends) if ends else len(self.held) - self._open())

    def _open(self) -> int:
        """Characters at the end that a stop string may begin with."""
        return max((n for s in self.stop for n in range(1, min(len(s), len(self.held) + 1)) if self.held.endswith(s[:n])), default=0)

    def rest(self) -> Iterator[Delta]:
        """What was held back and no stop string came of."""
        return iter(()) if self.stopped else self._said(len(self.held))

    def _said(self, upto: int) -> Iterator[Delta]:
        """The text up to a place, and the tokens whose text ends there or before; of one that a stop string cuts, what stands before it."""
        ready = [(at, t) for at, t in self.tokens if at + len(t.text) <= upto or (self.stopped and at < upto)]
        text, told = self.held[:upto], tuple(replace(t, text=t.text[:upto - at]) for at, t in ready)
        self.held, self.tokens = self.held[upto:], [(at - upto, t) for at, t in self.tokens[len(ready):]]
        if text or told:
            yield Delta(text, told)
