"""Mean nats of held-out items under the model: log likelihood, its sort and its base measure."""
from __future__ import annotations

from math import inf, isfinite
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._likelihood import scored


class Nats(Metric):
    """Mean log p(item) over test items; exact, a bound or an estimate, as the convention says."""

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    better: ClassVar[Literal["higher", "lower", "middle"]] = "higher"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean; `parts` has the share of items that the model holds impossible, if there are any."""
        if case.model is None or not len(case.test):
            return NotApplicable("there is no model, or there are no test items")
        found = scored(case.model, case.test, rng, case.test_labels)
        if isinstance(found, NotApplicable):
            return found
        never = float((found.nats == -inf).double().mean())
        error = found.error if len(found.nats) > 1 and isfinite(found.mean) else None
        return Reading(found.mean, error, len(found.nats), {"impossible": never} if never else {}, f"nats an item, {found.sort}; {found.measure}")
