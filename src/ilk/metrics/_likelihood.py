"""The score of test items, for the metrics that rest on it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ilk.errors import UsageError
from ilk.metric import NotApplicable
from ilk.rng import Rng

if TYPE_CHECKING:
    from ilk.model import Model
    from ilk.verbs.score import Score


def scored(model: Model, items: Any, rng: Rng) -> Score | NotApplicable:
    """Nats per item, or why the model has none."""
    from ilk.verbs.score import score

    try:
        return score(model, items, rng.key() % 2**63)
    except UsageError as why:
        if why.code == "NO_SCORE":
            return NotApplicable(str(why))
        raise
