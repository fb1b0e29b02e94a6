"""How well a model's likelihood tells real items from outliers planted among them, each made of parts of two real ones: area under the ROC curve."""
from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import torch

from ..dataset import Labels
from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._judge import Curve, variance
from ._likelihood import scored
from ._tables import some

MOST, FEWEST, LEAST = 1000, 20, -1e300


class OutlierAUC(Metric):
    """The chance that a test item is likelier than an outlier: half of one test item and half of another.

    Every part of an outlier is real, only what goes with what is wrong, so a model of parts by themselves gets about .5. Halves are columns drawn
    at random, the first and the second half of an array's or a picture's rows, or of a text's characters. It says nothing of outliers that look unlike
    any item, which are easier, nor of flat or simple ones, which densities of pictures are known to like (Nalisnick et al. 2019).
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The area, of at most 1,000 test items and as many outliers."""
        if case.model is None or len(case.test) < FEWEST:
            return NotApplicable(f"there is no model, or there are fewer than {FEWEST} test items")
        kept = some(len(case.test), MOST, rng.child("test"))
        items = [case.test[i] for i in kept.tolist()] if isinstance(case.test, list) else case.test[kept]
        planted = joined(items, rng)
        if planted is None:
            return NotApplicable("the items have no two parts")
        labels = None if case.test_labels is None else Labels(case.test_labels.codes[torch.from_numpy(kept)], case.test_labels.names)
        both = [scored(case.model, side, rng.child("score"), labels) for side in (items, planted)]
        if lacking := [side for side in both if isinstance(side, NotApplicable)]:
            return lacking[0]
        real, odd = (np.nan_to_num(side.nats.numpy(), neginf=LEAST) for side in both if not isinstance(side, NotApplicable))
        area = Curve(np.concatenate([real, odd]), np.repeat([1, 0], len(real))).area()
        error = variance(area, len(real)) ** 0.5 if case.errors else None
        return Reading(area, error, len(real), {}, f"nats of {len(real)} test items against those of as many outliers, each of the halves of two test items")


def joined(items: Any, rng: Rng) -> Any:
    """As many items, each of one half of an item and the other half of another; None where there are no halves."""
    order = rng.child("others").shuffle(len(items)).numpy()
    others = np.empty_like(order)
    others[order] = np.roll(order, 1)
    if isinstance(items, pl.DataFrame):
        columns = items.columns
        changed = {columns[i] for i in rng.child("columns").shuffle(len(columns))[: len(columns) // 2].tolist()}
        return items.with_columns(items[others][name] for name in columns if name in changed) if changed else None
    if isinstance(items, np.ndarray):
        flat = items.reshape(len(items), -1).copy()
        half = flat.shape[1] // 2
        flat[:, half:] = flat[others, half:]
        return flat.reshape(items.shape) if half else None
    return [one[: len(one) // 2] + items[k][len(items[k]) // 2:] for one, k in zip(items, others.tolist(), strict=True)]
