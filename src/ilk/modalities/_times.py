"""Dates and times as a column: whole units on a grid, in the form they were read in."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
import torch
from annotated_types import Interval
from torch import Tensor

from ilk.modalities._column import Column, masked
from ilk.rules import Test, Value

DAY, SECOND = 86_400_000_000, 1_000_000


@dataclass(frozen=True, kw_only=True)
class When(Column):
    """Dates or times on a grid of `unit` microseconds: counting measure. `form` is the text form it was read in."""

    kind: Literal["when"] = "when"
    unit: Annotated[int, Interval(ge=1)] = DAY
    form: str = "%Y-%m-%d"
    anchor: int = 0
    distinct: int = 0
    text: bool = True

    grid = True
    integer = True
    atoms: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None

    def describe(self) -> str:
        """Date or time."""
        return "date" if self.unit == DAY else "date-time"

    def _stamps(self, series: pl.Series) -> pl.Series:
        if series.dtype == pl.String:
            series = series.str.strptime(pl.Datetime("us"), self.form, strict=False)
        return series.cast(pl.Datetime("us")).dt.replace_time_zone(None).cast(pl.Int64)

    def fine(self, series: pl.Series) -> Tensor:
        """Whole units since the anchor; 0 where missing."""
        stamps = self._stamps(series)
        if bool((bad := stamps.is_null() & series.is_not_null()).any()):
            raise self._bad(series, bad, f"is not a time of the form {self.form}")
        f = (stamps - self.anchor).fill_null(0).to_numpy() / self.unit
        return torch.from_numpy(np.round(f))

    def series(self, f: Tensor, seen: Tensor) -> pl.Series:
        """The column again: in the form it was read in, or as a datetime."""
        stamps = np.clip(f.numpy(), -1e12, 1e12).astype(np.int64) * self.unit + self.anchor
        span = 250_000_000_000 * SECOND
        made = pl.Series(self.name, np.clip(stamps, -62_135_596_800 * SECOND, span)).cast(pl.Datetime("us"))
        if self.text:
            return masked(made.dt.strftime(self.form), seen)
        return masked(made.cast(pl.Date) if self.unit == DAY else made, seen)

    def constant(self, value: Value, test: Test) -> Value:
        """A time as text, in the column's form or ISO; kept as fine units by `to_fine`."""
        if not isinstance(value, str) or self._parsed(value) is None:
            raise self._strange(value, test, f"it holds times such as '{datetime(2024, 5, 17, 9, 30).strftime(self.form)}'")
        return value

    def _parsed(self, value: str) -> int | None:
        for form in (self.form, "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"):
            try:
                moment = datetime.strptime(value, form)
            except ValueError:
                continue
            return round((moment - datetime(1970, 1, 1)).total_seconds() * SECOND)
        return None

    def to_fine(self, value: Any) -> float:
        """A raw constant in fine units."""
        if isinstance(value, date):
            value = value.isoformat()
        stamp = self._parsed(str(value))
        return float("nan") if stamp is None else (stamp - self.anchor) / self.unit
