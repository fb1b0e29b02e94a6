"""Whether made items each show one of the labels clearly, and all labels are shown: the inception score, by a classifier learned here."""
from __future__ import annotations

from math import exp, inf
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import MOST
from ._labels import teller
from ._tables import Cells, some

FEWEST = 20


class InceptionScore(Metric):
    """exp E KL(p(label | item) || p(label)) over made items (Salimans et al. 2016), by a classifier of the labelled training items.

    Between 1 and the number of labels; what unseen training items get stands in the parts as `real`, and made items may get more: one item of
    every label, clearer than any real one and made again and again, gets the most (Barratt & Sharma 2018).
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "real"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The score less the bias that few items bring, by the jackknife, as is its error."""
        judge = teller(case)
        if isinstance(judge, str):
            return NotApplicable(judge)
        n = min(len(case.made), MOST)
        if n < FEWEST:
            return NotApplicable(f"{n} made items are too few for the shares of {len(judge.classes)} labels: it takes at least {FEWEST}")
        nats, error = information(judge.chances(case.made[some(len(case.made), n, rng.child("made"))]))
        parts = {"labels": float(len(judge.classes))}
        if case.errors and len(judge.unseen) >= FEWEST:
            parts["real"] = exp(information(judge.chances(case.train[judge.unseen[:n]]))[0])
        return Reading(exp(nats), exp(nats) * error if case.errors else None, n, parts, f"exp of the mean nats, less their bias by the jackknife, by {judge.name}; n={n}")


def information(chances: Cells) -> tuple[float, float]:
    """E KL(p(label | item) || p(label)) in nats without its first-order bias, and its standard error: by the jackknife over items, (n, labels)."""
    n, total = len(chances), chances.sum(0)
    each = _plogp(chances).sum(1)
    whole = float(each.mean() - _plogp(total / n).sum())
    without = (each.sum() - each) / (n - 1) - _plogp((total - chances).clip(0) / (n - 1)).sum(1)
    return n * whole - (n - 1) * float(without.mean()), float(((n - 1) / n * np.square(without - without.mean()).sum()) ** 0.5)


def _plogp(p: Cells) -> Cells:
    found: Cells = p * np.log(np.where(p > 0, p, 1.0))
    return found
