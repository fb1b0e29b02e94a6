"""The modes of training items, labels or clusters, and which of them items are of."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from ..metric import Case
from ._features import ALWAYS, MOST, Space, alike, space_of
from ._kept import Kept, digest
from ._labels import teller
from ._tables import Cells

LOOKED, MOST_CLUSTERS, EACH, STARTS = 1000, 32, 10, 4   # items by which the number of clusters is chosen, the most, items a cluster at least, starts of k-means
CLEAR, INSIDE = 0.5, 0.99   # silhouette from which clusters are there (Kaufman & Rousseeuw 1990), and share of its items in the ball of one


@dataclass(frozen=True, eq=False)
class Modes:
    """Which mode items are of, (n,), -1 for none; how many unseen training items are of each; and what the modes are."""

    of: Callable[[Cells], Cells]
    real: Cells
    name: str


_FOUND: Kept[Modes] = Kept(2)


def modes_of(case: Case) -> Modes | str:
    """The labels of the training items, told by a classifier; clusters of them where there are none."""
    if why := alike(case.made, case.train):
        return why
    judge = teller(case)
    if not isinstance(judge, str):
        chances = judge.chances
        return Modes(lambda x: chances(x).argmax(1), _count(chances(case.train[judge.unseen[:MOST]]).argmax(1), len(judge.classes)), f"labels, told by {judge.name}")
    space = space_of(case)
    return space if isinstance(space, str) else _FOUND.get(digest(case.train), lambda: _clusters(case.train, space))


def _clusters(train: Cells, space: Space) -> Modes:
    """k-means of the items that features were learned from: as many clusters as have the best silhouette (Rousseeuw 1987), if those are clear."""
    seen = space.vectors(train[np.setdiff1d(np.arange(len(train)), space.unseen)])
    few = seen[:LOOKED]
    most = max(2, min(MOST_CLUSTERS, len(few) // EACH))
    clear, many = max((_silhouette(few, k), k) for k in range(2, most + 1))
    if clear < CLEAR:
        many = most
    what = f"{many} clusters by k-means, as many as have the best silhouette" if clear >= CLEAR else f"{many} cells by k-means, there being no clear clusters"
    centers = _means(seen, many).cluster_centers_
    far, which = _nearest(seen, centers)
    reach = np.array([np.quantile(far[which == k], INSIDE) if (which == k).any() else 0.0 for k in range(many)])

    def of(items: Cells) -> Cells:
        distance, mine = _nearest(space.vectors(items), centers)
        return np.where(distance <= reach[mine] * (1 + 1e-9), mine, -1)

    return Modes(of, _count(of(train[space.unseen[:MOST]]), many), f"{what}, in {space.name}")


def _means(x: Cells, k: int) -> KMeans:
    return KMeans(k, n_init=STARTS, random_state=ALWAYS.child("means").key() % 2**32).fit(x)


def _silhouette(x: Cells, k: int) -> float:
    which = _means(x, k).labels_
    return float(silhouette_score(x, which)) if len(np.unique(which)) > 1 else -1.0


def _nearest(x: Cells, centers: Cells) -> tuple[Cells, Cells]:
    far = torch.cdist(torch.from_numpy(x), torch.from_numpy(centers)).min(1)
    return far.values.numpy(), far.indices.numpy()


def _count(which: Cells, many: int) -> Cells:
    found: Cells = np.bincount(which[which >= 0], minlength=many)
    return found
