"""Among how many characters the model is torn, on average, at each of held-out text."""
from __future__ import annotations

from math import exp, inf, log
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from .bits_per_character import BitsPerCharacter

_MOST = 700  # nats, of which exp is finite


class Perplexity(Metric):
    """exp of the nats for a character (code point) of the test texts, ends of texts paid for and not counted: 2^bits_per_character.

    `parts` has those for a byte and for a word. No figure for a token is given: tokens differ from model to model.
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 1.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The perplexity; its error is that of the bits, to first order."""
        found = BitsPerCharacter().measure(case, rng)
        if isinstance(found, NotApplicable):
            return found
        nats = found.value * log(2)
        if nats > _MOST:
            return NotApplicable("the model holds some test text impossible, or all but so")
        counts = {"byte": sum(len(t.encode()) for t in case.test), "word": sum(len(t.split()) for t in case.test)}
        total = nats * sum(map(len, case.test))
        parts = {unit: exp(total / n) for unit, n in counts.items() if n and total / n < _MOST}
        error = None if found.error is None else exp(nats) * log(2) * found.error
        return Reading(exp(nats), error, found.n, parts, found.convention.replace("bits a character", "exp of nats a character", 1))
