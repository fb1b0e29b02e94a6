"""How far the features of made items are from those of real ones, as Gaussians (Frechet distance)."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import sides
from ._gaussians import Gaussian, deviation, frechet


class Frechet(Metric):
    """Squared Frechet (2-Wasserstein) distance of the Gaussians with the means and covariances of made and test features.

    What Heusel et al. (2017) do, in a feature space learned from the training items: only figures of one space and one
    number of items are to be compared. `parts` has what as many unseen training items get, where there are so many.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The distance; its error is that of the spread, not of the bias of about d(d + 5)/2n that few items bring (d features of unit variance)."""
        found = sides(case)
        if isinstance(found, str):
            return NotApplicable(found)
        size, n = found.made.shape[1], min(len(found.made), len(found.test))
        if n <= size:
            return NotApplicable(f"{n} items a side are too few for the covariance of {size} features")
        test = Gaussian.of(found.test)
        means, spreads = frechet(Gaussian.of(found.made), test)
        parts = {"means": means, "covariances": spreads}
        if found.real is not None:
            parts["real"] = sum(frechet(Gaussian.of(found.real), test))
        error = deviation(found.made, found.test) if case.errors else None
        return Reading(means + spreads, error, len(found.made), parts, f"squared Frechet distance, in {found.convention}")
