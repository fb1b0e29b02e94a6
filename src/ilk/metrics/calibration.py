"""Whether a joint model is as sure of classes as it is right: expected calibration error of its p(class | item)."""
from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import polars as pl
import torch

from ilk.dataset import Dataset
from ilk.distribution import HasLogProb
from ilk.errors import UsageError

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._groups import kinds
from ._tables import Cells, columns, generator

if TYPE_CHECKING:
    from ilk.verbs.classify import Classified

MOST, BOUNDS, BINS, DRAWS, FEWEST = 2000, 64, 10, 200, 50   # a bound of every item for every class takes long


class Calibration(Metric):
    """Expected calibration error of a model's chances of classes, by Bayes' rule from its joint density, in ten bins of the largest chance (Naeini et al. 2015).

    The class is the label, or the last column of 2 to 20 categories. `parts` has the accuracy, the log loss, and of each bin how sure, how often right and
    how many; `real` is what chances that are exactly right would get on as many items, which is not 0.
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The error over at most 2,000 items (64 where there are only bounds); its own error by bootstrap."""
        try:
            found = _classified(case, rng)
        except UsageError as why:
            return NotApplicable(why.message)
        if isinstance(found, str):
            return NotApplicable(found)
        known = found.truth >= 0
        chances = found.chances[known].numpy()
        sure, right = chances.max(1), (chances.argmax(1) == found.truth[known].numpy()).astype(np.float64)
        if len(sure) < FEWEST:
            return NotApplicable(f"it needs {FEWEST} test items of known classes")
        dice, error, parts = generator(rng.child("bins")), None, _bins(sure, right)
        if case.errors:
            drawn = [dice.integers(len(sure), size=len(sure)) for _ in range(DRAWS)]
            error = float(np.std([gap(sure[rows], right[rows]) for rows in drawn], ddof=1))
            parts["real"] = float(np.mean([gap(sure, dice.random(len(sure)) < sure) for _ in range(DRAWS)]))
        return Reading(gap(sure, right), error, len(sure), {"accuracy": found.accuracy, "log_loss": found.log_loss, **parts},
                       f"class {found.by!r}, {found.sort} chances of {len(found.classes)} classes, {BINS} equal bins of the largest chance")


def gap(sure: Cells, right: Cells) -> float:
    """Mean over items of the distance, in each item's bin, between mean chance and share of right ones."""
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    return float(np.abs(np.bincount(place, right - sure, BINS)).sum() / len(sure))


def _bins(sure: Cells, right: Cells) -> dict[str, float]:
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    found: dict[str, float] = {}
    for b in np.unique(place).tolist():
        here, name = place == b, f"{b / BINS:.1f}-{(b + 1) / BINS:.1f}"
        found |= {f"{name} sure": float(sure[here].mean()), f"{name} right": float(right[here].mean()), f"{name} n": float(here.sum())}
    return found


def _classified(case: Case, rng: Rng) -> Classified | str:
    """The chances of the classes of some test items, or why there are none."""
    from ilk.verbs.classify import classify
    from ilk.verbs.score import affordable

    model, seed = case.model, rng.key() % 2**63
    if model is None or not len(case.test):
        return "there is no model, or there are no test items"
    rows = torch.arange(min(MOST if isinstance(model.body, HasLogProb) else BOUNDS, affordable(model, case.test)))
    items = model.modality.take(case.test, rows)
    if isinstance(case.test, pl.DataFrame):
        told = kinds(columns(model, [case.test]), case.test)
        return classify(model, items, told[-1].name, seed=seed) if told else "no column is a class of 2 to 20 values"
    if case.test_labels is None or not model.labels:
        return "the model knows no labels, or the test items have none"
    labels = type(case.test_labels)(case.test_labels.codes[rows], case.test_labels.names)
    return classify(model, Dataset(model.modality, items, {"test": rows}, labels), seed=seed)
