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

MOST, LEAST = 2000, 100             # items looked at, and at least
SURE, FLOOR, GUESS = 0.2, 0.03, 0.35  # surest and next surest share of a class; labelled otherwise: so many of those are wrong labels, so many a bad classifier
DIM = 4                             # of all items, so many times as many may be told wrongly, or as there are classes: else these overlap
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
        items = ", ".join(str(int(index[i]) + 1) for i in wrong[:8])
        why = (f"of the {surest} items that a held-out classifier is surest of, {len(wrong)} ({len(wrong) / surest:.1%}) are labelled otherwise, and no fewer among "
               f"the very surest: about as many of all labels are wrong by chance")
        yield self.found(f"{target.name!r} of items {items}, ...", why, "look at these items first, and mend or drop them: a model that is given a label makes what was labelled so")


def doubtful(held: NDArray[np.float64], codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Of the items whose class is told most surely, those labelled otherwise, and how many were looked at; none if overlap or a bad classifier says as much.

    Surest are shares of the items told to be of each class: where one class is rare and never sure, as a risk is, chance is no noise.
    """
    said, top = held.argmax(1), held.max(1)
    first, then = [], []
    for k in np.unique(said):
        ranked = np.flatnonzero(said == k)
        ranked = ranked[np.argsort(-top[ranked], kind="stable")]
        n = int(SURE * len(ranked))
        if n and (codes[ranked[: 2 * n]] != k).mean() < GUESS:
            first.append(ranked[:n])
            then.append(ranked[n: 2 * n])
    surest = np.concatenate([*first, *then]) if first else np.zeros(0, dtype=np.int64)
    wrong = surest[said[surest] != codes[surest]]
    if len(surest) < GOOD * 2 * SURE * len(codes):
        return surest[:0], len(surest)
    least = FLOOR * len(surest)
    noisy = sum((codes[np.concatenate(pair)] != said[pair[0][0]]).mean() >= FLOOR / 2 for pair in zip(first, then, strict=True))
    clear = (said != codes).mean() <= min(len(np.unique(codes)), DIM) * len(wrong) / max(1, len(surest))
    flat = _flat(_share(first, said, codes), _share(then, said, codes), max(1, len(surest) // 2))
    enough = len(wrong) >= max(2, least) and len(wrong) - 1.5 * len(wrong) ** 0.5 >= least / 3
    return (wrong if noisy >= 2 and flat and clear and enough else wrong[:0]), len(surest)


def _flat(one: float, other: float, n: int) -> bool:
    """Whether a share does not fall from the next surest n to the surest n."""
    both = (one + other) / 2
    return one >= FLAT * other or (one >= LEAN * other and other - one < 1.5 * (2 * both * (1 - both) / n) ** 0.5)


def _share(parts: list[NDArray[np.int64]], said: NDArray[np.int64], codes: NDArray[np.int64]) -> float:
    """Of some items, how many are labelled otherwise."""
    items = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return float((said[items] != codes[items]).mean()) if len(items) else 0.0
