"""Tables as spaces: every column by its coding, missing cells by Maybe."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl
import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.coding import Say
from ilk.distribution import Keeps, Marginal
from ilk.errors import DataError, UsageError, nearest
from ilk.given import Evidence, Presence
from ilk.modalities._codings import Coding, Limit, coding, restored
from ilk.modalities._columns import AnyColumn, Number
from ilk.modalities._table_coded import column
from ilk.modalities._times import When
from ilk.modalities._typical import typical
from ilk.modality import Codec, Lowered, Modality
from ilk.rng import Rng
from ilk.rules import Test
from ilk.space import Maybe, Row, Space
from ilk.store import State

if TYPE_CHECKING:
    from ilk.modalities.table import Table

S = TypeVar("S", bound="TableCodec")


class TableCodec(Codec[pl.DataFrame]):
    """Columns with their codings; `limits` are what is asked of some of them."""

    native = False

    def __init__(self, columns: Sequence[AnyColumn], codings: Mapping[str, Coding], limits: Mapping[str, Limit] | None = None) -> None:
        self.columns, self.codings, self.limits = tuple(columns), codings, limits or {}
        self.kept = {n for n, x in self.limits.items() if x.kept is not None}

    @classmethod
    def learned(cls: type[S], modality: Modality[pl.DataFrame], train: pl.DataFrame) -> S:
        """Codings from the training rows."""
        table: Table = modality  # type: ignore[assignment]
        made = {c.name: coding(c, train[c.name], cls.native) for c in table.columns}
        if all(m.atom is None for m in made.values()):
            raise DataError("no column can be modelled: all are identifiers or texts", code="NOTHING_TO_MODEL", remedy='say otherwise: --types "NAME=category"')
        return cls(table.columns, made)

    @classmethod
    def restored(cls: type[S], modality: Modality[pl.DataFrame], state: State) -> S:
        """Codings from JSON."""
        table: Table = modality  # type: ignore[assignment]
        return cls(table.columns, {c.name: restored(c, state.facts[c.name]) for c in table.columns})

    def state(self) -> State:
        """What each coding learned."""
        return State(facts={n: c.state() for n, c in self.codings.items()})

    @property
    def keeps(self) -> Keeps:  # type: ignore[override]
        """The weakest of the columns'."""
        return max((c.keeps for c in self.codings.values()), key=("bijection", "cells", "refines").index)

    @cached_property
    def space(self) -> Space:  # type: ignore[override]
        """A Row of the columns that have a part."""
        atoms = {c.name: (self.codings[c.name].atom, c.maybe) for c in self.columns}
        return Row({name: Maybe(atom) if maybe else atom for name, (atom, maybe) in atoms.items() if atom is not None})

    def encode(self, items: pl.DataFrame, rng: Rng) -> Batch:
        """One part a column."""
        self._check(items)
        parts = {}
        for c in self.columns:
            made = self.codings[c.name]
            if made.atom is not None:
                seen = torch.from_numpy(items[c.name].is_not_null().to_numpy().copy()) if c.maybe else None
                parts[c.name] = Batch(made.encode(items[c.name], rng.child("grid", c.name)), seen)
        return Batch(parts)

    def _check(self, items: pl.DataFrame) -> None:
        for c in self.columns:
            if c.name not in items.columns:
                raise DataError(f'column "{c.name}" is missing', code="COLUMN", remedy=nearest(c.name, items.columns))
            if not c.maybe and items[c.name].null_count() and self.codings[c.name].atom is not None:
                row = int(items[c.name].is_null().arg_true()[0]) + 1
                raise DataError(f'column "{c.name}" has a missing cell (row {row}); there was none where its type was learnt', code="MISSING",
                                remedy="fit on data with missing cells, or fill it")

    def decode(self, batch: Batch, rng: Rng) -> pl.DataFrame:
        """Cells of every column, within what is asked."""
        made, n = [], len(batch)
        for c in self.columns:
            one, part = self.codings[c.name], batch.parts.get(c.name)
            seen = torch.ones(n, dtype=torch.bool) if part is None or part.seen is None else part.seen
            x = torch.zeros(n, 0) if part is None else part.tensor
            made.append(one.decode(x, seen, self.limits.get(c.name, Limit()), rng.child("cell", c.name)).alias(c.name))
        return pl.DataFrame(made)

    def grids(self) -> dict[str, bool]:
        """Which columns are numbers on a grid."""
        return {c.name: isinstance(c, Number | When) and c.grid for c in self.columns}

    def detailed(self, say: Say, batch: Batch, items: pl.DataFrame | None) -> pl.DataFrame:
        """Cells of every column given their codes, without loss."""
        made, n = [], len(batch)
        for c in self.columns:
            part = batch.parts.get(c.name)
            seen = torch.ones(n, dtype=torch.bool) if part is None or part.seen is None else part.seen
            made.append(column(self.codings[c.name], c.name, say, None if part is None else part.tensor, seen, None if items is None else items[c.name]))
        return pl.DataFrame(made)

    def gaps(self, items: pl.DataFrame, rng: Rng) -> tuple[Batch, Tensor]:
        """Rows of which some cells are not known as a batch, in which all are there, and where they are known, (B, parts)."""
        parts, known = {}, []
        for c in self._modelled():
            known.append(torch.from_numpy(items[c.name].is_not_null().to_numpy().copy()))
            seen = torch.ones(len(items), dtype=torch.bool) if c.maybe else None
            x = self.codings[c.name].encode(items[c.name], rng.child("grid", c.name))
            parts[c.name] = Batch(x.round() if x.is_floating_point() and self.codings[c.name].keeps == "refines" else x, seen)   # the middle of the step
        return Batch(parts), torch.stack(known, 1)

    def filled(self, items: pl.DataFrame, made: Mapping[str, pl.Series]) -> pl.DataFrame:
        """The rows with made cells where they lack, all of a column's or just those; the others as they are."""
        return pl.DataFrame([_filled(series, made.get(series.name)) for series in items.get_columns()])

    def typical(self, laws: Sequence[Marginal], rng: Rng) -> dict[str, pl.Series]:
        """The best single guess at the cells of each column that lack, by their laws."""
        return {c.name: typical(self.codings[c.name], law, rng).alias(c.name) for c, law in zip(self._modelled(), laws, strict=True)}

    def _modelled(self) -> list[AnyColumn]:
        return [c for c in self.columns if self.codings[c.name].atom is not None]

    def log_volume(self, items: pl.DataFrame, rng: Rng) -> Tensor:
        """What the cells that are there add, column by column."""
        self._check(items)
        total = torch.zeros(len(items), dtype=torch.float64)
        for c in self.columns:
            one, limit = self.codings[c.name], self.limits.get(c.name, Limit())
            nats = one.log_volume(items[c.name], limit)
            if one.atom is not None and c.maybe:
                gone = -inf if c.name in self.kept else 0.0
                nats = nats.where(torch.from_numpy(items[c.name].is_not_null().to_numpy().copy()), gone)
            total += nats
        return total

    def given(self, tests: Sequence[Test]) -> Lowered[pl.DataFrame]:
        """Evidence per column; what a coding can't express is left to rejection."""
        limits: dict[str, Limit] = {}
        known: dict[str, Evidence] = {}
        rest: list[Test] = []
        volume = 0.0
        for c in self.columns:
            asked = [t for t in tests if t.part == c.name]
            if not asked:
                continue
            one = self.codings[c.name]
            if one.atom is None:
                raise UsageError(f"`{c.name}` is {c.describe()}: nothing can be asked of it", code="GIVEN", param="given")
            valued, gone = [t for t in asked if t.value is not None], all(t.holds(None) for t in asked)
            piece = one.lower(valued) if valued else None
            if piece is not None:
                limits[c.name], volume = piece.limit, volume + piece.log_volume
                rest += piece.rest
            evidence = _evidence(c, None if piece is None else piece.evidence, gone, any(t.value is None and t.sign == "==" for t in asked), bool(valued))
            if evidence is not None:
                known[c.name] = evidence
        return Lowered(type(self)(self.columns, self.codings, limits), known, volume, tuple(rest))


def _evidence(c: AnyColumn, of: Evidence | None, gone: bool, only_gone: bool, valued: bool) -> Evidence | None:
    """What is known of a column, missing or not."""
    if only_gone and (valued or not c.maybe):
        raise UsageError(f"`{c.name}` can't be missing" if not c.maybe else f"`{c.name}` can't be missing and have a value", code="CONTRADICTION", param="given")
    if not c.maybe:
        return of
    return Presence(-inf if only_gone else 0.0, 0.0 if gone else -inf, of)


def _filled(series: pl.Series, made: pl.Series | None) -> pl.Series:
    gone = series.is_null()
    if made is None or not gone.any():
        return series
    new = made.filter(gone) if len(made) == len(series) else made
    return new.alias(series.name) if gone.all() else series.clone().scatter(gone.arg_true(), new.cast(series.dtype))


class NativeColumns(TableCodec):
    """Numbers as reals (on a grid filled by noise), categories, atoms and tiny grids as whole numbers."""

    native = True


class CellColumns(TableCodec):
    """Every column as a whole number: categories, grid points, or cells with a known law inside. Exact."""




def unknown(columns: Sequence[AnyColumn], tests: Sequence[Test]) -> None:
    """UsageError if a comparison names no column."""
    names = [c.name for c in columns]
    for t in tests:
        if t.part not in names:
            raise UsageError(f"no column {t.part!r}", remedy=nearest(t.part, names), code="COLUMN", param="given")


def constants(columns: Sequence[AnyColumn], tests: Sequence[Test]) -> tuple[Test, ...]:
    """The comparisons with constants in the columns' own types."""
    unknown(columns, tests)
    place: dict[str, Any] = {c.name: c for c in columns}
    made = []
    for t in tests:
        if isinstance(t.value, tuple):
            if None in t.value:
                raise UsageError(f"{t}: a missing cell is not one of several values", remedy="ask == None or != None", code="RULE_TYPE", param="given")
            made.append(replace(t, value=tuple(place[t.part].constant(v, t) for v in t.value)))
        else:
            made.append(t if t.value is None else replace(t, value=place[t.part].constant(t.value, t)))
    return tuple(made)
