"""Strings that end an answer, found while it still comes in pieces; what may be the beginning of one is held back."""
from __future__ import annotations

from collections.abc import Sequence

from ..chat import Delta, Token


class Stops:
    """Lets out what surely comes before a stop string. The one that is complete first counts, so the pieces' sizes make no difference.

    A token belongs to the answer if its text begins there. After `met` nothing more is to be added; an answer that ends by itself takes `rest` too.

    >>> stops = Stops(["END"])
    >>> [stops.add(Delta(piece)).text for piece in ("one E", "N", "two E", "ND and")], stops.met
    (['one ', '', 'ENtwo ', ''], True)
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = tuple(s for s in strings if s)
        self.met = False
        self._held = ""
        self._tokens: list[Token] = []
        self._start = 0   # of the first held token, in what is held

    def add(self, piece: Delta) -> Delta:
        """What of the text so far can be let out."""
        self._start = self._start if self._tokens else len(self._held)
        self._held += piece.text
        self._tokens += piece.tokens
        ends = [(at + len(s), at) for s in self.strings if (at := self._held.find(s)) >= 0]
        self.met = bool(ends)
        return self._out(min(ends)[1] if ends else len(self._held) - self._begun())

    def rest(self) -> Delta:
        """What was held back for a stop string that never came."""
        last = Delta(self._held, tuple(self._tokens))
        self._held, self._tokens = "", []
        return Delta() if self.met else last

    def _begun(self) -> int:
        """How many of the last characters may be the beginning of a stop string."""
        longest = max(map(len, self.strings), default=1) - 1
        return next((n for n in range(min(longest, len(self._held)), 0, -1) if any(s.startswith(self._held[-n:]) for s in self.strings)), 0)

    def _out(self, many: int) -> Delta:
        start, taken = self._start, 0
        while taken < len(self._tokens) and start < many:
            start, taken = start + len(self._tokens[taken].text), taken + 1
        found = Delta(self._held[:many], tuple(self._tokens[:taken]))
        self._held, self._tokens, self._start = self._held[many:], self._tokens[taken:], start - many
        return found
