"""How much of the variety of real sets of points is made: the share that is some made set's nearest, by Chamfer's distance."""
from __future__ import annotations

from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._points import chamfers


class ChamferCoverage(Metric):
    """Share of test sets that are the nearest one to some of as many made sets (Achlioptas et al. 2018, COV).

    Two samples of one law reach about .6, not 1, since several sets have the same nearest one: read it beside its ceiling.
    Nearness plays no part: sets of noise are near to some set too.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share; its error takes test sets to be covered independently of each other."""
        found = chamfers(case, rng)
        if isinstance(found, str):
            return NotApplicable(found)
        far, convention = found
        n, covered = len(far), len(far.argmin(1).unique())
        soft = (covered + 1) / (n + 2)
        return Reading(covered / n, float((soft * (1 - soft) / n) ** 0.5) if case.errors else None, n, {}, convention)
