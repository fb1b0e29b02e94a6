"""How far the laws of made and real features are apart, by mean distances between items (energy distance)."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import sides
from ._kernels import Distance, discrepancy
from ._tables import Cells


class EnergyDistance(Metric):
    """Root of 2 E|X - Y| - E|X - X'| - E|Y - Y'|, X made and Y test (Szekely & Rizzo 2013); 0 only where the laws are equal.

    The square is estimated without bias, so it may be below 0, where the root is 0; `parts` has the square.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The root; its error is that of the square, to first order in each item."""
        found = sides(case)
        if isinstance(found, str):
            return NotApplicable(found)
        if min(len(found.made), len(found.test)) < 2:
            return NotApplicable("there are fewer than two items on a side")
        square, error = energy(found.made, found.test)
        parts = {"square": square}
        if found.real is not None and len(found.real) > 1:
            parts["real"] = max(0.0, energy(found.real, found.test)[0]) ** 0.5
        root = max(0.0, square) ** 0.5
        return Reading(root, error / (2 * max(root, error**0.5)) if case.errors and error else None, len(found.made), parts,
                       f"Euclidean distances, square without bias, in {found.convention}")


def energy(x: Cells, y: Cells) -> tuple[float, float]:
    """The square, without bias, and its standard error."""
    return discrepancy(x, y, Distance())
