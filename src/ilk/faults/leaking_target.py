"""A column that gives the class away: it was written down after the answer was known, and will not be there when it is asked."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._data import Numbers, features
from ilk.faults._learned import taught

MOST, SURE, TIMES = 4000, 0.99, 4.0  # rows looked at; share that one column tells; errors of the next best column in those of this one


class LeakingTarget(Fault):
    """One column tells the class of all but a hundredth of the rows, and no other comes near."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """The column, and how well it tells."""
        told = taught(thing, MOST) if hasattr(thing.modality, "columns") or getattr(thing.items, "ndim", 0) == 2 else None
        if told is None:
            return
        index, target = told
        names, x = features(thing, index, target.name)
        right = np.array([_told(x[:, i], target.codes) for i in range(x.shape[1])])
        if len(right) < 2:
            return
        best = int(right.argmax())
        others = np.delete(right, best)
        if right[best] >= SURE and (1 - others.max()) >= TIMES * max(1 - right[best], 0.25 / len(index)):
            why = f"it alone tells {target.name!r} in {right[best]:.1%} of held-out rows; the next best column does in {others.max():.1%}"
            yield self.found(f"column {names[best]!r}", why, f"if it is not known before the answer is, leave it out: frame.drop({names[best]!r})")


def _told(column: Numbers, codes: NDArray[np.int64]) -> float:
    """The share of items that a small tree on one column tells rightly, the commonest class being of no use (0); half are held out, both ways."""
    from sklearn.tree import DecisionTreeClassifier

    if np.bincount(codes).max() > 0.95 * len(codes) or len(np.unique(column)) > 0.9 * len(column) > 0 and (column == column.round()).all():
        return 0.0
    halves = np.arange(len(codes)) % 2 == 0
    tree = DecisionTreeClassifier(max_leaf_nodes=40, min_samples_leaf=3, random_state=0)
    return float(np.mean([(tree.fit(column[a][:, None], codes[a]).predict(column[~a][:, None]) == codes[~a]).mean() for a in (halves, ~halves)]))
