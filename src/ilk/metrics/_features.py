"""The space in which pictures and vectors are compared: learned here, from half of the training items (5,000 if 2,000 are left), and named in every
figure.

The others stay unseen, so that it can say what real items get. Nothing is downloaded, hence no figure here is an FID.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..metric import Case
from ..rng import Rng
from ._kept import Kept, digest
from ._picture_net import SIZE, Trained, shown
from ._tables import Cells, some

MOST, ENOUGH, FEWEST, ROWS, CHUNK, NUMBERS, HUGE = 10_000, 5000, 100, 2000, 512, 1 << 24, 1e100
ALWAYS = Rng(0).child("features")  # one space for the model, its floor and its ceiling, whatever the seed of the evaluation


@dataclass(frozen=True, eq=False)
class Space:
    """What makes vectors of items, its name, which training items it has not seen, and the network behind it if there is one.

    `classes` are the labels that the network tells apart, in its own order; `sure` is how often it is right about unseen ones.
    """

    name: str
    code: Callable[[Cells], Cells]
    unseen: Cells
    net: Trained | None = None
    classes: Cells | None = None
    sure: float | None = None
    known: Kept[Cells] = field(default_factory=lambda: Kept(4))

    def vectors(self, items: Cells) -> Cells:
        """One vector an item, float64."""
        return self.known.get(digest(items), lambda: np.concatenate([self.code(items[i:i + CHUNK]) for i in range(0, len(items), CHUNK)]))


@dataclass(frozen=True, eq=False)
class Sides:
    """Made and test items in a space, at most 10,000 of each, and real ones: as many unseen training items as made ones, if there are."""

    space: Space
    made: Cells
    test: Cells
    real: Cells | None

    @property
    def convention(self) -> str:
        """The space and the numbers of items."""
        return f"{self.space.name}; n={len(self.made)} made and {len(self.test)} test items"


_SPACES: Kept[Space] = Kept(1)


def pictures(items: Any) -> bool:
    """Whether items are pictures: bytes, (n, height, width, 1, 3 or 4)."""
    return isinstance(items, np.ndarray) and items.dtype == np.uint8 and items.ndim == 4 and items.shape[3] in (1, 3, 4)


def alike(*collections: Any) -> str | None:
    """Why collections can't be compared as arrays, if so."""
    if not all(isinstance(c, np.ndarray) and c.dtype.kind in "biuf" for c in collections):
        return "it is about arrays and pictures"
    if len({c.shape[1:] for c in collections}) > 1 or not all(c.size for c in collections):
        return "the items differ in shape, or are empty"
    return None


def flat(items: Cells) -> Cells:
    """A row an item, finite and with finite squares."""
    rows: Cells = np.clip(np.nan_to_num(items.reshape(len(items), -1).astype(np.float64)), -HUGE, HUGE)
    return rows


def sides(case: Case) -> Sides | str:
    """Both sides of a case as vectors, or why there are none."""
    if why := alike(case.made, case.test, case.train):
        return why
    space = space_of(case)
    if isinstance(space, str):
        return space
    made, test = (space.vectors(x[some(len(x), MOST, ALWAYS.child("some"))]) for x in (case.made, case.test))
    real = space.vectors(case.train[space.unseen[: len(made)]]) if case.errors and len(space.unseen) >= len(made) else None
    return Sides(space, made, test, real)


def space_of(case: Case) -> Space | str:
    """The space that the training items of a case give, or why there is none."""
    train, labels = case.train, case.train_labels
    if len(train) < FEWEST:
        return f"features are learned from at least {FEWEST} training items, not {len(train)}"
    told = None if labels is None or not pictures(train) else np.asarray(labels)
    return _SPACES.get(digest(train, told), lambda: _learned(train, told))


def _learned(train: Cells, labels: Cells | None) -> Space:
    order = ALWAYS.child("half").shuffle(len(train)).numpy()
    many = min(MOST, max(len(train) // 2, min(ENOUGH, len(train) - ROWS)))
    seen, unseen = order[:many], order[many:]
    if not pictures(train):
        return _coordinates(train, seen, unseen)
    classes = None if labels is None else np.unique(labels[seen])
    if labels is None or classes is None or len(classes) < 2:
        net = Trained(train[seen], None, ALWAYS)
        return Space(_named(net, train, seen, "training pictures without labels, told by quarter turns"), net.features, unseen, net)
    net = Trained(train[seen], np.searchsorted(classes, labels[seen]), ALWAYS)
    judged = unseen[:MOST]
    sure = float(np.mean(classes[net.classes(train[judged])] == labels[judged]))
    about = f"labelled training pictures, right about {sure:.3f} of {len(judged)} unseen ones"
    return Space(_named(net, train, seen, about), net.features, unseen, net, classes, sure)


def _named(net: Trained, train: Cells, seen: Cells, about: str) -> str:
    return f"{SIZE} features of a CNN trained on {len(seen)} {about}, sha256 {net.digest()[:8]}, {shown(train)}"


def _coordinates(train: Cells, seen: Cells, unseen: Cells) -> Space:
    """Coordinates in standard deviations; of more than 64, the principal components."""
    rows = flat(train[seen[: max(ROWS, NUMBERS // int(np.prod(train.shape[1:])))]])
    mean, off = rows.mean(0), rows.std(0)
    off = np.where(off > 0, off, 1.0)
    if rows.shape[1] <= SIZE:
        return Space(f"{rows.shape[1]} coordinates in standard deviations of the training items", lambda x: (flat(x) - mean) / off, unseen)
    axes = np.linalg.svd((rows[:ROWS] - mean) / off, full_matrices=False)[2][:SIZE].T
    return Space(f"{axes.shape[1]} principal components of {rows.shape[1]} coordinates in standard deviations of the training items",
                 lambda x: ((flat(x) - mean) / off) @ axes, unseen)
