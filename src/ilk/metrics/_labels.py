"""A classifier of the labels of training items, for metrics that ask what made items are: learned here, from half of them, and named in every figure."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ..metric import Case
from ._features import ALWAYS, MOST, Space, alike, pictures, space_of
from ._kept import Kept, digest
from ._picture_net import descend
from ._tables import Cells

WIDTH, BATCH, STEPS, FEWEST_STEPS, EPOCHS, NOISE = 128, 128, 600, 100, 30, 0.1


@dataclass(frozen=True, eq=False)
class Teller:
    """Chances of `classes`, (n, classes), by a classifier that is right about so many unseen training items; which those are, and its name."""

    chances: Callable[[Cells], Cells]
    classes: Cells
    unseen: Cells
    sure: float
    name: str


_TELLERS: Kept[Teller | str] = Kept(2)


def teller(case: Case) -> Teller | str:
    """The classifier that the labelled training items of a case give, or why there is none."""
    if why := alike(case.made, case.train):
        return why
    if case.train_labels is None:
        return "the training items have no labels"
    space, labels = space_of(case), np.asarray(case.train_labels)
    if isinstance(space, str):
        return space
    if pictures(case.train):
        if space.net is None or space.classes is None or space.sure is None:
            return "the training items have only one label"
        return Teller(space.net.chances, space.classes, space.unseen, space.sure, f"the classifier of {space.name}")
    return _TELLERS.get(digest(case.train, labels), lambda: _learned(case.train, labels, space))


def _learned(train: Cells, labels: Cells, space: Space) -> Teller | str:
    """A small network of the coordinates; a little noise on them keeps it from being sure of everything."""
    seen = np.setdiff1d(np.arange(len(train)), space.unseen)
    classes = np.unique(labels[seen])
    if len(classes) < 2:
        return "the training items have only one label"
    x, y = torch.from_numpy(space.vectors(train[seen])).float(), torch.from_numpy(np.searchsorted(classes, labels[seen]))
    with ALWAYS.child("teller").as_global():
        net = nn.Sequential(nn.Linear(x.shape[1], WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, len(classes)))
    batch = min(BATCH, len(x))

    def loss(i: int) -> torch.Tensor:
        here = ALWAYS.child("teller", i)
        rows = here.child("rows").integers(batch, len(x))
        return cross_entropy(net(x[rows] + NOISE * here.child("noise").normal(batch, x.shape[1]).float()), y[rows])

    descend(list(net.parameters()), loss, min(STEPS, max(FEWEST_STEPS, EPOCHS * len(x) // batch)))
    net.requires_grad_(False)

    def chances(items: Cells) -> Cells:
        found: Cells = net(torch.from_numpy(space.vectors(items)).float()).double().softmax(1).numpy()
        return found

    judged = space.unseen[:MOST]
    sure = float(np.mean(classes[chances(train[judged]).argmax(1)] == labels[judged]))
    name = f"a network of {space.name}, trained on {len(seen)} labelled ones, right about {sure:.3f} of {len(judged)} unseen ones"
    return Teller(chances, classes, space.unseen, sure, f"{name}, sha256 {digest(*(t.numpy() for t in net.state_dict().values()))[:8]}")
