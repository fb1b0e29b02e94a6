"""How far the laws of made and real features are apart, by the means of a radial kernel (squared maximum mean discrepancy)."""
from __future__ import annotations

from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import sides
from ._kernels import SCALES, Radial, discrepancy, width_of

FEW = 1000   # real items that the width is taken from


class MMD(Metric):
    """E k(X, X') + E k(Y, Y') - 2 E k(X, Y), X made and Y test, without bias (Gretton et al. 2012, lemma 6): 0 only where the laws are equal.

    Below 0 by chance as often as above where they are. The widths are set by training items alone, so one kernel judges the model, its floor and its ceiling.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = -2.0
    high: ClassVar[float] = 2.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The square; its error is to first order in each item."""
        found = sides(case)
        if isinstance(found, str):
            return NotApplicable(found)
        if min(len(found.made), len(found.test)) < 2:
            return NotApplicable("there are fewer than two items on a side")
        width = width_of(found.space.vectors(case.train[found.space.unseen[:FEW]]))
        value, error = discrepancy(found.made, found.test, Radial(width))
        parts = {} if found.real is None or len(found.real) < 2 else {"real": discrepancy(found.real, found.test, Radial(width))[0]}
        return Reading(value, error if case.errors else None, len(found.made), parts,
                       f"squared, without bias, mean of {SCALES} radial kernels of squared widths 1/4 to 4 times {width:.4g}, the median squared distance "
                       f"of training items, in {found.convention}")
