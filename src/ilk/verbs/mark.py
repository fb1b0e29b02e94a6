"""Free answers marked against a key: the same words, the same number, the same set, or enough of the words."""
from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ..errors import UsageError
from ..metrics._texts import tokens, unit
from ..tasks._texts import negations, numbers, value

By = Literal["exact", "number", "set", "words"]
_BETWEEN = re.compile(r"[,;、，；\n]|\band\b|[和与及]")


@dataclass(frozen=True)
class Mark:
    """Whether an answer is right, its score in [0, 1], and how it was marked."""

    right: bool
    score: float
    by: By


def mark(key: str | Collection[str], answer: str, *, by: By | None = None, tolerance: float = 0.0, enough: float = 0.8) -> Mark:
    """Marks an answer. `by` None: a collection is a set, a number a number, all else words.

    exact: the same but for case, width, marks and articles. number: one number in the answer, no further from the key than half a unit of its last digit or
    `tolerance` times it. set: F1 of the members, right if all are there and no other. words: F1 of the words (characters, in Chinese; Rajpurkar et al. 2016),
    right from `enough`; an answer that denies what the key does not, or the other way round, scores 0. UsageError for a key that is empty or does not fit `by`.

    >>> mark("42", "It is 42 km."), mark({"Lyon", "Turin"}, "Turin and Oslo").score
    (Mark(right=True, score=1.0, by='number'), 0.5)
    """
    if not key or not (isinstance(key, str) or all(isinstance(k, str) and k.strip() for k in key)) or not tolerance >= 0 or not 0 < enough <= 1:
        raise UsageError("there is no key, or its limits mean nothing", code="KEY", param="key", remedy="a text or texts; tolerance from 0, enough in (0, 1]")
    if not isinstance(key, str):
        return _set(key, answer)
    chosen: By = by or ("number" if _lone(key) else "words")
    if chosen == "set":
        return _set(_BETWEEN.split(key), answer)
    if chosen == "number":
        return _number(key, answer, tolerance)
    if plain(key) == plain(answer):
        return Mark(True, 1.0, chosen)
    score = 0.0 if chosen == "exact" else _f1(key, answer)
    return Mark(score >= enough, score, chosen)


def plain(text: str) -> str:
    """A text in small letters, of one width, without marks, articles and needless space.

    >>> plain("The  Eiffel Tower!")
    'eiffel tower'
    """
    letters = "".join(c if c.isalnum() else " " for c in unicodedata.normalize("NFKC", text).casefold())
    return " ".join(w for w in letters.split() if w not in ("a", "an", "the"))


def _lone(text: str) -> bool:
    """Whether a key is a number and, at most, its unit."""
    found = numbers(text)
    return len(found) == 1 and found[0].start <= 1 and len(text) - found[0].end <= 12 and len(text.split()) <= 2


def _number(key: str, answer: str, tolerance: float) -> Mark:
    wanted = numbers(key)
    if len(wanted) != 1:
        raise UsageError(f"the key {key[:40]!r} is not one number", code="KEY", param="key", remedy="by='words', or a number")
    right, said = value(wanted[0].text), {value(n.text) for n in numbers(answer)}
    allowed = max(0.5 * 10.0 ** -len(wanted[0].text.partition(".")[2]) if "." in wanted[0].text else 0.0, tolerance * abs(float(right)))
    percent = [("%" in text or "percent" in text.lower()) for text in (key, answer)]
    score = float(len(said) == 1 and abs(float(said.pop() - right)) <= allowed * (1 + 1e-9) and (percent[0] == percent[1] or not percent[1]))
    return Mark(bool(score), score, "number")


def _set(key: Collection[str], answer: str) -> Mark:
    wanted, said = ({p for part in parts if (p := plain(part))} for parts in (key, _BETWEEN.split(answer)))
    score = 2 * len(wanted & said) / (len(wanted) + len(said)) if wanted or said else 0.0
    return Mark(wanted == said != set(), score, "set")


def _f1(key: str, answer: str) -> float:
    if bool(negations(key)) != bool(negations(answer)):
        return 0.0
    by = unit([key])
    wanted, said = (Counter(tokens(plain(text), by)) for text in (key, answer))
    both = (wanted & said).total()
    return 2 * both / (wanted.total() + said.total()) if both else 0.0
