"""What a column of a table is: its type fixes its base measure and what may be asked of it. One class a kind."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import polars as pl
import torch
from annotated_types import Interval
from torch import Tensor

from ilk.errors import nearest
from ilk.modalities._cells import Floats
from ilk.modalities._column import Column, masked
from ilk.modalities._times import When
from ilk.rules import Test, Value


@dataclass(frozen=True, kw_only=True)
class Category(Column):
    """One of some texts: counting measure."""

    kind: Literal["category"] = "category"
    values: tuple[str, ...] = ()

    def describe(self) -> str:
        """How many values, and the first of them."""
        few = ", ".join(v[:20] for v in self.values[:4])
        return f"category of {len(self.values)}: {few}{', ...' if len(self.values) > 4 else ''}"

    @property
    def raw(self) -> tuple[str, ...]:
        """What stands in a cell, per code."""
        return self.values

    def codes(self, series: pl.Series) -> Tensor:
        """Indexes of values, 0 where missing; DataError for a value never seen."""
        text = series if series.dtype == pl.String else series.cast(pl.String)
        found = text.replace_strict(list(self.values), list(range(len(self.values))), default=-1, return_dtype=pl.Int64)
        found = pl.select(pl.when(text.is_null()).then(0).otherwise(found)).to_series()
        if bool((found < 0).any()):
            raise self._bad(series, found < 0, "was never seen in training")
        return torch.from_numpy(found.to_numpy().copy())

    def series(self, codes: Tensor, seen: Tensor) -> pl.Series:
        """The column again."""
        values = pl.Series(list(self.values), dtype=pl.String)
        made = values.gather(pl.Series(codes.numpy())) if len(values) else pl.Series([None] * len(codes), dtype=pl.String)
        return masked(made.alias(self.name), seen)

    def constant(self, value: Value, test: Test) -> Value:
        """A text among the values; a number is taken as its text."""
        if test.sign not in ("==", "!=", "in", "not in"):
            raise self._strange(value, test, "texts have no order; ask == != or in")
        text = value if isinstance(value, str) else str(value)
        if text not in self.values:
            raise self._strange(value, test, f"it is never that; {nearest(text, self.values[:30])}")
        return text


@dataclass(frozen=True, kw_only=True)
class Boolean(Column):
    """True or false: counting measure."""

    kind: Literal["boolean"] = "boolean"
    raw = (False, True)

    def describe(self) -> str:
        """Boolean."""
        return "boolean"

    def codes(self, series: pl.Series) -> Tensor:
        """0 or 1, 0 where missing."""
        if series.dtype == pl.String:
            lower = series.str.to_lowercase()
            if bool((bad := ~lower.is_in(["true", "false"]) & series.is_not_null()).any()):
                raise self._bad(series, bad, "is neither true nor false")
            series = lower == "true"
        return torch.from_numpy(series.cast(pl.Int64).fill_null(0).to_numpy().copy())

    def series(self, codes: Tensor, seen: Tensor) -> pl.Series:
        """The column again."""
        return masked(pl.Series(self.name, codes.numpy() > 0), seen)

    def constant(self, value: Value, test: Test) -> Value:
        """True or False, also as text or 0 and 1."""
        text = str(value).lower()
        if test.sign not in ("==", "!=", "in", "not in") or text not in ("true", "false", "0", "1"):
            raise self._strange(value, test, "it is True or False")
        return text in ("true", "1")


@dataclass(frozen=True, kw_only=True)
class Number(Column):
    """Numbers: on a grid (counting measure), or continuous (Lebesgue) with atoms (counted).

    `step` 0 means continuous; else every number is `anchor` plus a whole number of steps.
    """

    kind: Literal["number"] = "number"
    step: Annotated[float, Interval(ge=0)] = 0.0
    anchor: float = 0.0
    integer: bool = False
    atoms: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None
    distinct: int = 0

    @property
    def grid(self) -> bool:
        """Whether it has a step."""
        return self.step > 0

    def describe(self) -> str:
        """Integer, grid or continuous."""
        sort = "integer" if self.integer else f"number in steps of {self.step:g}" if self.grid else "continuous number"
        return sort + (f" with {len(self.atoms)} atoms" if self.atoms and not self.grid else "")

    def floats(self, series: pl.Series) -> pl.Series:
        """The cells as float64; DataError for text or infinities."""
        made = series.cast(pl.Float64, strict=False)
        bad = (made.is_null() & series.is_not_null()) | made.is_infinite().fill_null(False) | made.is_nan().fill_null(False)
        if bool(bad.any()):
            raise self._bad(series, bad, "is not a finite number")
        return made

    def fine(self, series: pl.Series) -> Tensor:
        """Numbers in fine units; `anchor` where missing. DataError for one off the grid."""
        raw = self.floats(series)
        if not self.grid:
            return torch.from_numpy(raw.fill_null(0.0).to_numpy().copy())
        f = (raw - self.anchor) / self.step
        whole = f.round()
        if bool((bad := ((f - whole).abs() > 1e-4).fill_null(False)).any()):
            raise self._bad(series, bad, f"lies between the steps of {self.step:g}")
        return torch.from_numpy(whole.fill_null(0.0).to_numpy().copy())

    def series(self, f: Tensor, seen: Tensor) -> pl.Series:
        """The column again."""
        raw = f.numpy() * self.step + self.anchor if self.grid else f.numpy()
        if self.integer:
            return masked(pl.Series(self.name, np.clip(np.round(raw), -9e18, 9e18).astype(np.int64)), seen)
        if self.grid:
            raw = np.round(raw, max(0, int(np.ceil(-np.log10(self.step))) + 1))
        return masked(pl.Series(self.name, raw, dtype=pl.Float64), seen)

    def constant(self, value: Value, test: Test) -> Value:
        """A number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise self._strange(value, test, "it holds numbers")
        return value

    def to_fine(self, value: float) -> float:
        """A raw constant in fine units."""
        return round((float(value) - self.anchor) / self.step, 9) if self.grid else float(value)


@dataclass(frozen=True, kw_only=True)
class Identifier(Column):
    """A name of the row and nothing else: not modelled, never copied, made afresh; scores leave it out.

    A text is `prefix` and a number, with zeros before it up to `width` digits.
    """

    kind: Literal["identifier"] = "identifier"
    first: int = 0
    number: bool = False
    prefix: str = ""
    width: int = 0

    def describe(self) -> str:
        """Identifier."""
        return "identifier (not modelled; new ones are made)"

    def series(self, rows: int, start: int) -> pl.Series:
        """Fresh ones: that of row i counts on from the largest seen by `start` + i."""
        first = self.first + start
        if self.number:
            return pl.Series(self.name, np.arange(first, first + rows))
        return pl.Series(self.name, [self.prefix + str(first + i).zfill(self.width) for i in range(rows)], dtype=pl.String)


@dataclass(frozen=True, kw_only=True)
class Words(Column):
    """Free text, hardly ever twice the same: a character model of its own, independent of the other columns."""

    kind: Literal["text"] = "text"

    def describe(self) -> str:
        """Text."""
        return "text (modelled by itself, character by character)"


AnyColumn = Category | Boolean | Number | When | Identifier | Words


def identifier(name: str, maybe: bool, there: pl.Series) -> Identifier:
    """Texts such as "user-017": new ones are written alike and count on from the largest. Others are followed by "new-1" and so on."""
    prefix, digits = (there.str.extract(r"^(.*?)([0-9]{1,18})$", group) for group in (1, 2))
    if not len(there) or digits.null_count() or prefix.n_unique() > 1:
        return Identifier(name=name, maybe=maybe, prefix="new-", first=len(there) + 1)
    width = digits.filter(digits.str.contains("^0.")).str.len_chars().max() or 0
    return Identifier(name=name, maybe=maybe, prefix=prefix[0], width=int(width), first=int(digits.cast(pl.Int64).max()) + 1)  # type: ignore[arg-type]


def floats_of(series: pl.Series) -> Floats:
    """Non-null cells as float64."""
    made: Floats = series.drop_nulls().to_numpy().astype(np.float64)
    return made
