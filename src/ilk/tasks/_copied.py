"""What a text says again, and what it took from others."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..metrics._texts import Tokens, grams, tokens, unit

GRAM = 4


def repeated(text: str) -> float:
    """The share of 4-grams (of words, or characters) that stood in the text before: rep-4 (Welleck et al. 2020). 0 for a text that has none.

    >>> repeated("a b c d a b c d")
    0.2
    """
    found = grams(tokens(text, unit([text])), GRAM)
    return (len(found) - len(set(found))) / len(found) if found else 0.0


def longest_run(text: str, others: Sequence[str]) -> tuple[str, ...]:
    """The longest run of tokens that stands in another text too; case and marks beside words don't hide it.

    >>> longest_run("We say: call me Ishmael today", ["Call me Ishmael."])
    ('call', 'me', 'ishmael')
    """
    by = unit([text])
    own = _bare(tokens(text, by))
    best: tuple[str, ...] = ()
    for other in others:
        best = max(best, _common(own, _bare(tokens(other, by))), key=len)
    return best


def _bare(words: Tokens) -> list[str]:
    return [bare for w in words if (bare := "".join(c for c in w.casefold() if c.isalnum()))]


def _common(own: list[str], other: list[str]) -> tuple[str, ...]:
    """The longest run that both have, by halving its length: if they share n in a row, they share n - 1."""
    low, high, best = 0, min(len(own), len(other)), tuple[str, ...]()
    while low < high:
        middle = (low + high + 1) // 2
        theirs = set(_runs(other, middle))
        found = next((run for run in _runs(own, middle) if run in theirs), None)
        if found is None:
            high = middle - 1
        else:
            low, best = middle, found
    return best


def _runs(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[i:i + n]) for i in range(len(words) - n + 1))
