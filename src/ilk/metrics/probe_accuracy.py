"""What a model's codes say of the labels: accuracy of a linear classifier of the codes (linear probe)."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ..distribution import Encodes
from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ..space import Discrete, Reals
from ._features import alike, flat
from ._tables import Cells, some

if TYPE_CHECKING:
    from ..model import Model

MOST, ROUNDS, FEWEST = 5000, 200, 20


class ProbeAccuracy(Metric):
    """Accuracy, on test items, of a logistic regression of the labels on a model's codes of the training items (Alain & Bengio 2017).

    `parts` has that of the commonest label, and as `raw` that of the same regression on the items themselves: codes that
    say no more than that have only rearranged them.
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "train", "test")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The accuracy, of at most 5,000 items a side."""
        labels = _labels(case)
        if isinstance(labels, str):
            return NotApplicable(labels)
        kept = [some(len(side), MOST, rng.child(i)) for i, side in enumerate(labels)]
        train, test, seen, asked = (x[k] for x, k in zip((case.train, case.test, *labels), kept * 2, strict=True))
        codes = _codes(case.model, rng)
        if isinstance(codes, str):
            return NotApplicable(codes)
        known = codes(train)
        right = _right(known, codes(test), seen, asked)
        parts = {"commonest": float((asked == np.bincount(seen).argmax()).mean())}
        if case.errors:
            parts["raw"] = float(_right(flat(train), flat(test), seen, asked).mean())
        soft = (right.sum() + 1) / (len(right) + 2)
        error = float((soft * (1 - soft) / len(right)) ** 0.5) if case.errors else None
        return Reading(float(right.mean()), error, len(right), parts, f"logistic regression on {known.shape[1]} standardised numbers of {len(seen)} codes")


def _labels(case: Case) -> tuple[Cells, Cells] | str:
    """Labels of training and test items as the same whole numbers, or why there are none."""
    if why := alike(case.train, case.test):
        return why
    if case.train_labels is None or case.test_labels is None:
        return "the items have no labels"
    train, test = np.asarray(case.train_labels), np.asarray(case.test_labels.codes)
    few = min(len(train), len(test))
    return (train, test) if few >= FEWEST and len(np.unique(train)) > 1 else f"it takes {FEWEST} items and two labels at least"


def _codes(model: Model | None, rng: Rng) -> Callable[[Any], Cells] | str:
    """What gives the codes of items, a row an item, or why there are none."""
    from ilk.verbs.condition import flat as encoded

    body = None if model is None else model.body
    if model is None or not isinstance(body, Encodes) or not isinstance(body.code_space(), Reals | Discrete):
        return f"{type(body).__name__} has no codes of a fixed number of numbers: it lacks Encodes"
    if model.body.about:
        return f"the model is told {', '.join(model.body.about)} beside every item, so its codes need not say it"

    @torch.no_grad()
    def codes(items: Any) -> Cells:
        found: Cells = body.encode(encoded(model, items, rng.child("code"))).tensor.flatten(1).double().numpy()
        return found

    return codes


def _right(train: Cells, test: Cells, seen: Cells, asked: Cells) -> Cells:
    """Which test items a logistic regression of the training items is right about."""
    off = train.std(0)
    one, other = ((x - train.mean(0)) / np.where(off > 0, off, 1.0) for x in (train, test))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found: Cells = LogisticRegression(max_iter=ROUNDS).fit(one, seen).predict(other) == asked
    return found
