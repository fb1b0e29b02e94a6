"""What lies nearest to made items among those that a model learned from, by distance; of texts, the runs of letters that are in none of these."""
from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ilk.dataset import Dataset
from ilk.errors import UsageError
from ilk.metrics._features import alike, pictures
from ilk.metrics._nearest import Rows, Vectors, nearest, rows, vectors
from ilk.metrics._tables import columns
from ilk.model import Model
from ilk.quantity import Values
from ilk.rng import Rng

ITEMS, NUMBERS, HELD = 20_000, 1 << 26, 1000   # training items and numbers looked at, held-out items compared with
GRAM = 8                                       # letters of a run


@dataclass(frozen=True, eq=False)
class Near:
    """The nearest of some training items to each made item; `held` are the distances from items that were not seen."""

    items: Any
    index: Tensor
    distance: Tensor
    held: Tensor | None
    unit: str


def near(model: Model, made: Any, data: Dataset[Any], rng: Rng) -> Near | None:
    """By Gower's distance for rows, by Euclid's for pictures and arrays; None for items that have no distance here."""
    size = prod(getattr(made, "shape", (1,))[1:])
    train = data.sample("train", min(ITEMS, max(HELD, NUMBERS // max(1, size))), rng.child("train"))
    test = data.sample("test", HELD, rng.child("test"))
    found = points(model, [made, train, test])
    if found is None:
        return None
    (mine, known, held), unit = found
    distance, index = nearest(mine, known)
    return Near(train, index, distance, nearest(held, known)[0] if len(held) else None, unit)


def apart(model: Model, data: Dataset[Any]) -> Values:
    """What tells the distance of items to the nearest of the training items; of texts, the share of their runs that are in none of these."""
    size = prod(getattr(data.items, "shape", (1,))[1:])
    train = data.sample("train", min(ITEMS, max(HELD, NUMBERS // max(1, size))), Rng(0).child("apart"))
    if isinstance(train, list):
        seen = {run for text in train for run in _grams(text)}
        return lambda texts: torch.tensor([_unseen(text, seen) for text in texts], dtype=torch.double)

    def distance(items: Any) -> Tensor:
        if not len(items):
            return torch.zeros(0, dtype=torch.double)
        found = points(model, [items, train])
        if found is None:
            raise UsageError("these items have no distance to the training items", code="QUANTITY", param="given")
        return nearest(found[0][0], found[0][1])[0].double()
    return distance


def _grams(text: str) -> list[str]:
    return [text[i:i + GRAM] for i in range(len(text) - GRAM + 1)] or [text]


def _unseen(text: str, seen: set[str]) -> float:
    found = _grams(text)
    return sum(run not in seen for run in found) / len(found)


def points(model: Model | None, sides: list[Any]) -> tuple[Any, str] | None:
    """Made, training and held-out items as points that have a distance, and its name; None for items without."""
    if all(isinstance(s, pl.DataFrame) for s in sides):
        seen = columns(model, sides)
        found: list[Rows] = rows(seen, sides, slice(1, 2)) if seen else []
        return (found, "gower") if found else None
    if alike(*sides[:2]):
        return None
    if pictures(sides[1]):
        return [Vectors(torch.from_numpy(np.ascontiguousarray(x).reshape(len(x), -1)).float() / 255) for x in sides], "pixels"
    return vectors(sides, slice(1, 2)), "scaled"
