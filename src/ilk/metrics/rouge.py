"""How much of the texts they ought to be is in texts made for a caption (ROUGE)."""
from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._overlap import ROUGES, rouge
from ._prompted import reading


class Rouge(Metric):
    """ROUGE-L, mean F1 of the longest common subsequence, of texts made for captions against the test texts of the same captions (Lin 2004).

    `parts` has ROUGE-1 and ROUGE-2 too. Words in lower case without punctuation and stemming; Chinese by characters.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """ROUGE-L; its error from 20 parts of the texts."""
        return reading(case, rng, {name: partial(rouge, n=n) for name, n in ROUGES.items()},
                       "F1 of ROUGE-L, words in lower case (each character of a script without spaces), no stemming")
