"""Models compared by one fit each: another seed may turn the order round."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Figures, Found

FEW = 2


class OneSeed(Fault):
    """Two models or more, and fewer than two seeds."""

    looks_at: ClassVar[type] = Figures

    def find(self, thing: Figures) -> Iterator[Found]:
        """How many of both."""
        models, seeds = {f.model for f in thing.figures}, thing.facts.get("seeds")
        if len(models) > 1 and isinstance(seeds, int) and seeds < FEW:
            yield self.found("the comparison", f"{len(models)} models, {seeds} fit of each: the standard errors tell of the items and not of the fits",
                             "fit each with three seeds or more (ilk fit --seed 0, 1, 2) and tell mean and spread; ilk race does")
