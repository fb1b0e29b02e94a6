"""How made pictures are judged: everything in one feature space, the floor by real pictures that it has not seen."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

import ilk
from ilk import registry
from ilk.dataset import Dataset
from ilk.distribution import How
from ilk.metric import Case, Reading, measured
from ilk.metrics._features import space_of
from ilk.metrics._gaussians import Gaussian, frechet
from ilk.model import Model

H = TypeVar("H", bound=How)
DRAWS, NEAR = 4, 0.1   # sets of real pictures for the floor; how much farther the sharpest way may be than the nearest one


def divided(data: Dataset[Any], test: int, seed: int = 0) -> Dataset[Any]:
    """The data with so many test items, always the same, the rest to learn from."""
    order = ilk.Rng(seed).child("division").shuffle(len(data))
    return replace(data, splits={"train": order[test:].sort().values, "test": order[:test].sort().values})


def made(model: Model, data: Dataset[Any], n: int, how: How, seed: int) -> tuple[Any, Tensor]:
    """n pictures, as many of every label as among all items, and what was asked for."""
    assert data.labels is not None
    count = torch.bincount(data.labels.codes).double()
    many = ((count.cumsum(0) / count.sum() * n).round().long()).diff(prepend=torch.zeros(1, dtype=torch.long))
    items = [ilk.sample(model.given(ilk.Label(name)), int(k), 1000 * seed + i, how).items for i, (name, k) in enumerate(zip(data.labels.names, many, strict=True)) if k]
    return np.concatenate(items), torch.arange(len(many)).repeat_interleave(many)


def case_of(data: Dataset[Any], items: Any = None, asked: Tensor | None = None) -> Case:
    """What the metrics look at."""
    labels = None if data.labels is None else data.labels.codes[data.index("train")]
    return Case(made=items, train=data.train, test=data.test, holdout=data.test, train_labels=labels, made_labels=asked)


def floor(data: Dataset[Any], n: int) -> float:
    """Mean Frechet distance of unseen training pictures, n at a time, to the test pictures."""
    space = space_of(case_of(data))
    assert not isinstance(space, str)
    test = Gaussian.of(space.vectors(data.test))
    draws = [space.unseen[ilk.Rng(0).child("floor", i).shuffle(len(space.unseen))[:n].numpy()] for i in range(DRAWS)]
    return float(np.mean([sum(frechet(Gaussian.of(space.vectors(data.train[rows])), test)) for rows in draws]))


def chosen(model: Model, data: Dataset[Any], n: int, ways: Iterable[H]) -> H:
    """The last of these ways whose Frechet distance to unseen training pictures is within a tenth of the least; test pictures are not looked at."""
    space = space_of(case_of(data))
    assert not isinstance(space, str)
    rest = Gaussian.of(space.vectors(data.train[space.unseen]))
    found = [(sum(frechet(Gaussian.of(space.vectors(made(model, data, n, how, 99)[0])), rest)), how) for how in ways]
    return [how for distance, how in found if distance <= (1 + NEAR) * min(found, key=lambda one: one[0])[0]][-1]


def judged(data: Dataset[Any], items: Any, asked: Tensor, names: Iterable[str]) -> dict[str, float]:
    """The values of metrics."""
    case, found = case_of(data, items, asked), {}
    for name in names:
        reading = measured(registry.get("metrics", name)(), case, ilk.Rng(0))
        assert isinstance(reading, Reading), reading
        found[name] = reading.parts["plain"] if name == "frechet" else reading.value   # with its bias, as the floor has it
        if name == "label_accuracy":
            found["classifier_on_real"] = reading.parts["real"]
    return found
