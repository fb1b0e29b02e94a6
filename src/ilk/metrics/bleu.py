"""How many of their n-grams texts made for a caption share with the texts they ought to be (BLEU, as sacrebleu has it)."""
from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._overlap import LACKING, bleu, installed, tokenizer
from ._prompted import reading
from ._texts import are_texts


class Bleu(Metric):
    """Corpus BLEU-4 of texts made for captions against the test texts of the same captions (Papineni et al. 2002; Post 2018).

    Equal to sacrebleu 2, which it calls; Chinese by its tokeniser `zh`, other scripts without spaces by characters.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 100.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The score; its error from 20 parts of the texts."""
        if not installed():
            return NotApplicable(LACKING)
        by = tokenizer(case.test) if are_texts(case.test) else "13a"
        return reading(case, rng, {"bleu": partial(bleu, by=by)}, f"sacrebleu's BLEU, tokeniser {by}")
