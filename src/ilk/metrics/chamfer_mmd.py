"""How near made sets of points come to real ones: mean Chamfer distance of a real set to the nearest made one (minimum matching distance)."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._points import chamfers


class ChamferMMD(Metric):
    """Mean over test sets of the distance to the nearest of as many made sets (Achlioptas et al. 2018, MMD; no kernel discrepancy).

    It falls as there are more sets, so only figures of one number are to be compared, and it sees nothing of made sets that lie far from all
    real ones.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean, in the square of the items' own units; its error takes the made sets as given."""
        found = chamfers(case, rng)
        if isinstance(found, str):
            return NotApplicable(found)
        far, convention = found
        least = far.amin(0)
        return Reading(float(least.mean()), float(least.std() / len(least) ** 0.5) if case.errors else None, len(least), {}, convention)
