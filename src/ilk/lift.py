"""Families of atoms made families of rows: a lift is a codec from one space to another.

log p(inner) + log_volume is a law on the outer space: exact for bijections, a lower bound for dequantising lifts.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .batch import Batch
from .distribution import Keeps
from .given import At, Evidence, Fix, Parts, Presence, Weigh, Within
from .rng import Rng
from .space import Discrete, Many, Maybe, Reals, Row, Space, inner

T = TypeVar("T")
Known = Mapping[str, Evidence]  # per part of the outer space; "" is the whole of one that has no parts


class Takes(Protocol):
    """Whatever says which spaces it refuses: a family."""

    def refuses(self, space: Space) -> str | None: ...


class Lift(ABC):
    """Carries batches of one space to another and back."""

    keeps: Keeps = "bijection"
    space: Space

    @classmethod
    @abstractmethod
    def takes(cls, outer: Space) -> bool:
        """Whether it can carry this space."""

    @abstractmethod
    def __init__(self, outer: Space) -> None: ...

    @abstractmethod
    def encode(self, batch: Batch, rng: Rng) -> Batch:
        """Outer to inner; context and weight go along."""

    @abstractmethod
    def decode(self, batch: Batch) -> Batch:
        """Inner to outer."""

    @abstractmethod
    def evidence(self, known: Known) -> Evidence | None:
        """What is known of the parts, said of the inner space; None if it can't be."""

    def log_volume(self, batch: Batch) -> Tensor:
        """What is added to the inner log density, (B,): nothing for lifts of volume 1."""
        return torch.zeros(len(batch), dtype=torch.float64)


class Same(Lift):
    """No lift: the family takes the space as it is."""

    def __init__(self, outer: Space) -> None:
        self.space = outer

    @classmethod
    def takes(cls, outer: Space) -> bool:
        """Any space."""
        return True

    def encode(self, batch: Batch, rng: Rng) -> Batch:
        """The same batch."""
        return batch

    def decode(self, batch: Batch) -> Batch:
        """The same batch."""
        return batch

    def evidence(self, known: Known) -> Evidence | None:
        """The same evidence."""
        return known[""] if "" in known else Parts(dict(known))


class ToRecord(Lift):
    """A Row of single Discrete parts, missing or not, as one Discrete record: missing is one value more."""

    def __init__(self, outer: Space) -> None:
        if not isinstance(outer, Row):
            raise TypeError("ToRecord carries a Row")
        self.outer = outer
        self.sizes = [_size(s) for s in outer.parts.values()]
        self.space = Discrete(tuple(size + isinstance(s, Maybe) for size, s in zip(self.sizes, outer.parts.values(), strict=True)), (len(self.sizes),))

    @classmethod
    def takes(cls, outer: Space) -> bool:
        """A Row whose every part is Discrete(k) or Maybe(Discrete(k))."""
        return isinstance(outer, Row) and all(isinstance(inner(s), Discrete) and inner(s).shape == () for s in outer.parts.values())  # type: ignore[union-attr]

    def encode(self, batch: Batch, rng: Rng) -> Batch:
        """One column per part."""
        columns = []
        for size, part in zip(self.sizes, batch.parts.values(), strict=True):
            columns.append(part.tensor if part.seen is None else part.tensor.where(part.seen, torch.tensor(size)))
        return Batch(torch.stack(columns, 1), context=batch.context, weight=batch.weight)

    def decode(self, batch: Batch) -> Batch:
        """One part per column."""
        parts = {}
        for column, size, (name, space) in zip(batch.tensor.T, self.sizes, self.outer.parts.items(), strict=True):
            seen = column < size
            parts[name] = Batch(column.where(seen, torch.tensor(0)), seen) if isinstance(space, Maybe) else Batch(column)
        return Batch(parts)

    def evidence(self, known: Known) -> Evidence | None:
        """A table of log weights per position."""
        place = {name: i for i, name in enumerate(self.outer.parts)}
        tables = {place[name]: self._table(place[name], said) for name, said in known.items()}
        return None if any(t is None for t in tables.values()) else Weigh({i: t for i, t in tables.items() if t is not None})

    def _table(self, i: int, said: Evidence) -> Tensor | None:
        if isinstance(said, Weigh):
            return said.tables[0]
        if not isinstance(said, Presence) or not isinstance(said.of, Weigh | None):
            return None
        there = torch.zeros(self.sizes[i], dtype=torch.float64) if said.of is None else said.of.tables[0]
        return torch.cat([there + said.there, torch.tensor([said.missing], dtype=torch.float64)])


def _size(space: Space) -> int:
    atom = inner(space)
    return atom.each[0] if isinstance(atom, Discrete) else 0


@dataclass(frozen=True)
class _Slot:
    """Where one part lies in the flat vector: presence, then its coordinates."""

    space: Reals | Discrete
    first: int
    maybe: bool
    width: int

    @property
    def body(self) -> slice:
        """The coordinates of the value."""
        return slice(self.first + self.maybe, self.first + self.maybe + self.width)


class ToReals(Lift):
    """A Row of atoms as one real vector: a category is its one-hot cube (argmax back), missing a fair unit cube.

    Every cube has volume 1 and decodes to what it came from, so the flat density is a lower bound on the row's.
    """

    def __init__(self, outer: Space) -> None:
        if not isinstance(outer, Row):
            raise TypeError("ToReals carries a Row")
        self.slots: dict[str, _Slot] = {}
        at = 0
        for name, space in outer.parts.items():
            atom, maybe = inner(space), isinstance(space, Maybe)
            if not isinstance(atom, Reals | Discrete):
                raise TypeError(f"ToReals carries rows of atoms, not {atom}")
            width = atom.each[0] if isinstance(atom, Discrete) else prod(atom.shape)
            self.slots[name] = _Slot(atom, at, maybe, width)
            at += maybe + width
        self.space = self.flat = Reals((at,))
        plain = all(isinstance(s, Reals) for s in outer.parts.values())
        self.keeps = "bijection" if plain else "refines"

    @classmethod
    def takes(cls, outer: Space) -> bool:
        """A Row of Reals or single Discrete parts, missing or not."""
        atoms = [inner(s) for s in outer.parts.values()] if isinstance(outer, Row) else []
        return bool(atoms) and all(isinstance(s, Reals) or (isinstance(s, Discrete) and s.shape == ()) for s in atoms)

    def encode(self, batch: Batch, rng: Rng) -> Batch:
        """Uniform noise fills every cube."""
        flat = rng.child("dequantise").uniform(len(batch), self.flat.shape[0]) - 0.5
        for name, slot in self.slots.items():
            part, body = batch.parts[name], flat[:, slot.body].clone()
            if isinstance(slot.space, Discrete):
                value = body + one_hot(part.tensor, slot.width)
            else:
                value = part.tensor.reshape(len(batch), -1).double()
            if part.seen is not None:
                flat[:, slot.first] += part.seen
                value = value.where(part.seen[:, None], body)
            flat[:, slot.body] = value
        return Batch(flat, context=batch.context, weight=batch.weight)

    def decode(self, batch: Batch) -> Batch:
        """The half-space or argmax cell each vector lies in."""
        parts = {}
        for name, slot in self.slots.items():
            body = batch.tensor[:, slot.body]
            value = body.argmax(1) if isinstance(slot.space, Discrete) else body.reshape(len(body), *slot.space.shape)
            if not slot.maybe:
                parts[name] = Batch(value)
                continue
            seen = batch.tensor[:, slot.first] > 0.5
            parts[name] = Batch(value.where(seen.reshape(-1, *[1] * (value.ndim - 1)), torch.zeros_like(value)), seen)
        return Batch(parts)

    def evidence(self, known: Known) -> Evidence | None:
        """Coordinates of plain Reals parts; cubes can't be fixed without shifting what they lean on."""
        fixed: dict[int, float] = {}
        for name, said in known.items():
            if not isinstance(said, Fix) or self.slots[name].maybe:
                return None
            fixed |= {self.slots[name].body.start + i: v for i, v in said.values.items()}
        return Fix(fixed)


class ToSequence(Lift):
    """An array as the sequence of what lies along its first axis, or of all its whole numbers one by one: every one of the same length."""

    def __init__(self, outer: Space) -> None:
        if not isinstance(outer, Reals | Discrete) or not self.takes(outer):
            raise TypeError("ToSequence carries arrays of one axis at least")
        self.element = Discrete(outer.each[0]) if isinstance(outer, Discrete) else Reals(outer.shape[1:])
        self.shape, self.inner = outer.shape, prod(self.element.shape)
        self.steps = prod(outer.shape) // self.inner
        self.space = Many(self.element, self.steps, at_least=self.steps)

    @classmethod
    def takes(cls, outer: Space) -> bool:
        """Arrays of numbers, and of whole numbers that are of one size."""
        return isinstance(outer, Reals | Discrete) and len(outer.shape) > 0 and prod(outer.shape) > 0 and (isinstance(outer, Reals) or len(set(outer.each)) == 1)

    def encode(self, batch: Batch, rng: Rng) -> Batch:
        """All steps end to end."""
        steps = batch.tensor.reshape(-1, *self.element.shape)
        return Batch(Batch(steps), length=torch.full((len(batch),), self.steps), context=batch.context, weight=batch.weight)

    def decode(self, batch: Batch) -> Batch:
        """As many steps as there were."""
        return Batch(batch.elements.tensor.reshape(-1, *self.shape))

    def evidence(self, known: Known) -> Evidence | None:
        """What is said of each step."""
        said = known.get("")
        if len(known) > 1:
            return None
        match said:
            case Weigh(tables=tables):
                return At({step: Weigh({0: table}) for step, table in tables.items()})
            case Within(ranges=ranges):
                return At({step: Within(here) for step, here in self._by_step(ranges).items()})
            case Fix(values=values):
                return At({step: Fix(here) for step, here in self._by_step(values).items()})
            case _:
                return None

    def _by_step(self, values: Mapping[int, T]) -> dict[int, dict[int, T]]:
        steps: dict[int, dict[int, T]] = {}
        for i, value in values.items():
            steps.setdefault(i // self.inner, {})[i % self.inner] = value
        return steps


LIFTS: tuple[type[Lift], ...] = (Same, ToRecord, ToReals, ToSequence)


def carried(space: Space, family: Takes) -> Lift | None:
    """The first lift that carries a space to one the family takes; None if there is none."""
    found = (kind(space) for kind in LIFTS if kind.takes(space))
    return next((lift for lift in found if family.refuses(lift.space) is None), None)


def lift_named(name: str, outer: Space) -> Lift:
    """The lift a saved model names; KeyError for a strange one."""
    kinds: dict[str, Any] = {c.__name__: c for c in LIFTS}
    made: Lift = kinds[name](outer)
    return made



