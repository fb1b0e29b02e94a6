"""Wrong labels: items that a classifier is sure of are labelled otherwise, as often where it is surest as elsewhere."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._columns import first_of
from ilk.faults._data import chances, features
from ilk.faults._learned import taught

MOST, LEAST = 1500, 150             # items looked at, and at least
SURE = 0.2                          # the surest of a class, and as many after them
FLOOR, GUESS = 0.03, 0.35           # so many of them labelled otherwise are wrong labels, so many a bad classifier
APART = 0.25                        # of all items, so many may be told wrongly: else classes overlap, and chance is no noise
NARROW, WIDE, DIM = 1.3, 1.65, 2.2  # and so many times the share of the surest: of few items, of many, of many classes
SMALL, SEVERAL = 400, 5             # fewer items are few, so many classes are many
GOOD = 0.5                          # the share of the items in classes that it tells well, at least
FLAT, LEAN = 0.65, 0.4              # of what the next surest have, the surest have so much at least; so much if that may be chance


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
        held = chances(features(thing, index, target.name)[1], target.codes, 5)
        wrong, surest = doubtful(held, target.codes)
        if not len(wrong):
            return
        why = (f"of the {surest} items that a held-out classifier is surest of, {len(wrong)} ({len(wrong) / surest:.1%}) are labelled otherwise, and no fewer among "
               f"the very surest: about as many of all labels are wrong by chance")
        yield self.found(f"{target.name!r} of items {first_of(index[wrong].tolist())}", why,
                         "look at these items first, and mend or drop them: a model that is given a label makes what was labelled so")


def doubtful(held: NDArray[np.float64], codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Of the items whose class is told most surely, those labelled otherwise, and how many were looked at; none if overlap or a bad classifier says as much.

    Surest are shares of the items told to be of each class: where one class is rare and never sure, as a risk is, chance is no noise.
    """
    off = held.argmax(1) != codes
    pairs = list(_surest(held, off))
    surest = np.concatenate([np.concatenate(pair) for pair in pairs]) if pairs else np.zeros(0, dtype=np.int64)
    wrong = surest[off[surest]]
    if len(surest) < GOOD * 2 * SURE * len(codes) or not len(wrong) or not _clear(off.mean(), len(wrong) / len(surest), codes):
        return wrong[:0], len(surest)
    one, other = (float(off[np.concatenate([pair[i] for pair in pairs])].mean()) for i in (0, 1))
    several = sum(off[np.concatenate(pair)].mean() >= FLOOR / 2 for pair in pairs) > 1
    enough = len(wrong) >= max(2, FLOOR * len(surest)) and len(wrong) - 1.5 * len(wrong) ** 0.5 >= FLOOR * len(surest) / 3
    return (wrong if several and enough and _flat(one, other, len(surest) // 2) else wrong[:0]), len(surest)


def _surest(held: NDArray[np.float64], off: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The surest and the next surest items told to be of a class, of every class that is told well."""
    said, top = held.argmax(1), held.max(1)
    for k in np.unique(said):
        ranked = np.flatnonzero(said == k)
        ranked = ranked[np.argsort(-top[ranked], kind="stable")]
        n = int(SURE * len(ranked))
        if n and off[ranked[: 2 * n]].mean() < GUESS:
            yield ranked[:n], ranked[n: 2 * n]


def _clear(every: float, sure: float, codes: NDArray[np.int64]) -> bool:
    """Whether items at large are told nearly as well as the surest are: where classes overlap, far worse."""
    times = DIM if len(np.unique(codes)) >= SEVERAL else NARROW if len(codes) < SMALL else WIDE
    return every <= min(APART, times * sure)


def _flat(one: float, other: float, n: int) -> bool:
    """Whether a share does not fall from the next surest n to the surest n."""
    both = (one + other) / 2
    return one >= FLAT * other or (one >= LEAN * other and other - one < 1.5 * (2 * both * (1 - both) / n) ** 0.5)
