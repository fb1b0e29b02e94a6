"""Rows of a table that stay on disk: read as they are asked for, a stretch at a time."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from torch import Tensor

from ilk.modalities._columns import AnyColumn
from ilk.modalities._infer import conform

STRETCH = 1 << 17


@dataclass(frozen=True, eq=False)
class Rows:
    """An Arrow or Parquet file as a collection of rows, in the types of `columns` once these are known."""

    at: Path
    length: int
    columns: tuple[AnyColumn, ...] = ()

    @classmethod
    def of(cls, at: Path) -> Rows:
        """All rows of a file, types unknown."""
        found = cls(at, 0)
        return replace(found, length=int(found._lazy().select(pl.len()).collect().item()))

    def __len__(self) -> int:
        return self.length

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self._lazy().collect_schema().names()

    def column(self, name: str) -> pl.Series:
        """One whole column, as it is in the file."""
        return self._lazy().select(name).collect().to_series()

    def typed(self, columns: Sequence[AnyColumn]) -> Rows:
        """The same rows in these types."""
        return replace(self, columns=tuple(columns))

    def take(self, index: Tensor) -> pl.DataFrame:
        """Rows by index, each stretch of the file read once."""
        order = index.argsort(stable=True)
        rising = index[order]
        parts = []
        for start in range(0, self.length, STRETCH):
            inside = rising[(rising >= start) & (rising < start + STRETCH)]
            if len(inside):
                first, last = int(inside[0]), int(inside[-1])
                stretch = self._lazy().slice(first, last - first + 1).collect()
                parts.append(stretch if len(inside) == len(stretch) else stretch[(inside - first).numpy()])
        found = pl.concat(parts) if parts else self._lazy().head(0).collect()
        back = found if bool((order.diff() == 1).all()) else found[order.argsort().numpy()]
        return conform(back, self.columns) if self.columns else back

    def stretches(self) -> Iterator[pl.DataFrame]:
        """All rows in order, a stretch at a time."""
        for start in range(0, self.length, STRETCH):
            found = self._lazy().slice(start, STRETCH).collect()
            yield conform(found, self.columns) if self.columns else found

    def _lazy(self) -> pl.LazyFrame:
        return pl.scan_parquet(self.at) if self.at.suffix in (".parquet", ".pq") else pl.scan_ipc(self.at)
