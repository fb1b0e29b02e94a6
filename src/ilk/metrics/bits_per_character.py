"""Bits that the model needs for a character of held-out text."""
from __future__ import annotations

from math import inf, isfinite, log
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._likelihood import scored


class BitsPerCharacter(Metric):
    """- log2 p(texts) over their number of characters (code points), the ends of texts paid for and not counted."""

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """Total bits over total characters; the error is that of a ratio of sums over texts."""
        counts = case.model.modality.lengths(case.test).get("character") if case.model is not None and len(case.test) else None
        if case.model is None or counts is None or not int(counts.sum()):
            return NotApplicable("the test items have no characters")
        found = scored(case.model, case.test, rng)
        if isinstance(found, NotApplicable):
            return found
        counts = counts[:len(found.nats)]
        bits, total, n = -found.nats / log(2), float(counts.sum()), len(counts)
        value = float(bits.sum()) / total
        off = float((bits - value * counts).square().sum() * n / max(1, n - 1)) ** 0.5
        error = (off**2 + (n * found.mass_error / log(2)) ** 2) ** 0.5 / total if n > 1 and isfinite(value) else None
        return Reading(value, error, n, {}, f"bits a character (code point), {found.sort}, ends of texts included")
