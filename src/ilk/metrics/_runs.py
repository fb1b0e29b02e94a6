"""Runs of letters that texts have in common."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LETTERS, LONGEST = 1_000_000, 300   # letters of training looked through, letters of a text that are looked for


@dataclass(frozen=True)
class Run:
    """The longest run of letters of a text that occurs in the training texts."""

    first: int
    letters: int


def corpus(texts: Sequence[str]) -> str:
    """Training texts end to end, so many letters of them, with a letter between that no run goes across."""
    return "\0".join(texts)[:LETTERS]


def longest(text: str, known: str) -> Run:
    """The longest run of the text that is in `known`; the first of equally long ones.

    >>> longest("the cat sat", "a cat sang")
    Run(first=3, letters=7)
    """
    text, best = text[:LONGEST].replace("\0", "\1"), Run(0, 0)
    for first in range(len(text)):
        while (last := first + best.letters + 1) <= len(text) and text[first:last] in known:
            best = Run(first, best.letters + 1)
    return best
