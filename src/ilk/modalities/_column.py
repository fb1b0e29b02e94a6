"""What every column of a table has, whatever its kind."""
from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from torch import Tensor

from ilk.errors import DataError, UsageError
from ilk.rules import Test, Value


@dataclass(frozen=True, kw_only=True)
class Column:
    """A named column; `maybe`: some of its cells are missing."""

    name: str
    maybe: bool = False

    def describe(self) -> str:
        """The type in a few words."""
        return "column"

    def constant(self, value: Value, test: Test) -> Value:
        """A constant of a rule in the column's own type; UsageError if it can't be."""
        raise self._strange(value, test, "nothing can be asked of it")

    def _strange(self, value: Value, test: Test, wanted: str) -> UsageError:
        return UsageError(f"`{self.name}` {test.sign} {value!r}: {wanted}", code="RULE_TYPE", param="given")

    def _bad(self, series: pl.Series, bad: pl.Series, what: str) -> DataError:
        row = int(bad.arg_true()[0])
        return DataError(f'column "{self.name}", row {row + 1}: {str(series[row])[:60]!r} {what}', code="DATA_TYPE")


def masked(series: pl.Series, seen: Tensor) -> pl.Series:
    """The series with null where `seen` is false."""
    if bool(seen.all()):
        return series
    keep = pl.Series(seen.numpy())
    return pl.select(pl.when(keep).then(series).alias(series.name)).to_series()
