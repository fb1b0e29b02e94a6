"""The numbers of tables, as constraints between them read and write them: dates as days, grids as grids."""
from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import inf

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from ilk.errors import UsageError, nearest
from ilk.modalities._columns import AnyColumn, Identifier, Number
from ilk.modalities._times import DAY, When
from ilk.modality import Gauge


def column(columns: Sequence[AnyColumn], name: str) -> Number | When | Identifier:
    """The column of numbers or dates with that name; UsageError if there is none."""
    for c in columns:
        if c.name == name and (isinstance(c, Number | When) or (isinstance(c, Identifier) and c.number)):
            return c
        if c.name == name:
            raise UsageError(f"`{name}` is {c.describe()}: it has no numbers to add or compare", code="RULE_TYPE", param="obey",
                             remedy="rules about single values are given: --given \"city == 'Lyon'\"")
    raise UsageError(f"no column {name!r}", code="COLUMN", param="obey", remedy=nearest(name, [c.name for c in columns]))


def gauge(column: Number | When | Identifier) -> Gauge:
    """How the column's numbers are written."""
    if isinstance(column, When):
        return Gauge(Fraction(column.unit, DAY), Fraction(column.anchor, DAY), date=True)
    if isinstance(column, Identifier):
        return Gauge(Fraction(1))
    low, high = (end if limit is None else float(limit) for end, limit in ((-inf, column.low), (inf, column.high)))
    return Gauge(Fraction(repr(column.step)), Fraction(repr(column.anchor)) if column.grid else Fraction(0), low, high)


def read(column: Number | When | Identifier, series: pl.Series) -> NDArray[np.float64]:
    """Its numbers, NaN where missing."""
    if isinstance(column, When):
        made = (column.fine(series).numpy() * column.unit + column.anchor) / DAY
    else:
        made = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.where(series.is_null().to_numpy(), np.nan, made)


def written(column: Number | When | Identifier, series: pl.Series, values: NDArray[np.float64]) -> pl.Series:
    """The series with other numbers."""
    seen = torch.from_numpy(~np.isnan(values))
    there = np.nan_to_num(values)
    if isinstance(column, Identifier):
        return pl.Series(column.name, np.rint(there).astype(np.int64))
    if isinstance(column, When):
        return column.series(torch.from_numpy(np.rint((there * DAY - column.anchor) / column.unit)), seen)
    if not column.grid:
        return column.series(torch.from_numpy(there), seen)
    made = column.series(torch.from_numpy(np.rint((there - column.anchor) / column.step)), seen)
    return made.cast(series.dtype)
