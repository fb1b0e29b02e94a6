"""Tables: CSV, TSV, Parquet, Arrow, JSONL, and polars, pandas or pyarrow frames; types inferred, missing cells modelled."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ilk.dataset import Dataset, Origin, given_splits
from ilk.errors import DataError, UsageError
from ilk.files import atomic
from ilk.modalities import _numbers
from ilk.modalities._columns import Boolean, Category, Identifier, Number, Words
from ilk.modalities._infer import columns as infer
from ilk.modalities._infer import conform, inferred
from ilk.modalities._reading import SUFFIXES, Found, from_memory, read_file
from ilk.modalities._rows import Rows
from ilk.modalities._table_codecs import CellColumns, NativeColumns, constants, unknown
from ilk.modalities._times import When
from ilk.modality import Codec, Gauge, Limits, Modality, Shown
from ilk.rules import Test, Value

AnyColumn = Annotated[Category | Boolean | Number | When | Identifier | Words, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True)
class Table(Modality[pl.DataFrame]):
    """Rows of named columns.

    `types` overrides what is inferred (number, integer, continuous, category, boolean, date, text, identifier);
    `bounds` declares (low, high) of numbers, so that nothing beyond them is made; `bad` says what a cell that does not
    fit its column is: refused, or taken as missing. `columns` is filled by `read`.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    bad: Literal["refuse", "missing"] = "refuse"
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: str | None = None
    columns: tuple[AnyColumn, ...] = ()

    @classmethod
    def claims(cls, raw: Any) -> bool:
        """Table files, frames, and mappings of columns."""
        if isinstance(raw, str | Path):
            return Path(raw).suffix.lower() in SUFFIXES
        return isinstance(raw, pl.DataFrame | pl.LazyFrame | dict) or type(raw).__module__.split(".")[0] in ("pandas", "pyarrow", "modin", "cudf")

    def read(self, at: Any, limits: Limits) -> Dataset[pl.DataFrame]:
        """A file, a folder of train and test files, or a frame."""
        if isinstance(at, str | Path) and os.path.isdir(at):
            return self._folder(Path(at), limits)
        found = read_file(Path(at), self.separator, self.encoding, limits) if isinstance(at, str | Path) else from_memory(at)
        return self.dataset(found, Origin(str(at) if isinstance(at, str | Path) else "memory", notes=found.notes))

    def dataset(self, found: Found, origin: Origin = Origin()) -> Dataset[pl.DataFrame]:
        """A frame with its types; DataError if it has no rows or columns."""
        if isinstance(found.frame, Rows):
            return self._on_disk(found.frame, found.first_row, origin)
        if not found.frame.width or not len(found.frame):
            raise DataError(f"{origin.name or 'the table'} has no rows", code="EMPTY", remedy="a table needs a header and at least two rows")
        frame = self._forgiven(found.frame) if self.bad == "missing" else found.frame
        if self.columns:
            return Dataset(self, conform(frame, self.columns), origin=origin)
        typed, columns = infer(frame, self.types, found.first_row)
        if strange := [n for n in self.bounds if n not in typed.columns]:
            raise UsageError(f"no column {strange[0]!r} to bound", code="COLUMN", param="bounds")
        bounded = tuple(self._bounded(c, typed[c.name], found.first_row) for c in columns)
        return Dataset(replace(self, columns=bounded), typed, origin=origin)

    def _on_disk(self, rows: Rows, first_row: int, origin: Origin) -> Dataset[pl.DataFrame]:
        """Rows that stay where they are: the types are found a column at a time."""
        if self.bad == "missing":
            raise UsageError("cells that don't fit can't be forgiven in a file of this size", remedy="--bad refuse", code="OPTION", param="bad")
        columns = self.columns or tuple(
            self._bounded(c, rows.column(c.name), first_row) if c.name in self.bounds else c for c in inferred(rows, self.types, first_row))
        items: Any = rows.typed(columns)
        return Dataset(replace(self, columns=columns), items, origin=origin)

    def splits(self, frames: Mapping[str, pl.DataFrame], origin: Origin = Origin()) -> Dataset[pl.DataFrame]:
        """Frames of one table that somebody else divided: types come from all, statistics from train alone."""
        whole = self.dataset(Found(pl.concat(list(frames.values()), how="vertical_relaxed")), origin)
        sizes = [len(f) for f in frames.values()]
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        parts = {n: whole.items[a:a + s] for n, a, s in zip(frames, starts, sizes, strict=True)}
        return given_splits(whole.modality, parts, origin)

    def _folder(self, at: Path, limits: Limits) -> Dataset[pl.DataFrame]:
        files = {p.stem: p for p in sorted(at.iterdir()) if p.stem in ("train", "valid", "test") and p.suffix.lower() in SUFFIXES}
        if "train" not in files:
            raise DataError(f"{at} holds no train.csv", code="FORMAT", remedy="name a file, or a folder with train.csv and test.csv")
        read = {n: read_file(p, self.separator, self.encoding, limits).frame for n, p in files.items()}
        return self.splits({n: f.take(torch.arange(len(f))) if isinstance(f, Rows) else f for n, f in read.items()}, Origin(str(at)))

    def _bounded(self, column: Any, cells: pl.Series, first_row: int) -> Any:
        if column.name not in self.bounds:
            return column
        low, high = self.bounds[column.name]
        if not isinstance(column, Number):
            raise UsageError(f"`{column.name}` is {column.describe()}: it has no bounds", code="TYPE", param="bounds")
        least, most = (-inf if low is None else low), (inf if high is None else high)
        if not least < most:
            raise UsageError(f"the bounds {low} and {high} of `{column.name}` leave no room", code="OPTION", param="bounds")
        if bool((out := ~cells.is_between(least, most).fill_null(True)).any()):
            row = int(out.arg_true()[0])
            raise DataError(f'row {row + first_row} column "{column.name}": {cells[row]} is not within the bounds {low} and {high}', code="DATA_RANGE",
                            remedy="mend the cell or widen --bounds", param="bounds")
        return replace(column, low=low, high=high)

    def _forgiven(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Cells that are no finite numbers become missing where most are."""
        made = []
        for series in frame.get_columns():
            numbers = series.cast(pl.Float64, strict=False) if series.dtype == pl.String else series
            if numbers.dtype.is_numeric():
                good = numbers.cast(pl.Float64).is_finite().fill_null(False)
                mostly = good.sum() >= 0.5 * max(1, len(series) - series.null_count())
                series = pl.select(pl.when(good).then(series).alias(series.name)).to_series() if mostly else series
            made.append(series)
        return pl.DataFrame(made)

    def write(self, items: pl.DataFrame, to: Path) -> None:
        """By the suffix: CSV, TSV, Parquet, Arrow, JSONL."""
        kind = to.suffix.lower()
        if kind not in SUFFIXES:
            raise UsageError(f"a table can't be written as {to.name}", remedy=f"use one of {', '.join(SUFFIXES)}", code="FORMAT", param="out")
        with atomic(to) as file:
            try:
                _write(items, file, kind)
            except pl.exceptions.PolarsError as why:
                raise OSError(str(why)) from None

    def codecs(self) -> Sequence[type[Codec[pl.DataFrame]]]:
        """Numbers as numbers first, then everything as whole numbers."""
        return (NativeColumns, CellColumns)

    def parts(self, item: pl.DataFrame) -> dict[str, Value]:
        """Every cell by its column."""
        return dict(item.row(0, named=True))

    def gauges(self, names: Sequence[str]) -> list[Gauge]:
        """How the numbers of columns are written."""
        return [_numbers.gauge(_numbers.column(self.columns, name)) for name in names]

    def numbers(self, items: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
        """Numbers, and dates as days."""
        return np.stack([_numbers.read(_numbers.column(self.columns, name), items[name]) for name in names], 1)

    def renumbered(self, items: pl.DataFrame, names: Sequence[str], values: NDArray[np.float64]) -> pl.DataFrame:
        """The frame with other numbers."""
        return items.with_columns([_numbers.written(_numbers.column(self.columns, name), items[name], values[:, i]) for i, name in enumerate(names)])

    def take(self, items: pl.DataFrame, index: Tensor) -> pl.DataFrame:
        """Rows by index; a run of rows is a view."""
        if isinstance(items, Rows):
            return items.take(index)
        if len(index) and int(index[-1]) - int(index[0]) + 1 == len(index) and bool((index.diff() == 1).all()):
            return items.slice(int(index[0]), len(index))
        return items[index.numpy()]

    def join(self, pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
        """One frame."""
        return pl.concat(pieces)

    def obeys(self, items: pl.DataFrame, tests: Sequence[Test]) -> Tensor:
        """Which rows obey; numbers and times are compared in fine units, so that a grid has no rounding."""
        unknown(self.columns, tests)
        place: dict[str, Any] = {c.name: c for c in self.columns}
        out = torch.ones(len(items), dtype=torch.bool)
        for t in tests:
            out &= _obeys(place[t.part], items[t.part], t)
        return out

    def number(self, items: pl.DataFrame, part: str) -> Tensor:
        """A column of numbers, times or truths; times in their own small units."""
        unknown(self.columns, [Test(part, "==", None)])
        cells = items[part]
        if not (cells.dtype.is_numeric() or cells.dtype.is_temporal() or cells.dtype == pl.Boolean):
            raise UsageError(f"`{part}` is no number", code="QUANTITY", param="given", remedy=f"a rule such as \"`{part}` == 'this'\"")
        return torch.from_numpy(cells.to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy().copy())

    def checked(self, tests: Sequence[Test]) -> tuple[Test, ...]:
        """Constants in the columns' own types; UsageError for an unknown column or a constant that can't be."""
        return constants(self.columns, tests)

    def show(self, items: pl.DataFrame) -> Shown:
        """HTML."""
        html: str = items.head(20)._repr_html_()
        return Shown("text/html", html.encode())

    def keys(self, items: pl.DataFrame) -> NDArray[np.uint64]:
        """A hash per row."""
        if isinstance(items, Rows):
            return np.concatenate([self.keys(piece) for piece in items.stretches()])
        return items.hash_rows(seed=0).to_numpy()

    @property
    def measure(self) -> str:
        """Counting measure, and Lebesgue in the units of each continuous column."""
        smooth = [c.name for c in self.columns if isinstance(c, Number) and not c.grid]
        left = [c.name for c in self.columns if isinstance(c, Identifier)]
        text = "counting measure" + (f", Lebesgue in the units of {', '.join(smooth)}" if smooth else "")
        return text + (f"; {', '.join(left)} left out" if left else "")


def _write(items: pl.DataFrame, file: BinaryIO, kind: str) -> None:
    if kind in (".parquet", ".pq"):
        items.write_parquet(file)
    elif kind in (".arrow", ".feather", ".ipc"):
        items.write_ipc(file)
    elif kind in (".jsonl", ".ndjson"):
        items.write_ndjson(file)
    else:
        items.write_csv(file, separator="\t" if kind in (".tsv", ".tab") else ",")


def _obeys(column: Any, series: pl.Series, test: Test) -> Tensor:
    there = torch.from_numpy(series.is_not_null().to_numpy().copy())
    if test.value is None:
        return ~there if test.sign == "==" else there
    if isinstance(column, Number | When):
        f = column.fine(series)
        values = [column.to_fine(v) for v in (test.value if isinstance(test.value, tuple) else (test.value,))]  # type: ignore[arg-type]
        return _compared(f, test.sign, values) & there
    wanted = test.value if isinstance(test.value, tuple) else (test.value,)
    mask = torch.tensor([any(v == w for w in wanted) for v in column.raw] or [False])
    inside = mask[column.codes(series)]
    return (inside if test.sign in ("==", "in") else ~inside) & there


def _compared(f: Tensor, sign: str, values: Sequence[float]) -> Tensor:
    if sign in ("==", "in", "!=", "not in"):
        inside = torch.isin(f, torch.tensor(values, dtype=torch.float64))
        return inside if sign in ("==", "in") else ~inside
    v = values[0] if values else inf
    return {"<": f < v, "<=": f <= v, ">": f > v, ">=": f >= v}[sign]
