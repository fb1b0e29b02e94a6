"""The contracts of a kind of data: its items, its codecs, how it is read, written and shown."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .batch import Batch
from .dataset import Dataset
from .distribution import Keeps, Marginal
from .errors import DataError
from .given import Given, as_given
from .grammar import given_of
from .lift import Known
from .rng import Rng
from .rules import Test, Value
from .space import Space
from .store import State

C = TypeVar("C")  # a collection of raw items: a frame, a list of texts, an array
S = TypeVar("S", bound="Codec[Any]")


@dataclass(frozen=True)
class Shown:
    """Items for eyes: mime type and bytes."""

    mime: str
    data: bytes


@dataclass(frozen=True)
class Limits:
    """What a reader refuses before decoding: total bytes, compression ratio, entries of an archive, items."""

    bytes: int = 64 << 30
    ratio: int = 100
    unpacked: int = 1 << 30
    entries: int = 100_000
    items: int = 10**9


@dataclass(frozen=True, eq=False)
class Lowered(Generic[C]):
    """Comparisons as a codec understands them."""

    codec: Codec[C]                                   # restricted: draws and scores inside what is asked
    known: Known = field(default_factory=dict)        # per part, for the lift
    log_volume: float = 0.0                           # nats of the kept parts, in raw units
    rest: tuple[Test, ...] = ()                       # what it can't express: left to rejection


class Codec(ABC, Generic[C]):
    """Raw items <-> batches of a space. log p(code) + log_volume is the log density of the raw item, or its bound.

    A codec never changes: `learned`, `restored` and `given` make new ones. `decode` of a "cells" codec draws from a known
    law inside the cell, which is why it takes an Rng.
    """

    keeps: Keeps
    space: Space

    @classmethod
    @abstractmethod
    def learned(cls: type[S], modality: Modality[C], train: C) -> S:
        """The codec for these training items."""

    @classmethod
    @abstractmethod
    def restored(cls: type[S], modality: Modality[C], state: State) -> S:
        """The codec that `state` wrote down."""

    @abstractmethod
    def state(self) -> State:
        """What was learned."""

    @abstractmethod
    def encode(self, items: C, rng: Rng) -> Batch:
        """Raw items as a batch; DataError if they are not of the kind learned."""

    @abstractmethod
    def decode(self, batch: Batch, rng: Rng) -> C:
        """A batch as raw items."""

    @abstractmethod
    def log_volume(self, items: C, rng: Rng) -> Tensor:
        """Nats to add to the log density of the code, (B,) float64; the same rng gives the noise that `encode` used."""

    def given(self, tests: Sequence[Test]) -> Lowered[C]:
        """The codec within these comparisons; by default all is left to rejection."""
        return Lowered(self, rest=tuple(tests))


class Modality(ABC, Generic[C]):
    """A kind of data: a frozen dataclass of how to read it, whose fields become flags."""

    @classmethod
    @abstractmethod
    def claims(cls, raw: Any) -> bool:
        """Whether a path or an object in memory looks like this kind of data."""

    @abstractmethod
    def read(self, at: Any, limits: Limits) -> Dataset[C]:
        """The items at a path, or those of an object in memory; DataError with the place when it can't."""

    @abstractmethod
    def write(self, items: C, to: Path) -> None:
        """Items as a file in a form that `read` takes."""

    @abstractmethod
    def codecs(self) -> Sequence[type[Codec[C]]]:
        """Ways to code items, the native one first."""

    @abstractmethod
    def take(self, items: C, index: Tensor) -> C:
        """Items by whole-number index."""

    @abstractmethod
    def join(self, pieces: Sequence[C]) -> C:
        """One collection of several."""

    @abstractmethod
    def obeys(self, items: C, tests: Sequence[Test]) -> Tensor:
        """Which raw items obey every comparison: bool, (B,). All shares and checks rest on this."""

    @abstractmethod
    def show(self, items: C) -> Shown:
        """Some items for eyes: text, HTML or a picture."""

    @abstractmethod
    def keys(self, items: C) -> Sequence[Any] | NDArray[Any]:
        """Something hashable per item, equal for equal items: duplicates are found by it. An array where there are many."""

    @property
    def measure(self) -> str:
        """The base measure of a score, in words."""
        return "counting measure"

    def lengths(self, items: C) -> Mapping[str, Tensor]:
        """Units an item's nats may also be given per, and how many each item has: characters, bytes."""
        return {}

    def asked(self, asked: str | Mapping[str, Value] | Given) -> Given:
        """What a plain string or mapping means here."""
        return given_of(asked) if isinstance(asked, str) else as_given(asked)

    def checked(self, tests: Sequence[Test]) -> tuple[Test, ...]:
        """The comparisons with constants in the data's own types; UsageError for a part or constant that can't be."""
        return tuple(tests)


@runtime_checkable
class HasParts(Protocol):
    """A modality whose items have parts that can be kept one by one."""

    def parts(self, item: Any) -> Mapping[str, Value]:
        """The parts of a collection of one item, by the names that `Keep` knows."""


@runtime_checkable
class Fills(Protocol):
    """A codec of items with cells that may not be known, each a place of its space."""

    def gaps(self, items: Any, rng: Rng) -> tuple[Batch, Tensor]:
        """The items with anything where they are not known, and where they are, (B, places)."""

    def typical(self, laws: Sequence[Marginal], rng: Rng) -> Mapping[str, Any]:
        """The best guess at the unknown cells of each column, by the law of each."""

    def filled(self, items: Any, made: Mapping[str, Any]) -> Any:
        """The items with these cells where they are not known."""


@runtime_checkable
class HasNumbers(Protocol):
    """A modality whose items have parts that are numbers."""

    def number(self, items: Any, part: str) -> Tensor:
        """That number of every item, (B,) float64, NaN where it is missing; UsageError for a part that is none."""


@runtime_checkable
class Resizes(Protocol):
    """A modality whose items are pictures, which may be smaller than those that it knows."""

    def sizeless(self) -> Modality[Any]:
        """The same kind of pictures in any size."""

    def times(self, small: Any) -> int:
        """How many times as long the sides of those that it knows are; DataError where both are not the same whole number."""

    def enlarged(self, small: Any, times: int) -> Any:
        """Every pixel as a block of so many by so many."""


def times_of(large: Sequence[int], small: Sequence[int]) -> int:
    """How many times as long the sides (height, width) of large pictures are; DataError where both are not the same whole number, 2 or more."""
    times = large[0] // max(1, small[0]) if len(large) == len(small) == 2 else 0
    if times < 2 or [n * times for n in small] != list(large):
        raise DataError(f"pictures of {' x '.join(map(str, small))} can't be enlarged to {' x '.join(map(str, large))}", code="SHAPE",
                        remedy="both sides a half, a third, ... as long")
    return times


@dataclass(frozen=True)
class Gauge:
    """How the numbers of one part are written: `anchor` and whole steps of `step`; 0: no steps. Dates are days since 1970.

    `binary`: with that many binary digits, and meant as stored; else meant as the shortest decimal. Nothing lies beyond `low` and `high`.
    """

    step: Fraction = Fraction(0)
    anchor: Fraction = Fraction(0)
    low: float = -inf
    high: float = inf
    date: bool = False
    binary: int = 0


@runtime_checkable
class Renumbers(Protocol):
    """A modality whose items hold numbers by name, all of which can be read and put back at once."""

    def gauges(self, names: Sequence[str]) -> Sequence[Gauge]:
        """How each is written; UsageError for a name that is no number."""

    def numbers(self, items: Any, names: Sequence[str]) -> NDArray[np.float64]:
        """(B, names), NaN where missing."""

    def renumbered(self, items: Any, names: Sequence[str], values: NDArray[np.float64]) -> Any:
        """The items with these numbers, NaN where missing."""


def groups(modality: Modality[C], items: C) -> Tensor:
    """The number of the first item equal to each item, (B,)."""
    keys = modality.keys(items)
    if isinstance(keys, np.ndarray):
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        return torch.from_numpy(first[which].astype(np.int64))
    seen: dict[Any, int] = {}
    return torch.tensor([seen.setdefault(k, i) for i, k in enumerate(keys)], dtype=torch.long)
