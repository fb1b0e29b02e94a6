"""What a tensor means: two atoms and three combinators.

Families see nothing but spaces, modalities give nothing else; so rows, sets, sequences and missing values need no
special case anywhere.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from .batch import Batch


@dataclass(frozen=True, slots=True)
class Reals:
    """Real arrays of one shape: pixels, waveforms, points, latents; () is a single number."""

    shape: tuple[int, ...] = ()

    def holds(self, batch: Batch) -> bool:
        """Finite floating tensors of shape (items, *shape)."""
        x = batch.x
        return (isinstance(x, Tensor) and x.is_floating_point() and tuple(x.shape[1:]) == self.shape
                and bool(x.isfinite().all()))


@dataclass(frozen=True, slots=True)
class Discrete:
    """Whole numbers below a size: one size for all positions, or one each (in row-major order).

    >>> Discrete((2, 3), (2,)).each
    (2, 3)
    """

    sizes: int | tuple[int, ...]
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.sizes, tuple) and len(self.sizes) != prod(self.shape):
            raise ValueError(f"{len(self.sizes)} sizes for {prod(self.shape)} positions of shape {self.shape}")
        if min(self.sizes if isinstance(self.sizes, tuple) else (self.sizes,), default=1) < 1:
            raise ValueError("a Discrete position has at least one value")

    @property
    def each(self) -> tuple[int, ...]:
        """The size of every position."""
        return self.sizes if isinstance(self.sizes, tuple) else (self.sizes,) * prod(self.shape)

    def holds(self, batch: Batch) -> bool:
        """Int64 tensors of shape (items, *shape), each below its size."""
        x = batch.x
        if not (isinstance(x, Tensor) and x.dtype == torch.long and tuple(x.shape[1:]) == self.shape):
            return False
        flat = x.reshape(len(x), prod(self.shape))
        return bool(((flat >= 0) & (flat < torch.tensor(self.each, dtype=torch.long))).all())


@dataclass(frozen=True, slots=True)
class Row:
    """A product of named parts: a table row, picture + caption, class + box. The order of parts is part of the space."""

    parts: Mapping[str, Space]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("a Row has at least one part")

    def holds(self, batch: Batch) -> bool:
        """One batch per part, all of one length."""
        x = batch.x
        return (isinstance(x, Mapping) and x.keys() == self.parts.keys() and len({len(b) for b in x.values()}) == 1
                and all(space.holds(x[name]) for name, space in self.parts.items()))


@dataclass(frozen=True, slots=True)
class Many:
    """A ragged sequence, or a set, of at least and at most so many elements: text, events, boxes, points."""

    of: Space
    at_most: int
    ordered: bool = True
    at_least: int = 0

    @property
    def fixed(self) -> bool:
        """Whether all have one length."""
        return self.at_least == self.at_most

    def holds(self, batch: Batch) -> bool:
        """Lengths in range, and every element in the space of elements."""
        n = batch.length
        return (n is not None and isinstance(batch.x, Batch) and bool(((n >= self.at_least) & (n <= self.at_most)).all())
                and len(batch.x) == int(n.sum()) and self.of.holds(batch.x))


@dataclass(frozen=True, slots=True)
class Maybe:
    """A value or its absence; where `seen` is false, x holds a place and means nothing."""

    of: Space

    def __post_init__(self) -> None:
        if isinstance(self.of, Maybe):
            raise TypeError("Maybe(Maybe(...)): a value can be missing in one way only")

    def holds(self, batch: Batch) -> bool:
        """A mask, and a value of the inner space wherever it is true."""
        seen = batch.seen
        return seen is not None and seen.dtype == torch.bool and self.of.holds(batch.take(seen))


Space = Reals | Discrete | Row | Many | Maybe
_NAMES: Mapping[str, type] = {c.__name__: c for c in (Reals, Discrete, Row, Many, Maybe)}


def inner(space: Space) -> Space:
    """The space of the value itself, missing or not."""
    return space.of if isinstance(space, Maybe) else space


def to_json(space: Space) -> dict[str, Any]:
    """The space as plain JSON; a Row's parts are pairs, since their order matters."""
    facts: dict[str, Any] = {name: getattr(space, name) for name in space.__slots__}
    if isinstance(space, Row):
        facts = {"parts": [[k, to_json(s)] for k, s in space.parts.items()]}
    if isinstance(space, Many | Maybe):
        facts["of"] = to_json(space.of)
    return {"space": type(space).__name__, **facts}


def from_json(facts: Mapping[str, Any]) -> Space:
    """The space that `to_json` wrote down; KeyError, TypeError or ValueError for anything else.

    >>> from_json(to_json(Row({"a": Maybe(Discrete(3)), "b": Reals()}))).parts["a"].of.sizes
    3
    """
    known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in facts.items() if k != "space"}
    if "of" in known:
        known["of"] = from_json(known["of"])
    if "parts" in known:
        known["parts"] = {k: from_json(s) for k, s in known["parts"]}
    made: Space = _NAMES[facts["space"]](**known)
    return made
