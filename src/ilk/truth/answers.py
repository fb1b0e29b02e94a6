"""Short answers beside the right ones: exact match, overlap of tokens, numbers, and whether an answer stands in a text."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ilk.metrics._texts import spaceless

from .claims import numbers
from .confidence import normal


def exact(answer: str, right: Sequence[str]) -> float:
    """1 if the answer is one of the right ones, as SQuAD compares them (`normal`), else 0."""
    return float(normal(answer) in {normal(r) for r in right})


def token_f1(answer: str, right: Sequence[str]) -> float:
    """The best F1 of shared tokens with a right answer (Rajpurkar et al. 2016): words, and characters in scripts without spaces.

    >>> token_f1("the old stone mason", ["a mason"]), token_f1("周大为", ["石匠周大为"])
    (0.5, 0.75)
    """
    return max((_f1(_tokens(answer), _tokens(r)) for r in right), default=0.0)


def _tokens(text: str) -> list[str]:
    plain = normal(text)
    return list(plain.replace(" ", "")) if spaceless([plain]) else plain.split()


def _f1(one: list[str], other: list[str]) -> float:
    both = (Counter(one) & Counter(other)).total()
    return 2 * both / (len(one) + len(other)) if one and other else float(one == other)


def names_one(answer: str, right: Sequence[str]) -> float:
    """1 if one of the right answers is named in the answer, as whole words.

    >>> names_one("It is Paris.", ["Paris"]), names_one("The Parisian court", ["Paris"])
    (1.0, 0.0)
    """
    return float(any(stands(r, answer) for r in right))


def stands(answer: str, text: str) -> bool:
    """Whether an answer stands in a text, both in their normal form; as whole words where words have spaces. An empty one stands nowhere."""
    one, other = normal(answer), normal(text)
    return bool(one) and (one in other if spaceless([one]) else f" {one} " in f" {other} ")


def number_right(answer: str, right: float) -> float:
    """1 if the last number in the answer is the right one, else 0."""
    found = numbers(answer)
    return float(bool(found) and abs(found[-1] - right) <= 1e-9 * max(1.0, abs(right)))
