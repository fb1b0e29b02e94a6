"""How much made texts repeat themselves: the share of n-grams that the text has had before."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._tables import Cells
from ._texts import By, Tokens, are_texts, grams, tokens, unit

N, LARGEST = 4, 8


class Repetition(Metric):
    """Mean share of 4-grams of a text that are not new in it (rep-4, Welleck et al. 2020): 0 if none comes back, near 1 if the text runs in circles.

    The share grows with a text's length, so each made text counts as far as the median test text goes, and so do those. `parts` has
    1, 2, 4 and 8 tokens in a row, of made and (`test_...`) of test texts.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "real"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean over texts of at least 4 tokens; its error takes texts to be independent."""
        if not are_texts(case.made, case.test):
            return NotApplicable("it is about texts")
        by = unit(case.test)
        made, test = _tokens(case.made, by), _tokens(case.test, by)
        most = int(np.median([len(t) for t in test])) if test else 0
        if not made or not test:
            return NotApplicable(f"no made or no test text has {N} tokens")
        cut = {"": [t[:most] for t in made], "test_": [t[:most] for t in test]}
        parts = {f"{side}rep_{n}": float(np.mean(found)) for side, some in cut.items() for n in (1, 2, N, LARGEST) if len(found := repeated(some, n))}
        shares = repeated(cut[""], N)
        error = float(shares.std(ddof=1) / len(shares) ** 0.5) if case.errors and len(shares) > 1 else None
        return Reading(float(shares.mean()), error, len(shares), parts, f"rep-{N} by {by} within the first {most} tokens of a text, of texts of at least {N}")


def _tokens(texts: Sequence[str], by: By) -> list[Tokens]:
    return [found for text in texts if len(found := tokens(text, by)) >= N]


def repeated(texts: Sequence[Tokens], n: int) -> Cells:
    """Of each text that has n tokens, the share of n-grams that stood in it before."""
    found = [grams(text, n) for text in texts if len(text) >= n]
    return np.array([1 - len(set(some)) / len(some) for some in found])
