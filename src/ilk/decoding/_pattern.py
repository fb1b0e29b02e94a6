"""Regular patterns as machines over tokens: a small syntax, Thompson's construction, and the subset construction on tokens."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..errors import UsageError

Letters = Callable[[str], bool]
MOST = 20_000  # states of one pattern
_COUNT = re.compile(r"\{(\d+)(,?)(\d*)\}")


@dataclass
class Machine:
    """States with edges by letters, and free ones."""

    edges: list[list[tuple[Letters, int]]] = field(default_factory=list)
    free: list[list[int]] = field(default_factory=list)

    def new(self) -> int:
        """One more state; UsageError if there are too many."""
        if len(self.edges) >= MOST:
            raise UsageError(f"the pattern needs more than {MOST} states", code="PATTERN", param="pattern")
        self.edges.append([])
        self.free.append([])
        return len(self.edges) - 1

    def closed(self, states: set[int]) -> frozenset[int]:
        """With all that is reached for free."""
        todo = list(states)
        while todo:
            more = [s for s in self.free[todo.pop()] if s not in states]
            states.update(more)
            todo += more
        return frozenset(states)

    def after(self, states: frozenset[int], letter: str) -> frozenset[int]:
        """Where a letter leads."""
        return self.closed({to for s in states for takes, to in self.edges[s] if takes(letter)})


Part = Callable[[Machine, int], int]  # builds itself from a state on and returns the one it ends in


class Reader:
    """Recursive descent: letters, `.`, [classes], (groups|of choices), * + ? {m} {m,} {m,n}, and \\ before a sign taken as it is."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    def whole(self) -> Part:
        """The whole pattern; UsageError with the place if it can't be read."""
        part = self._choice()
        if self.at < len(self.pattern):
            raise self._error("an unopened )")
        return part

    def _choice(self) -> Part:
        parts = [self._line()]
        while self._takes("|"):
            parts.append(self._line())
        return parts[0] if len(parts) == 1 else lambda m, s: _either(m, s, parts)

    def _line(self) -> Part:
        parts = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self._repeated(self._one()))
        return lambda m, s: _all(m, s, parts)

    def _repeated(self, part: Part) -> Part:
        count = _COUNT.match(self.pattern, self.at)
        if count:
            self.at = count.end()
            low = int(count[1])
            high = low if not count[2] else int(count[3]) if count[3] else None
        elif self.at < len(self.pattern) and self.pattern[self.at] in "*+?":
            low, high = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.pattern[self.at]]
            self.at += 1
        else:
            return part
        if high is not None and high < low:
            raise self._error("a range that begins after its end")
        return lambda m, s: _times(m, s, part, low, high)

    def _one(self) -> Part:
        if self._takes("("):
            inside = self._choice()
            if not self._takes(")"):
                raise self._error("an unclosed (")
            return inside
        if self._takes("["):
            return _edge(self._class())
        letter = self._letter()
        return _edge(letter) if isinstance(letter, str) else _edge(lambda c: True)

    def _letter(self) -> str | None:
        """A letter as it is; None for the dot."""
        if self.at >= len(self.pattern):
            raise self._error("an end too soon")
        c = self.pattern[self.at]
        self.at += 1
        if c == "\\":
            return self._escaped()
        if c in "*+?{":
            raise self._error("nothing to repeat")
        return None if c == "." else c

    def _escaped(self) -> str:
        c = self.pattern[self.at:self.at + 1]
        if not c:
            raise self._error("an end after \\")
        self.at += 1
        return {"n": "\n", "t": "\t"}.get(c, c)

    def _class(self) -> Letters:
        apart, ranges = self._takes("^"), []
        while not self._takes("]"):
            if self.at >= len(self.pattern):
                raise self._error("an unclosed [")
            low = self._member()
            high = low
            if self.pattern[self.at:self.at + 1] == "-" and self.pattern[self.at + 1:self.at + 2] not in ("]", ""):
                self.at += 1
                high = self._member()
            ranges.append((low, high))
        return lambda c: any(a <= c <= b for a, b in ranges) != apart

    def _member(self) -> str:
        c = self.pattern[self.at]
        self.at += 1
        return self._escaped() if c == "\\" else c

    def _takes(self, sign: str) -> bool:
        found = self.pattern[self.at:self.at + 1] == sign
        self.at += found
        return found

    def _error(self, what: str) -> UsageError:
        return UsageError(f"the pattern has {what} at character {self.at}", code="PATTERN", param="pattern")


def _edge(takes: Letters | str) -> Part:
    one: Letters = (lambda c: c == takes) if isinstance(takes, str) else takes

    def build(m: Machine, s: int) -> int:
        to = m.new()
        m.edges[s].append((one, to))
        return to

    return build


def _all(m: Machine, s: int, parts: Sequence[Part]) -> int:
    for part in parts:
        s = part(m, s)
    return s


def _either(m: Machine, s: int, parts: Sequence[Part]) -> int:
    end = m.new()
    for part in parts:
        start = m.new()
        m.free[s].append(start)
        m.free[part(m, start)].append(end)
    return end


def _times(m: Machine, s: int, part: Part, low: int, high: int | None) -> int:
    s = _all(m, s, [part] * low)
    if high is None:
        again = m.new()
        m.free[s].append(again)
        m.free[part(m, again)].append(again)
        return again
    end = m.new()
    for _ in range(high - low):
        m.free[s].append(end)
        start = m.new()
        m.free[s].append(start)
        s = part(m, start)
    m.free[s].append(end)
    return end


def machine(pattern: str) -> tuple[Machine, int, int]:
    """The machine of a pattern, its first state, and the one that accepts."""
    m = Machine()
    first = m.new()
    return m, first, Reader(pattern).whole()(m, first)
