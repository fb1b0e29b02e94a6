"""Which items are compared in which order, and votes in a file that survives whatever ends the process."""
from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilk.errors import DataError, UsageError
from ilk.files import not_written
from ilk.rng import Rng
from ilk.verbs.bradley_terry import Vote

if TYPE_CHECKING:
    from ilk.verbs.blind import Study

CHOICES = ("left", "right", "tie")


@dataclass(frozen=True)
class Comparison:
    """Two participants by number, where each stands, and the number of the item that both show."""

    left: int
    right: int
    item: int


def schedule(sides: int, n: int, again: float, rng: Rng) -> tuple[Comparison, ...]:
    """Every pair of participants on each of n items, in rounds that have every pair once; each stands left half of the time.

    A share `again` of them comes a second time at the end, sides changed: so it is known whether a rater agrees with itself.
    """
    pairs = list(combinations(range(sides), 2))
    items = [rng.child("items", p).shuffle(n).tolist() for p in range(len(pairs))]
    turned = [(rng.child("sides", p).shuffle(n) < (n + p % 2) // 2).tolist() for p in range(len(pairs))]
    found = []
    for r in range(n):
        for p in rng.child("round", r).shuffle(len(pairs)).tolist():
            left, right = reversed(pairs[p]) if turned[p][r] else pairs[p]
            found.append(Comparison(left, right, items[p][r]))
    twice = rng.child("again").shuffle(len(found))[:round(again * len(found))].sort().values.tolist()
    return (*found, *(Comparison(found[k].right, found[k].left, found[k].item) for k in twice))


class Votes:
    """The votes of a study in a file of lines of JSON, to which each is added at once; of one rater, those still to come.

    Lines of other raters stay; a line that was cut short is passed over. DataError for the votes of another study.
    """

    def __init__(self, at: str | Path, study: Study, rater: str = "") -> None:
        self.at, self.study, self.rater = Path(at), study, rater
        self.head = {"blind": 1, "study": study.digest, "names": list(study.names)}
        lines = list(_lines(self.at)) if self.at.exists() else []
        if lines and {k: lines[0].get(k) for k in self.head} != self.head:
            raise DataError(f"{self.at} holds the votes of another comparison", code="VOTES", remedy="the same models, data, -n and --seed, or another --votes FILE")
        self.mine = [f["k"] for f in _standing(lines) if f["rater"] == rater]
        if not lines:
            self._append(self.head)

    def _append(self, line: dict[str, Any]) -> None:
        """On disk when it returns; on a line of its own, even after one that was cut short."""
        try:
            with open(self.at, "ab+") as file:
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    file.write(b"" if file.read() == b"\n" else b"\n")
                file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as why:
            raise not_written(self.at, why) from None

    @property
    def next(self) -> int | None:
        """The number of the comparison that comes next; None if this rater has seen all."""
        seen = set(self.mine)
        return next((k for k in range(len(self.study.order)) if k not in seen), None)

    def cast(self, k: int, choice: str, seconds: float | None = None) -> None:
        """Keeps a vote on the comparison that is next; UsageError for another (a page that was left open), or no choice."""
        if choice not in CHOICES:
            raise UsageError(f"no choice {choice!r}", code="CHOICE", param="choice", remedy=", ".join(CHOICES))
        if k != self.next:
            raise UsageError(f"comparison {k} is not the one that comes next", code="STALE", param="k", remedy="load the page again")
        pair = self.study.order[k]
        left, right = self.study.names[pair.left], self.study.names[pair.right]
        winner = {"left": left, "right": right, "tie": None}[choice]
        vote = {"k": k, "left": left, "right": right, "item": pair.item, "winner": winner}
        self._append({**vote, "rater": self.rater, "at": round(time.time(), 1), "seconds": seconds})
        self.mine.append(k)

    def undo(self) -> None:
        """Takes the last vote back; nothing if there is none."""
        if self.mine:
            self._append({"undo": self.mine[-1], "rater": self.rater})
            self.mine.pop()


def read_votes(at: str | Path) -> list[Vote]:
    """The votes that stand in a file; DataError if it holds none."""
    lines = list(_lines(Path(at)))
    if not lines or "blind" not in lines[0]:
        raise DataError(f"{at} holds no votes of ilk blind", code="VOTES", remedy="a file written by ilk blind A B --votes FILE")
    try:
        return [Vote(f["left"], f["right"], f["winner"], f["item"], f["left"], f["rater"]) for f in _standing(lines)]
    except (KeyError, TypeError) as why:
        raise DataError(f"{at} holds a vote that is none: {type(why).__name__} {why}", code="VOTES") from None


def _standing(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Votes that were not taken back, in order; the later of two on the same comparison, since the earlier was told to be lost."""
    found: dict[tuple[Any, Any], dict[str, Any]] = {}
    for line in lines:
        key = line.get("undo", line.get("k")), line.get("rater")
        found.pop(key, None)
        if "k" in line and "rater" in line:
            found[key] = line
    return list(found.values())


def _lines(at: Path) -> Iterator[dict[str, Any]]:
    try:
        data = at.read_bytes()
    except OSError as why:
        raise DataError(f"{at} can't be read: {why.strerror}", code="NOT_FOUND") from None
    for line in data.split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found
