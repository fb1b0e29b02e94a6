"""Arrays as spaces: whole numbers counted, or anything as reals."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Keeps
from ilk.errors import DataError, UsageError
from ilk.given import Evidence, Fix, Weigh, Within
from ilk.modalities._spans import span
from ilk.modality import Codec, Lowered, Modality
from ilk.rng import Rng
from ilk.rules import Test
from ilk.space import Discrete, Reals, Space
from ilk.store import State

if TYPE_CHECKING:
    from ilk.modalities.array import Array

Items = NDArray[Any]
S = TypeVar("S", bound="ArrayCodec")


class ArrayCodec(Codec[Items]):
    """What array codecs share: the type of the array, and values kept in place."""

    def __init__(self, modality: Array, kept: Mapping[int, float] | None = None) -> None:
        self.modality, self.kept = modality, kept or {}
        self.shape, self.low, self.levels = modality.shape, modality.low, modality.levels

    @classmethod
    def learned(cls: type[S], modality: Modality[Items], train: Items) -> S:
        """Nothing to learn: the type says all."""
        return cls(modality)  # type: ignore[arg-type]

    @classmethod
    def restored(cls: type[S], modality: Modality[Items], state: State) -> S:
        """The same."""
        return cls(modality)  # type: ignore[arg-type]

    def state(self) -> State:
        """Nothing."""
        return State()

    def log_volume(self, items: Items, rng: Rng) -> Tensor:
        """Unit volume; -inf where a kept value differs."""
        total = torch.zeros(len(items), dtype=torch.float64)
        for i, value in self.kept.items():
            total = total.where(torch.from_numpy(items.reshape(len(items), -1)[:, i].astype(np.float64) == value), -inf)
        return total


class Counted(ArrayCodec):
    """Whole numbers as they are: exact."""

    keeps: Keeps = "bijection"

    @property
    def space(self) -> Space:  # type: ignore[override]
        """One size for all positions."""
        return Discrete(self.levels, self.shape)

    def encode(self, items: Items, rng: Rng) -> Batch:
        """From 0."""
        x = _checked(items, self.modality).astype(np.int64) - self.low
        if x.size and not 0 <= int(x.min()) <= int(x.max()) < self.levels:
            raise DataError(f"values from {items.min()} to {items.max()}; the data held {self.low} to {self.low + self.levels - 1}", code="DATA_RANGE")
        return Batch(torch.from_numpy(x))

    def decode(self, batch: Batch, rng: Rng) -> Items:
        """In the data's own type."""
        return (batch.tensor.numpy() + self.low).astype(self.modality.dtype)

    def given(self, tests: Sequence[Test]) -> Lowered[Items]:
        """A table of what is allowed at each place: exact."""
        tables: dict[int, Tensor] = {}
        for i, asked in _by_place(self.modality, tests).items():
            allowed = [all(t.holds(v + self.low) for t in asked) for v in range(self.levels)]
            tables[i] = torch.tensor([0.0 if a else -inf for a in allowed], dtype=torch.float64)
        return Lowered(self, {"": Weigh(tables)})


class Smooth(ArrayCodec):
    """Reals as they are; whole numbers filled by uniform noise, which makes the density a bound."""

    @property
    def keeps(self) -> Keeps:  # type: ignore[override]
        """Exact for floats."""
        return "refines" if self.levels else "bijection"

    @property
    def space(self) -> Space:  # type: ignore[override]
        """Reals."""
        return Reals(self.shape)

    def encode(self, items: Items, rng: Rng) -> Batch:
        """Noise in every level's unit cell."""
        x = torch.from_numpy(_checked(items, self.modality).astype(np.float64))
        return Batch(x + rng.child("fill").uniform(len(items), *self.shape) - 0.5 if self.levels else x)

    def grids(self) -> dict[str, bool]:
        """Whether they are whole numbers."""
        return {"": bool(self.levels)}

    def decode(self, batch: Batch, rng: Rng) -> Items:
        """The nearest level, or the numbers; kept values as they were asked for."""
        x = batch.tensor.double().numpy()
        if self.levels:
            x = np.clip(np.round(x), self.low, self.low + self.levels - 1)
        made = x.astype(self.modality.dtype)
        flat = made.reshape(len(made), -1)
        for i, value in self.kept.items():
            flat[:, i] = value
        return flat.reshape(made.shape)

    def given(self, tests: Sequence[Test]) -> Lowered[Items]:
        """Values kept, or ranges; the rest is left to rejection."""
        kept: dict[int, float] = {}
        ranges: dict[int, tuple[float, float]] = {}
        rest: list[Test] = []
        for i, asked in _by_place(self.modality, tests).items():
            same = [t for t in asked if t.sign == "=="]
            if same and not self.levels:
                kept[i] = float(same[0].value)  # type: ignore[arg-type]
                if not all(t.holds(kept[i]) for t in asked):
                    raise UsageError(f"contradictory: {' and '.join(map(str, asked))}", code="CONTRADICTION", param="given")
            elif all(t.sign in ("<", "<=", ">", ">=", "==") for t in asked):
                found = span([replace(t, sign="<=") for t in same] + [replace(t, sign=">=") for t in same] + [t for t in asked if t.sign != "=="], float, bool(self.levels))
                ranges[i] = (found.low, found.high)
            else:
                rest += asked
        if kept and ranges:
            rest, ranges = [*rest, *(t for t in tests if t not in rest and t.sign != "==")], {}
        evidence: Evidence | None = Fix(kept) if kept else Within(ranges) if ranges else None
        return Lowered(type(self)(self.modality, kept), {"": evidence} if evidence else {}, 0.0, tuple(rest))


def _by_place(modality: Array, tests: Sequence[Test]) -> dict[int, list[Test]]:
    found: dict[int, list[Test]] = {}
    for t in tests:
        found.setdefault(modality.place(t.part), []).append(t)
    return found


def _checked(items: Items, modality: Array) -> Items:
    if tuple(items.shape[1:]) != modality.shape:
        raise DataError(f"items of shape {tuple(items.shape[1:])}; the model knows {modality.shape}", code="SHAPE")
    return items
