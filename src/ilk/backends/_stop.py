"""Strings that end an answer, found while it still comes in pieces; what may be the beginning of one is held back."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..chat import Delta, Token


class Stops:
    """Lets out what surely comes before a stop string. The one that is complete first counts, so the pieces' sizes make no difference.

    A token comes with the end of its text; of one that a stop string cuts, what stands before it. After `met` nothing more is to be added; an answer that ends
    by itself takes `rest` too.

    >>> stops = Stops(["END"])
    >>> ["".join(d.text for d in stops.add(Delta(piece))) for piece in ("one E", "N", "two E", "ND and")], stops.met
    (['one ', '', 'ENtwo ', ''], True)
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = tuple(s for s in strings if s)
        self.met = False
        self._held = ""
        self._tokens: list[tuple[int, Token]] = []   # each with where its text begins in what is held

    def add(self, piece: Delta) -> tuple[Delta, ...]:
        """What of the text so far can be let out, if anything."""
        at = len(self._held)
        for token in piece.tokens:
            self._tokens.append((at, token))
            at += len(token.text)
        self._held += piece.text
        ends = [(at + len(s), at) for s in self.strings if (at := self._held.find(s)) >= 0]
        self.met = bool(ends)
        return self._out(min(ends)[1] if ends else len(self._held) - self._begun())

    def rest(self) -> tuple[Delta, ...]:
        """What was held back for a stop string that never came."""
        return () if self.met else self._out(len(self._held))

    def _begun(self) -> int:
        """How many of the last characters may be the beginning of a stop string."""
        longest = max(map(len, self.strings), default=1) - 1
        return next((n for n in range(min(longest, len(self._held)), 0, -1) if any(s.startswith(self._held[-n:]) for s in self.strings)), 0)

    def _out(self, many: int) -> tuple[Delta, ...]:
        ready = [(at, t) for at, t in self._tokens if at + len(t.text) <= many or (self.met and at < many)]
        found = Delta(self._held[:many], tuple(replace(t, text=t.text[:many - at]) for at, t in ready))
        self._held, self._tokens = self._held[many:], [(at - many, t) for at, t in self._tokens[len(ready):]]
        return (found,) if found.text or found.tokens else ()
