"""Types of columns from their cells: inferred, or as the user says."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import polars as pl
import torch

from ilk.errors import DataError, UsageError, nearest
from ilk.modalities._cells import Floats
from ilk.modalities._columns import AnyColumn, Boolean, Category, Identifier, Number, Words, floats_of, identifier
from ilk.modalities._times import DAY, SECOND, When

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "null", "NULL", "#N/A", "<NA>", "?")
FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y年%m月%d日", "%d.%m.%Y")
KINDS = ("number", "integer", "continuous", "category", "boolean", "date", "text", "identifier")
MOST_VALUES, HEAVY = 10_000, 0.01
MOST_STEPS = 2**51  # of a grid: half of one more must still be a number of its own


def columns(frame: pl.DataFrame, types: Mapping[str, str], first_row: int) -> tuple[pl.DataFrame, tuple[AnyColumn, ...]]:
    """The frame with cells in their own types, and the type of every column. Row numbers in errors count from `first_row`."""
    _check(types, frame.columns)
    made = [_column(frame[name], types.get(name), first_row) for name in frame.columns]
    return pl.DataFrame([series for series, _ in made]), tuple(column for _, column in made)


class Wide(Protocol):
    """Rows that are looked at a column at a time."""

    @property
    def names(self) -> list[str]: ...
    def column(self, name: str) -> pl.Series: ...


def inferred(rows: Wide, types: Mapping[str, str], first_row: int) -> tuple[AnyColumn, ...]:
    """The type of every column, one column in memory at a time."""
    _check(types, rows.names)
    return tuple(_column(rows.column(name), types.get(name), first_row)[1] for name in rows.names)


def _check(types: Mapping[str, str], names: Sequence[str]) -> None:
    if strange := [n for n in types if n not in names]:
        raise UsageError(f"no column {strange[0]!r}", remedy=nearest(strange[0], names), code="COLUMN", param="types")
    if wrong := [t for t in types.values() if t not in KINDS]:
        raise UsageError(f"no column type {wrong[0]!r}", remedy=nearest(wrong[0], KINDS), code="TYPE", param="types")


def conform(frame: pl.DataFrame, columns: Sequence[AnyColumn]) -> pl.DataFrame:
    """The cells of a frame as columns that are known already; DataError for a column that is missing or a cell that does not fit."""
    made = []
    for c in columns:
        if c.name not in frame.columns:
            raise DataError(f'there is no column "{c.name}"', code="COLUMN", remedy=nearest(c.name, frame.columns))
        series = _blank(frame[c.name]) if frame[c.name].dtype == pl.String else frame[c.name]
        if isinstance(c, Number):
            number = c.floats(series)
            series = number.cast(pl.Int64, strict=False) if c.integer and bool((number.drop_nulls() == number.drop_nulls().round()).all()) else number
        elif isinstance(c, Boolean):
            series = series if series.dtype == pl.Boolean else c.series(c.codes(series), torch.from_numpy(series.is_not_null().to_numpy().copy()))
        elif isinstance(c, Category | Words):
            series = series.cast(pl.String)
        elif isinstance(c, Identifier) and c.number and series.dtype == pl.String:
            whole = series.cast(pl.Int64, strict=False)
            series = whole if whole.null_count() == series.null_count() else series
        made.append(series.alias(c.name))
    return pl.DataFrame(made)


def _column(series: pl.Series, asked: str | None, first_row: int) -> tuple[pl.Series, AnyColumn]:
    if series.dtype in (pl.Categorical, pl.Enum, pl.Null):
        series = series.cast(pl.String)
    if series.dtype == pl.String:
        series = _blank(series)
    elif series.dtype.is_float():
        series = series.fill_nan(None)
    if not (series.dtype == pl.String or series.dtype.is_numeric() or series.dtype in (pl.Boolean, pl.Date) or series.dtype == pl.Datetime):
        raise DataError(f'column "{series.name}" holds {series.dtype}', code="DATA_TYPE", remedy="tables hold numbers, texts, booleans, dates and times")
    if asked is None:
        return _inferred(series, first_row)
    return _as_asked(series, asked, first_row)


def _blank(series: pl.Series) -> pl.Series:
    text = series.str.strip_chars()
    return pl.select(pl.when(~text.is_in(list(MISSING))).then(text).alias(series.name)).to_series()


def _inferred(series: pl.Series, first_row: int) -> tuple[pl.Series, AnyColumn]:
    there = series.drop_nulls()
    maybe, n, name = series.null_count() > 0, len(there), series.name
    if series.dtype == pl.Boolean:
        return series, Boolean(name=name, maybe=maybe)
    if series.dtype.is_numeric():
        return _number(series, first_row)
    if series.dtype != pl.String:
        return series, _when(series, text=False, form="%Y-%m-%d" if series.dtype == pl.Date else "%Y-%m-%d %H:%M:%S")
    if n and bool(there.str.to_lowercase().is_in(["true", "false"]).all()):
        return series.str.to_lowercase() == "true", Boolean(name=name, maybe=maybe)
    numbers = there.cast(pl.Float64, strict=False)
    share = 0.0 if n == 0 else numbers.is_finite().fill_null(False).sum() / n
    zeros = n and bool(there.str.contains(r"^[-+]?0\d").any())
    if share == 1 and not zeros:
        return _number(series, first_row)
    if share >= 0.9 and not zeros:
        raise _mixed(series, first_row)
    for form in FORMS if n else ():
        if there.head(50).str.strptime(pl.Datetime("us"), form, strict=False).null_count() == 0 \
                and there.str.strptime(pl.Datetime("us"), form, strict=False).null_count() == 0:
            return series, _when(series, text=True, form=form)
    return series, _texts(series, there)


def _mixed(series: pl.Series, first_row: int) -> DataError:
    numbers = series.cast(pl.Float64, strict=False)
    bad = series.is_not_null() & ~numbers.is_finite().fill_null(False)
    row = int(bad.arg_true()[0])
    return DataError(f'row {row + first_row} column "{series.name}": {series[row][:60]!r} is not a finite number, but most cells are', code="DATA_TYPE",
                     remedy=f'mend the cell, leave it empty, or say what it is: --types "{series.name}=text" (or category), or --bad missing', param=series.name)


def _texts(series: pl.Series, there: pl.Series) -> AnyColumn:
    name, maybe, n = series.name, series.null_count() > 0, len(there)
    distinct = there.n_unique()
    longest = int(there.str.len_chars().max() or 0)  # type: ignore[arg-type]
    if distinct == n and n >= 20 and longest <= 40 and not bool(there.str.contains(r"\s").any()) and int(there.str.contains(r"\d").sum()) > 0.5 * n:
        return identifier(name, maybe, there)
    if distinct > MOST_VALUES or (distinct > 50 and distinct > 0.5 * n):
        return Words(name=name, maybe=maybe)
    return Category(name=name, maybe=maybe, values=tuple(there.unique().sort().to_list()))


def _number(series: pl.Series, first_row: int) -> tuple[pl.Series, AnyColumn]:
    name, maybe = series.name, series.null_count() > 0
    raw = series.cast(pl.Float64, strict=False)
    bad = series.is_not_null() & ~raw.is_finite().fill_null(False)
    if bool(bad.any()):
        row = int(bad.arg_true()[0])
        raise DataError(f'row {row + first_row} column "{name}": {str(series[row])[:60]!r} is not a finite number', code="DATA_TYPE",
                        remedy="mend the cell, leave it empty, or --bad missing", param=name)
    x = floats_of(raw)
    if len(x) and float(np.abs(x).max()) > 1e150:
        row = int((raw.abs() > 1e150).fill_null(False).arg_true()[0])
        raise DataError(f'row {row + first_row} column "{name}": {series[row]} is too large to model', code="DATA_TYPE", remedy="numbers stay below 1e150", param=name)
    whole = len(x) > 0 and bool((x == np.round(x)).all()) and float(np.abs(x).max()) < 2**53 and float(x.max() - x.min()) <= MOST_STEPS
    if whole and (series.dtype.is_integer() or series.dtype == pl.String and not bool(series.drop_nulls().str.contains(r"[.eE]").any())):
        if _names_rows(name, x):
            return raw.cast(pl.Int64), Identifier(name=name, maybe=maybe, number=True, first=int(x.max()) + 1)
        return raw.cast(pl.Int64), _grid(name, maybe, x, 1.0, True)
    step = _step(x)
    return raw, _grid(name, maybe, x, step, False) if step else _continuous(name, maybe, x)


def _names_rows(name: str, x: Floats) -> bool:
    if len(x) < 20 or len(np.unique(x)) < len(x):
        return False
    consecutive = x.max() - x.min() + 1 == len(x) and bool((np.diff(x) == 1).all())
    return consecutive or bool(re.search(r"(^|[_\s-])(id|uuid|key|index)$", name.lower()))


def _step(x: Floats) -> float:
    """The coarsest 10^-k (k <= 6) that all numbers are whole multiples of; 0 for none."""
    if not len(x):
        return 1.0
    top = float(np.abs(x).max())
    for k in range(7):
        f = x * 10.0**k
        if top * 10.0**k < 2**40 and bool((np.abs(f - np.round(f)) < 1e-6 + 1e-13 * np.abs(f)).all()):
            return 10.0**-k
    return 0.0


def _grid(name: str, maybe: bool, x: Floats, step: float, integer: bool) -> Number:
    anchor = float(x.min()) if len(x) else 0.0
    return Number(name=name, maybe=maybe, step=step, anchor=anchor, integer=integer, distinct=len(np.unique(x)))


def _continuous(name: str, maybe: bool, x: Floats) -> Number:
    values, counts = np.unique(x, return_counts=True)
    atoms = values[(counts >= max(3, HEAVY * len(x))) | (len(values) == 1)]
    return Number(name=name, maybe=maybe, atoms=tuple(atoms[:256].tolist()), distinct=len(values))


def _when(series: pl.Series, text: bool, form: str) -> When:
    stamps = series.str.strptime(pl.Datetime("us"), form, strict=False) if text else series.cast(pl.Datetime("us"))
    there = stamps.dt.replace_time_zone(None).cast(pl.Int64).drop_nulls()
    unit = next((u for u in (DAY, 3600 * SECOND, 60 * SECOND, SECOND) if bool((there % u == 0).all())), 1)
    low, high = int(there.min() or 0), int(there.max() or 0)  # type: ignore[arg-type]
    if (high - low) // unit > MOST_STEPS:
        raise DataError(f'column "{series.name}" spans too many years for times to the microsecond', code="DATA_TYPE", remedy="round them to seconds")
    return When(name=series.name, maybe=series.null_count() > 0, unit=unit, form=form, anchor=low, distinct=there.n_unique(), text=text)


def _as_asked(series: pl.Series, asked: str, first_row: int) -> tuple[pl.Series, AnyColumn]:
    name, maybe = series.name, series.null_count() > 0
    if asked in ("category", "text", "identifier"):
        text = series.cast(pl.String)
        there = text.drop_nulls()
        if asked == "category":
            return text, Category(name=name, maybe=maybe, values=tuple(there.unique().sort().to_list()))
        if asked == "text":
            return text, Words(name=name, maybe=maybe)
        return text, identifier(name, maybe, there)
    if asked == "boolean":
        lower = series.cast(pl.String).str.to_lowercase()
        return _strict(series, lower.replace_strict(["true", "false", "1", "0", "yes", "no"], [True, False] * 3, default=None, return_dtype=pl.Boolean),
                       "true or false", first_row), Boolean(name=name, maybe=maybe)
    if asked == "date":
        forms = [f for f in FORMS if series.dtype == pl.String and series.drop_nulls().str.strptime(pl.Datetime("us"), f, strict=False).null_count() == 0]
        if series.dtype == pl.String and not forms:
            raise DataError(f'column "{name}" holds no dates that can be read', code="DATA_TYPE", remedy="forms such as 2024-05-17 or 2024-05-17 09:30:00")
        return series, _when(series, series.dtype == pl.String, forms[0] if forms else "%Y-%m-%d %H:%M:%S")
    number, column = _number(_strict(series, series.cast(pl.Float64, strict=False), "a number", first_row) if series.dtype == pl.String else series, first_row)
    if asked == "continuous" and isinstance(column, Number):
        return number.cast(pl.Float64), _continuous(name, maybe, floats_of(number))
    if isinstance(column, Identifier):
        return number, _grid(name, maybe, floats_of(number), 1.0, True)
    return number, column


def _strict(series: pl.Series, made: pl.Series, wanted: str, first_row: int) -> pl.Series:
    bad = made.is_null() & series.is_not_null()
    if bool(bad.any()):
        row = int(bad.arg_true()[0])
        raise DataError(f'row {row + first_row} column "{series.name}": {str(series[row])[:60]!r} is not {wanted}', code="DATA_TYPE",
                        remedy=f'mend the cell or drop the type: --types "{series.name}=text"', param=series.name)
    return made.alias(series.name)
