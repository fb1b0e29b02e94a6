"""Figures without an error: whether a difference is more than chance can't be told."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Figures, Found
from ilk.faults._figures import named


class NoStandardError(Fault):
    """No figure has one, or one of two that are compared has none."""

    looks_at: ClassVar[type] = Figures

    def find(self, thing: Figures) -> Iterator[Found]:
        """The figures."""
        models = {f.model for f in thing.figures}
        bare = [f for f in thing.figures if f.se is None]
        compared = [f for f in bare if len(models) > 1 and sum(g.name == f.name for g in thing.figures) > 1]
        if bare and (len(bare) == len(thing.figures) or compared):
            said = ", ".join(dict.fromkeys(map(named, compared or bare)))
            yield self.found(said, f"{len(bare)} of {len(thing.figures)} figures are told without a standard error",
                             "tell value +- error: ilk evaluate gives it, or the spread over several seeds or bootstrap samples")
