"""How likely an item is: its log density, in nats, under the model itself or under another one that is saved."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ilk.quantity import Quantity, Values

if TYPE_CHECKING:
    from ilk.model import Model


@dataclass(frozen=True)
class Likelihood(Quantity):
    """Log density in nats: exact, a bound or an estimate, as `score` gives it. `at` is the folder of a model; by default the model that makes the items."""

    at: str = ""

    @classmethod
    def opened(cls, at: Path) -> Quantity | None:
        """Of a saved model."""
        return cls(str(at)) if (at / "ilk.json").is_file() else None

    def of(self, model: Model) -> Values:
        """UsageError for a model without a density."""
        from ilk.model import load
        from ilk.verbs.score import score

        judge = load(self.at) if self.at else replace(model, givens=())
        return lambda items: score(judge, items).nats.double()
