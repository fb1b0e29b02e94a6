"""An atom or a Row of atoms as three tensors: numbers, categories and which parts are there."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.space import Discrete, Maybe, Reals, Row, Space, inner

FEW = 16  # values of a place that are still told apart where a whole array is of whole numbers


@dataclass(frozen=True)
class Part:
    """Where a part lies: columns of the numbers or of the categories, and its bit of presence (-1: always there)."""

    name: str
    atom: Reals | Discrete
    first: int
    width: int
    bit: int

    @property
    def columns(self) -> slice:
        """Its columns."""
        return slice(self.first, self.first + self.width)


@dataclass(frozen=True, eq=False)
class Items:
    """n items, weighed or not: x (n, d) float64 and where it is there, codes (n, c) and where they are there, presence (n, m)."""

    x: Tensor
    x_there: Tensor
    codes: Tensor
    codes_there: Tensor
    bits: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def mask(self) -> Tensor | None:
        """Where numbers are there; None if all are."""
        return None if bool(self.x_there.all()) else self.x_there


class Mixed:
    """The layout of a space of atoms, and the way there and back."""

    def __init__(self, space: Space) -> None:
        self.space = space
        parts = space.parts if isinstance(space, Row) else {"": space}
        self.parts: list[Part] = []
        self.sizes: list[int] = []
        self.width = self.bits = 0
        for name, part in parts.items():
            atom, bit = inner(part), -1
            if not isinstance(atom, Reals | Discrete):
                raise TypeError(f"{atom} is not an atom")
            if isinstance(part, Maybe):
                bit, self.bits = self.bits, self.bits + 1
            if isinstance(atom, Reals):
                self.parts.append(Part(name, atom, self.width, prod(atom.shape), bit))
                self.width += prod(atom.shape)
            else:
                self.parts.append(Part(name, atom, len(self.sizes), prod(atom.shape), bit))
                self.sizes += atom.each

    def places(self) -> list[tuple[bool, int]]:
        """Of every element of every part, in order: whether it is a number, and its column."""
        return [(isinstance(p.atom, Reals), p.first + i) for p in self.parts for i in range(p.width)]

    def known(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Where numbers (n, d) and categories (n, c) are known, from where places are."""
        order = self.places()
        numbers, codes = (sorted((c, k) for k, (number, c) in enumerate(order) if number is kind) for kind in (True, False))
        return places[:, [k for _, k in numbers]], places[:, [k for _, k in codes]]

    @staticmethod
    def refuses(space: Space) -> str | None:
        """Anything but Reals, a Discrete of few values a place, or a Row of Reals and Discrete parts, missing or not."""
        if isinstance(space, Discrete):
            return None if max(space.each, default=0) <= FEW else f"takes whole numbers below {FEW + 1} as categories: more of them are better Reals"
        fits = isinstance(space, Reals) or (isinstance(space, Row) and all(isinstance(inner(s), Reals | Discrete) for s in space.parts.values()))
        return None if fits else "takes Reals, Discrete, or a Row of both"

    def split(self, batch: Batch) -> Items:
        """A batch of the space as three tensors."""
        n = len(batch)
        x, there = torch.zeros(n, self.width, dtype=torch.float64), torch.ones(n, self.width, dtype=torch.bool)
        codes, codes_there = torch.zeros(n, len(self.sizes), dtype=torch.long), torch.ones(n, len(self.sizes), dtype=torch.bool)
        bits = torch.ones(n, self.bits, dtype=torch.bool)
        for p in self.parts:
            part = batch.parts[p.name] if isinstance(self.space, Row) else batch
            value = part.tensor.reshape(n, p.width)
            numbers = isinstance(p.atom, Reals)
            if part.seen is not None:
                value = value.where(part.seen[:, None], torch.zeros_like(value))
                (there if numbers else codes_there)[:, p.columns] = part.seen[:, None]
                bits[:, p.bit] = part.seen
            (x if numbers else codes)[:, p.columns] = value
        return Items(x, there, codes, codes_there, bits, batch.weight)

    def join(self, items: Items) -> Batch:
        """Three tensors as a batch of the space."""
        made = {}
        for p in self.parts:
            value = (items.x if isinstance(p.atom, Reals) else items.codes)[:, p.columns].reshape(len(items), *p.atom.shape)
            made[p.name] = Batch(value, items.bits[:, p.bit] if p.bit >= 0 else None)
        return Batch(made) if isinstance(self.space, Row) else made[""]


def scales(layout: Mixed, chunks: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Centre and spread of every number over the items where it is there; 1 is the spread of one that hardly varies."""
    n, one, two, center = (torch.zeros(layout.width, dtype=torch.float64) for _ in range(4))
    for chunk in chunks:
        items = layout.split(chunk)
        if not bool(n.any()):
            center = (items.x * items.x_there).sum(0) / items.x_there.sum(0).clamp_min(1)
        gap = (items.x - center) * items.x_there
        n, one, two = n + items.x_there.sum(0), one + gap.sum(0), two + gap.square().sum(0)
    mean = one / n.clamp_min(1)
    spread = (two / n.clamp_min(1) - mean.square()).clamp_min(0).sqrt()
    return center + mean, spread.where(spread > 1e-12 * (1 + center.abs()), torch.tensor(1.0).double())
