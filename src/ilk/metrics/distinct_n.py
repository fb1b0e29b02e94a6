"""How varied made texts are: the share of different word (or character) n-grams."""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng

# Scripts written without spaces: kana, Han, Thai, Lao, Burmese, Khmer.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_SHARE, _LARGEST = 0.3, 4


class DistinctN(Metric):
    """Different bigrams over all bigrams of the made texts (Li et al. 2016); `parts` has n = 1 to 4.

    The share falls as texts grow, so made and test texts are cut to equal numbers of tokens.
    """

    needs: ClassVar[tuple[str, ...]] = ("made",)
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "real"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """distinct-2, that of the test texts beside it if there are any."""
        texts = [side for side in (case.made, case.test) if side is not None]
        if case.made is None or not all(_texts(side) for side in texts):
            return NotApplicable("it is about texts")
        by = "character" if _unspaced(texts[-1]) else "word"
        tokens = [[list("".join(t.split())) if by == "character" else t.split() for t in side] for side in texts]
        budget = min(sum(map(len, side)) for side in tokens)
        made, *test = ({n: share for n in range(1, _LARGEST + 1) if (share := _distinct(_cut(side, budget), n)) is not None} for side in tokens)
        if 2 not in made:
            return NotApplicable("the made texts, cut to the length of the test texts, have no two tokens in a row")
        parts = {f"distinct_{n}": share for n, share in made.items()} | {f"test_distinct_{n}": share for t in test for n, share in t.items()}
        against = "both sides cut to that many" if test else "no test texts to be cut to"
        return Reading(made[2], None, len(case.made), parts, f"distinct-2 by {by} over {budget} tokens, n-grams within a text, {against}")


def _texts(side: Any) -> bool:
    return isinstance(side, list | tuple) and all(isinstance(t, str) for t in side)


def _unspaced(texts: Sequence[str]) -> bool:
    """Whether more than three letters in ten are of a script without spaces."""
    some = "".join(texts[:1000])[:100_000]
    letters = sum(c.isalpha() for c in some)
    return letters > 0 and len(_UNSPACED.findall(some)) > _SHARE * letters


def _cut(texts: Sequence[Sequence[str]], budget: int) -> list[Sequence[str]]:
    """The first texts, the last of them cut, so that there are so many tokens."""
    kept = []
    for text in texts:
        kept.append(text[:budget])
        budget -= len(kept[-1])
    return kept


def _distinct(texts: Sequence[Sequence[str]], n: int) -> float | None:
    grams = [gram for text in texts for gram in zip(*(text[i:] for i in range(n)), strict=False)]
    return len(set(grams)) / len(grams) if grams else None
