"""How varied made texts are: the share of different word (or character) n-grams."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._texts import Tokens, are_texts, grams, tokens, unit

_LARGEST = 4


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
        if case.made is None or not are_texts(*texts):
            return NotApplicable("it is about texts")
        by = unit(texts[-1])
        cut = [[tokens(t, by) for t in side] for side in texts]
        budget = min(sum(map(len, side)) for side in cut)
        made, *test = ({n: share for n in range(1, _LARGEST + 1) if (share := _distinct(_cut(side, budget), n)) is not None} for side in cut)
        if 2 not in made:
            return NotApplicable("the made texts, cut to the length of the test texts, have no two tokens in a row")
        parts = {f"distinct_{n}": share for n, share in made.items()} | {f"test_distinct_{n}": share for t in test for n, share in t.items()}
        against = "both sides cut to that many" if test else "no test texts to be cut to"
        return Reading(made[2], None, len(case.made), parts, f"distinct-2 by {by} over {budget} tokens, n-grams within a text, {against}")


def _cut(texts: Sequence[Tokens], budget: int) -> list[Tokens]:
    """The first texts, the last of them cut, so that there are so many tokens."""
    kept = []
    for text in texts:
        kept.append(text[:budget])
        budget -= len(kept[-1])
    return kept


def _distinct(texts: Sequence[Tokens], n: int) -> float | None:
    found = [gram for text in texts for gram in grams(text, n)]
    return len(set(found)) / len(found) if found else None
