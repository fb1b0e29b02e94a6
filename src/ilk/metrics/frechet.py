"""How far the features of made items are from those of real ones, as Gaussians (Frechet distance)."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import ALWAYS, sides
from ._gaussians import GROUPS, Gaussian, corrected, deviation, frechet


class Frechet(Metric):
    """Squared Frechet (2-Wasserstein) distance of the Gaussians with the means and covariances of made and test features.

    What Heusel et al. (2017) do, in a feature space learned from the training items, less the bias that few items bring: so it may be
    a little below 0. Only figures of one space are to be compared. `parts` has the distance `plain`, and what as many unseen
    training items get, where there are so many.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The distance without the bias, which is about d(d + 5)/2n for d features of unit variance; its error is that of the spread."""
        found = sides(case)
        if isinstance(found, str):
            return NotApplicable(found)
        size, n = found.made.shape[1], min(len(found.made), len(found.test))
        if n <= size:
            return NotApplicable(f"{n} items a side are too few for the covariance of {size} features: it takes at least {size + 1}")
        means, spreads = corrected(found.made, found.test, ALWAYS)
        parts = {"means": means, "covariances": spreads, "plain": sum(frechet(Gaussian.of(found.made), Gaussian.of(found.test)))}
        if found.real is not None:
            parts["real"] = sum(corrected(found.real, found.test, ALWAYS))
        error = deviation(found.made, found.test) if case.errors else None
        return Reading(means + spreads, error, len(found.made), parts, f"squared Frechet distance, less its bias by a jackknife over {GROUPS} groups, in {found.convention}")
