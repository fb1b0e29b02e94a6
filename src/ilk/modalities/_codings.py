"""How one column becomes a part of a space: as a category, as cells with a known law inside, as a real, or not at all."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any

import polars as pl
import torch
from torch import Tensor

from ilk.distribution import Keeps
from ilk.errors import UsageError
from ilk.given import Evidence, Fix, Weigh, Within
from ilk.modalities._cells import Cells
from ilk.modalities._cells import learn as learn_cells
from ilk.modalities._columns import AnyColumn, Boolean, Category, Identifier, Number, Words
from ilk.modalities._spans import Span, span
from ilk.modalities._times import When
from ilk.modalities._words import WordLaw
from ilk.rng import Rng
from ilk.rules import Test
from ilk.space import Discrete, Reals

FEW, HEAVY = 10, 0.2  # a grid of so few values, or one where a value is so common, is coded as cells even where numbers are wanted


@dataclass(frozen=True, eq=False)
class Limit:
    """What is asked of one column: the span of its numbers, the mass of it per cell, and a value kept as it is."""

    span: Span = Span()
    mass: Tensor | None = None
    kept: float | None = None


@dataclass(frozen=True, eq=False)
class Piece:
    """Comparisons of one column as evidence, with nats of a kept value, and what is left to rejection."""

    evidence: Evidence | None
    limit: Limit
    log_volume: float = 0.0
    rest: tuple[Test, ...] = ()


class Coding(ABC):
    """One column, learned. `atom` is its part of the space; None for one that has no part."""

    keeps: Keeps = "bijection"
    atom: Reals | Discrete | None

    @abstractmethod
    def encode(self, series: pl.Series, rng: Rng) -> Tensor:
        """Cells as codes; anything where missing."""

    @abstractmethod
    def decode(self, x: Tensor, seen: Tensor, limit: Limit, rng: Rng) -> pl.Series:
        """Codes as cells."""

    def log_volume(self, series: pl.Series, limit: Limit) -> Tensor:
        """Nats to add per cell that is there."""
        return torch.zeros(len(series), dtype=torch.float64)

    def lower(self, tests: Sequence[Test]) -> Piece:
        """Comparisons (none of them with None) as evidence."""
        return Piece(None, Limit(), rest=tuple(tests))

    def state(self) -> dict[str, Any]:
        """What was learned, as JSON."""
        return {}


class CategoryCoding(Coding):
    """A code per value."""

    def __init__(self, column: Category | Boolean) -> None:
        self.column, self.atom = column, Discrete(max(1, len(column.raw)))

    def encode(self, series: pl.Series, rng: Rng) -> Tensor:
        """The index of each value."""
        return self.column.codes(series)

    def decode(self, x: Tensor, seen: Tensor, limit: Limit, rng: Rng) -> pl.Series:
        """The values."""
        return self.column.series(x, seen)

    def lower(self, tests: Sequence[Test]) -> Piece:
        """Forbids every value that breaks a comparison."""
        table = [0.0 if all(t.holds(v) for t in tests) else -inf for v in self.column.raw]
        return Piece(Weigh({0: torch.tensor(table, dtype=torch.float64)}), Limit())


class CellCoding(Coding):
    """A cell per code, with a known law inside: exact, whatever is asked."""

    keeps = "cells"

    def __init__(self, column: Number | When, cells: Cells) -> None:
        self.column, self.cells, self.atom = column, cells, Discrete(len(cells))

    @classmethod
    def learned(cls, column: Number | When, series: pl.Series) -> CellCoding:
        """Cells from the cells that are there."""
        f = column.fine(series.drop_nulls())
        low, high = (None if b is None else column.to_fine(b) for b in (column.low, column.high))
        zero = column.to_fine(0.0) if isinstance(column, Number) else None
        return cls(column, learn_cells(f.numpy(), column.grid, column.atoms, (low, high), zero))

    def encode(self, series: pl.Series, rng: Rng) -> Tensor:
        """The cell of each number."""
        return self.cells.code(self.column.fine(series))

    def decode(self, x: Tensor, seen: Tensor, limit: Limit, rng: Rng) -> pl.Series:
        """A number of its cell, within what is asked."""
        if limit.kept is not None:
            return self.column.series(torch.full((len(x),), limit.kept, dtype=torch.float64), seen)
        if limit.mass is None:
            return self.column.series(self.cells.draw(x, limit.span, rng), seen)
        f, there = torch.zeros(len(x), dtype=torch.float64), seen & (limit.mass[x] > 0)
        f[:] = self.cells.draw(x.where(there, limit.mass.argmax()), limit.span, rng)
        return self.column.series(f, seen)

    def log_volume(self, series: pl.Series, limit: Limit) -> Tensor:
        """log q(number), over the part of the cell that is asked for; -inf outside it."""
        f = self.column.fine(series)
        if limit.kept is not None:
            return torch.zeros(len(f), dtype=torch.float64).where(f == limit.kept, -inf)
        log_q = self.cells.log_density(f)
        if limit.mass is None:
            return log_q
        return (log_q - limit.mass[self.cells.code(f)].log()).where(limit.span.holds(f), -inf)

    def lower(self, tests: Sequence[Test]) -> Piece:
        """The mass of the span in every cell; a single continuous number is kept as it is, by its density."""
        asked = span(tests, self.column.to_fine, self.column.grid)
        loose = () if asked.only is None or self.column.grid else tuple(p for p in asked.only if p not in self.column.atoms)
        if loose and len(set(asked.only or ())) > 1:
            raise _several(self.column, asked.only or ())
        if loose:
            return self._kept(loose[0], asked)
        mass = self.cells.mass(asked)
        return Piece(Weigh({0: mass.log()}), Limit(asked, mass))

    def _kept(self, value: float, asked: Span) -> Piece:
        point = torch.tensor([value], dtype=torch.float64)
        table = torch.full((len(self.cells),), -inf, dtype=torch.float64)
        if bool(asked.holds(point)):
            table[self.cells.code(point)] = 0.0
        return Piece(Weigh({0: table}), Limit(asked, kept=value), float(self.cells.log_density(point)))

    def state(self) -> dict[str, Any]:
        """The cells."""
        return asdict(self.cells)


class RealCoding(Coding):
    """A number as it is; one on a grid with uniform noise in its step, which makes the density a bound."""

    def __init__(self, column: Number | When) -> None:
        self.column, self.atom = column, Reals()
        self.keeps = "refines" if column.grid else "bijection"

    def encode(self, series: pl.Series, rng: Rng) -> Tensor:
        """Fine units, noise inside the step."""
        f = self.column.fine(series)
        return f + rng.uniform(len(f)) - 0.5 if self.column.grid else f

    def decode(self, x: Tensor, seen: Tensor, limit: Limit, rng: Rng) -> pl.Series:
        """The nearest step; a kept number as it was asked for."""
        f = torch.full_like(x, limit.kept) if limit.kept is not None else x.double()
        f = f.clamp(limit.span.low, limit.span.high)
        return self.column.series(self._inside(f.round() if self.column.grid else f), seen)

    def _inside(self, f: Tensor) -> Tensor:
        low, high = (None if b is None else self.column.to_fine(b) for b in (self.column.low, self.column.high))
        return f if low is None and high is None else f.clamp(low, high)

    def log_volume(self, series: pl.Series, limit: Limit) -> Tensor:
        """Nothing, or -inf where the number is not the one that is kept."""
        out = torch.zeros(len(series), dtype=torch.float64)
        return out if limit.kept is None else out.where(self.column.fine(series) == limit.kept, -inf)

    def lower(self, tests: Sequence[Test]) -> Piece:
        """Ranges, and equality (a range of one step on a grid); the rest is left to rejection."""
        tests = [_single(t) for t in tests]
        ranges = [t for t in tests if t.sign in ("<", "<=", ">", ">=")]
        same = [t for t in tests if t.sign == "=="]
        if not self.column.grid and not same and (some := [t.value for t in tests if t.sign == "in" and isinstance(t.value, tuple)]):
            raise _several(self.column, some[0])
        rest = tuple(t for t in tests if t not in ranges and t not in same)
        asked = span(ranges, self.column.to_fine, self.column.grid)
        if same:
            value = self.column.to_fine(same[0].value)  # type: ignore[arg-type]
            fits = all(t.value == same[0].value for t in same) and bool(asked.holds(torch.tensor([value], dtype=torch.float64)))
            if not fits:
                raise UsageError(f"contradictory: {' and '.join(map(str, tests))}", code="CONTRADICTION", param="given")
            if not self.column.grid:
                return Piece(Fix({0: value}), Limit(kept=value), rest=rest)
            if value != round(value):
                raise UsageError(f"impossible: {same[0]} lies between the steps of the column", code="IMPOSSIBLE", param="given")
            asked = Span(value - 0.5, value + 0.5)
        elif not ranges:
            return Piece(None, Limit(), rest=rest)
        if asked.low > asked.high:
            raise UsageError(f"contradictory: {' and '.join(map(str, tests))}", code="CONTRADICTION", param="given")
        return Piece(Within({0: (asked.low, asked.high)}), Limit(asked), rest=rest)


def _single(test: Test) -> Test:
    """One of a single value is that value."""
    return replace(test, sign="==", value=test.value[0]) if test.sign == "in" and isinstance(test.value, tuple) and len(set(test.value)) == 1 else test


def _several(column: Number | When, values: Sequence[Any]) -> UsageError:
    """Numbers that are asked of a continuous column, each of probability 0."""
    span = " and ".join(str(Test(column.name, sign, value)) for sign, value in ((">=", min(values)), ("<=", max(values))))
    return UsageError(f"`{column.name}` is continuous: no single number of several has a probability", remedy=f"ask for a range: {span}", code="GIVEN", param="given")


class IdentifierCoding(Coding):
    """No part in the model: new names are made, and scores leave it out."""

    atom = None

    def __init__(self, column: Identifier) -> None:
        self.column = column

    def encode(self, series: pl.Series, rng: Rng) -> Tensor:
        """Nothing."""
        return torch.zeros(len(series), 0)

    def decode(self, x: Tensor, seen: Tensor, limit: Limit, rng: Rng) -> pl.Series:
        """Fresh names."""
        return self.column.series(len(seen), rng.first)


class WordsCoding(Coding):
    """Free text with a law of its own."""

    atom = None
    keeps = "cells"

    def __init__(self, column: Words, law: WordLaw) -> None:
        self.column, self.law = column, law

    def encode(self, series: pl.Series, rng: Rng) -> Tensor:
        """Nothing."""
        return torch.zeros(len(series), 0)

    def decode(self, x: Tensor, seen: Tensor, limit: Limit, rng: Rng) -> pl.Series:
        """New texts."""
        return pl.Series(self.column.name, self.law.sample(len(seen), rng), dtype=pl.String)

    def log_volume(self, series: pl.Series, limit: Limit) -> Tensor:
        """Its log mass."""
        return self.law.log_prob(series.to_list())

    def state(self) -> dict[str, Any]:
        """The law."""
        return self.law.state()


def coding(column: AnyColumn, series: pl.Series, native: bool) -> Coding:
    """The coding of a column, learned: as a real where that is wanted and makes sense, else as cells."""
    if isinstance(column, Category | Boolean):
        return CategoryCoding(column)
    if isinstance(column, Identifier):
        return IdentifierCoding(column)
    if isinstance(column, Words):
        return WordsCoding(column, WordLaw.learned(series.to_list()))
    there = series.drop_nulls()
    heavy = column.grid and len(there) > 0 and int(there.unique_counts().to_numpy().max()) >= HEAVY * len(there)
    real = native and not heavy and not (column.atoms and not column.grid) and (column.distinct > FEW or not column.grid)
    return RealCoding(column) if real else CellCoding.learned(column, series)


def restored(column: AnyColumn, facts: Mapping[str, Any]) -> Coding:
    """The coding that `state` wrote down."""
    if isinstance(column, Category | Boolean):
        return CategoryCoding(column)
    if isinstance(column, Identifier):
        return IdentifierCoding(column)
    if isinstance(column, Words):
        return WordsCoding(column, WordLaw.restored(facts))
    if not facts:
        return RealCoding(column)
    known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()}
    return CellCoding(column, Cells(**known))
