"""How alike made texts are to each other: BLEU of each against the rest."""
from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import exp, log
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._tables import some
from ._texts import Gram, Tokens, are_texts, grams, tokens, unit

ORDERS, MOST, UNSEEN = 4, 200, 0.1


class SelfBleu(Metric):
    """Mean BLEU-4 of a made text against the other made texts (Zhu et al. 2018): near 1 if all are alike.

    `parts` has that of as many test texts: real texts are alike to some degree too, and good is to be as alike as they are.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "real"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean over at most 200 texts; its error takes them to be independent."""
        if not are_texts(case.made, case.test):
            return NotApplicable("it is about texts")
        n = min(len(case.made), len(case.test), MOST)
        if n < 2:
            return NotApplicable("there are fewer than two texts")
        by = unit(case.test)
        made, test = (bleus([tokens(side[i], by) for i in some(len(side), n, rng.child(name))])
                      for name, side in (("made", case.made), ("test", case.test)))
        error = float(made.std(ddof=1) / n**0.5) if case.errors else None
        return Reading(float(made.mean()), error, n, {"test": float(test.mean())},
                       f"BLEU-{ORDERS} by {by} of each of {n} texts against the others, a count of 0 taken as {UNSEEN} (Chen & Cherry 2014, method 1)")


def bleus(texts: Sequence[Tokens]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each text the BLEU against all others."""
    lengths = [len(t) for t in texts]
    counts = [[Counter(grams(text, n)) for text in texts] for n in range(1, ORDERS + 1)]
    tops = [_top(side) for side in counts]
    found = np.zeros(len(texts))
    for i, length in enumerate(lengths):
        matched = [sum(min(many, _among_others(top[gram], i)) for gram, many in side[i].items()) for side, top in zip(counts, tops, strict=True)]
        if matched[0]:
            shares = (max(hits, UNSEEN) / max(1, length - n) for n, hits in enumerate(matched))
            found[i] = _brevity(length, lengths[:i] + lengths[i + 1:]) * exp(sum(map(log, shares)) / ORDERS)
    return found


def _top(counts: Sequence[Counter[Gram]]) -> dict[Gram, tuple[int, int, int]]:
    """Of each n-gram the text that has most of it, how many, and how many the next best text has."""
    found: dict[Gram, tuple[int, int, int]] = {}
    for i, side in enumerate(counts):
        for gram, many in side.items():
            who, most, next_most = found.get(gram, (-1, 0, 0))
            found[gram] = (i, many, most) if many > most else (who, most, max(next_most, many))
    return found


def _among_others(top: tuple[int, int, int], own: int) -> int:
    who, most, next_most = top
    return next_most if who == own else most


def _brevity(length: int, others: Sequence[int]) -> float:
    """1, or less for a text shorter than the other of the closest length."""
    closest = min(others, key=lambda other: (abs(other - length), other))
    return 1.0 if length > closest else exp(1 - closest / length)
