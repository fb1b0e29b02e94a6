"""Items that a model learned from and as many that it did not, and what it scores them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from ilk.dataset import Dataset
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs._nearby import NUMBERS
from ilk.verbs.score import score

KNOWN, HELD = 10_000, 2000   # items looked at
PIECE, FEW = 200, 50         # letters of a piece of a text, where there are fewer texts than these


@dataclass(frozen=True, eq=False)
class Sides:
    """Training items and held-out ones; `index` are those of the data that they are, None where they are pieces of texts."""

    known: Any
    unseen: Any
    index: tuple[Tensor, Tensor] | None

    @property
    def held(self) -> int:
        """How many are held out: as many training items are compared with them."""
        return len(self.unseen)


def sides(data: Dataset[Any], rng: Rng, most: int = KNOWN, held: int = HELD) -> Sides | None:
    """At most so many training items in an order of chance, and held-out ones, no more than those; None without either."""
    train, test = (data.index(name) if name in data.splits else torch.zeros(0, dtype=torch.long) for name in ("train", "test"))
    if not len(train) or not len(test):
        return None
    if isinstance(data.items, list) and min(len(train), len(test)) < FEW:
        known, unseen = (_pieces([data.items[i] for i in index.tolist()], rng.child(name)) for name, index in (("known", train), ("unseen", test)))
        return Sides(known[:most], unseen[: min(held, len(known[:most]))], None)
    most = min(most, max(held, NUMBERS // max(1, prod(getattr(data.items, "shape", (1,))[1:]))))
    first = train[rng.child("known").shuffle(len(train))[:most]]
    second = test[rng.child("unseen").shuffle(len(test))[: min(held, len(first))]]
    return Sides(data.modality.take(data.items, first), data.modality.take(data.items, second), (first, second))


def _pieces(texts: Sequence[str], rng: Rng) -> list[str]:
    """Few long texts as many short ones."""
    cut = [text[i:i + PIECE] for text in texts for i in range(0, len(text), PIECE)]
    return [cut[i] for i in rng.shuffle(len(cut)).tolist()]


def scored(model: Model, data: Dataset[Any], both: Sides, many: int, draws: int | None = None) -> tuple[Tensor, Tensor]:
    """Nats of so many training and so many held-out items, with what is known beside them."""
    many = min(many, both.held)
    if both.index is None:
        found = score(model, [*both.known[:many], *both.unseen[:many]], draws=draws)
    else:
        found = score(model, replace(data, splits={"test": torch.cat([index[:many] for index in both.index])}), draws=draws)
    return found.nats[:many], found.nats[many:]
