"""Whether made items are copies: the share that lies closer to a training item than nearly all unseen real items do."""
from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import alike, pictures
from ._nearest import Vectors, nearest, vectors
from ._tables import Cells, some

CLOSE, MOST_NUMBERS = 0.05, 1 << 26


class NearTrainShare(Metric):
    """Share of made items that are as near to a training item as the nearest 5 % of the holdout items are.

    Unseen real items give .05, copies give more, and blurred or noisy items less. `parts` has the share of the holdout items
    (above .05 where many are equally near), median distances, and the shares of items that equal a training item.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "holdout")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "real"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share; its error is that of both shares, the made items' and that of the holdout items which sets the distance."""
        if why := alike(case.made, case.holdout, case.train):
            return NotApplicable(why)
        most = max(1000, MOST_NUMBERS // int(np.prod(case.train.shape[1:])))
        train = case.train[some(len(case.train), most, rng.child("train"))]
        made, holdout = _distances(case.made, case.holdout, train)
        close = float(np.quantile(holdout, CLOSE, method="inverted_cdf"))
        share, real = float(np.mean(made <= close)), float(np.mean(holdout <= close))
        known = {item.tobytes() for item in train}
        parts = {"holdout": real, "median_distance": float(np.median(made)), "holdout_median_distance": float(np.median(holdout)),
                 "exact_copies": _equal(case.made, known), "exact_copies_holdout": _equal(case.holdout, known)}
        error = (_variance(share, len(made)) + _variance(real, len(holdout))) ** 0.5 if case.errors else None
        unit = "pixels in [0, 1]" if pictures(train) else "coordinates in standard deviations of the training items"
        return Reading(share, error, len(made), parts, f"Euclidean distance, {unit}, to the nearest of {len(train)} training items; near is at most {close:.4g}")


def _distances(made: Cells, holdout: Cells, train: Cells) -> list[Cells]:
    """From each made and each holdout item to the nearest training item."""
    if pictures(train):
        *sides, known = (Vectors(torch.from_numpy(x.reshape(len(x), -1)).float() / 255) for x in (made, holdout, train))
    else:
        *sides, known = vectors([made, holdout, train], slice(2, 3))
    return [nearest(side, known)[0].numpy() for side in sides]


def _equal(items: Cells, known: set[bytes]) -> float:
    return float(np.mean([np.ascontiguousarray(item).tobytes() in known for item in items]))


def _variance(share: float, n: int) -> float:
    soft = (share * n + 1) / (n + 2)
    return soft * (1 - soft) / n
