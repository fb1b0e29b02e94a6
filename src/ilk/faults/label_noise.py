"""Wrong labels: items that a classifier is sure of are labelled otherwise, as often where it is surest as elsewhere."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._data import chances, features
from ilk.faults._learned import taught

MOST, LEAST, SURE, FLOOR = 3000, 100, 0.4, 0.03  # items looked at; at least; the share that is surest; the share of those that is labelled otherwise


class LabelNoise(Fault):
    """Labels against what held-out trees are surest of (after Northcutt, Jiang & Chuang 2021).

    Where classes overlap, disagreement goes to nothing as the trees grow surer; where labels are wrong by chance, it stays.
    """

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """The share, and the items that it is surest of."""
        told = taught(thing, MOST)
        if told is None or len(told[0]) < LEAST:
            return
        index, target = told
        held = chances(features(thing, index, target.name)[1], target.codes)
        wrong = doubtful(held, target.codes)
        surest = int(SURE * len(index))
        if (many := len(wrong)) < FLOOR * surest or many - 2 * many**0.5 < FLOOR * surest / 3:
            return
        rows = ", ".join(str(int(index[i]) + 1) for i in wrong[:8])
        why = (f"of the {surest} items that a held-out classifier is surest of, {many} ({many / surest:.1%}) are labelled otherwise: "
               f"about as many of all labels are wrong by chance")
        yield self.found(f"{target.name!r} of items {rows}, ...", why, "look at these items first, and mend or drop them; a model given a label makes what was labelled so")


def doubtful(held: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the items that are told most surely, those labelled otherwise, the surest first."""
    top = held.max(1)
    surest = np.argsort(-top, kind="stable")[: int(SURE * len(codes))]
    return surest[held.argmax(1)[surest] != codes[surest]]
