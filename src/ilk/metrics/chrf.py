"""How many runs of characters texts made for a caption share with the texts they ought to be (chrF, as sacrebleu has it)."""
from __future__ import annotations

from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._overlap import LACKING, chrf, installed
from ._prompted import reading


class Chrf(Metric):
    """Corpus chrF2 of texts made for captions against the test texts of the same captions (Popovic 2015): by characters in every script.

    Equal to sacrebleu 2, which it calls: runs of 1 to 6 characters but for spaces, recall twice as weighty as precision.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 100.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The score; its error from 20 parts of the texts."""
        return reading(case, rng, {"chrf": chrf}, "sacrebleu's chrF2") if installed() else NotApplicable(LACKING)
