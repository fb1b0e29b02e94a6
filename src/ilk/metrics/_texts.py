"""Texts as metrics see them: tokens are words, or characters where the script is written without spaces."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

By = Literal["character", "word"]
Tokens = Sequence[str]
Gram = tuple[str, ...]

# Scripts written without spaces: kana, Han, Thai, Lao, Burmese, Khmer.
SPACELESS = ("\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff")
_SPACELESS, _SHARE, _LOOKED_AT, _LETTERS = re.compile(f"[{SPACELESS}]"), 0.3, 1000, 100_000


def are_texts(*sides: Any) -> bool:
    """Whether all sides are lists of texts, none of them empty."""
    return all(isinstance(side, list | tuple) and len(side) > 0 and all(isinstance(t, str) for t in side) for side in sides)


def spaceless(texts: Sequence[str]) -> list[str]:
    """The letters of scripts without spaces in the first texts; none if they are less than three in ten."""
    some = "".join(texts[:_LOOKED_AT])[:_LETTERS]
    found: list[str] = _SPACELESS.findall(some)
    return found if len(found) > _SHARE * sum(c.isalpha() for c in some) else []


def unit(texts: Sequence[str]) -> By:
    """What texts such as these are counted in."""
    return "character" if spaceless(texts) else "word"


def tokens(text: str, by: By) -> Tokens:
    """The words of a text, or its characters but for white space."""
    return "".join(text.split()) if by == "character" else text.split()


def grams(text: Tokens, n: int) -> list[Gram]:
    """All n tokens in a row."""
    return list(zip(*(text[i:] for i in range(n)), strict=False))


def common(one: Counter[Gram], other: Counter[Gram]) -> int:
    """How many n-grams two texts share, each as often as it is in both."""
    return (one & other).total()
