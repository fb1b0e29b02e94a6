"""What faults of one column share."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from ilk.dataset import Dataset
from ilk.fault import Fault, Found
from ilk.faults._data import Numbers, series


class ColumnFault(Fault):
    """A fault that a column has by itself."""

    looks_at: ClassVar[type] = Dataset

    def find(self, thing: Dataset[Any]) -> Iterator[Found]:
        """The columns that have it."""
        for cells, kind in series(thing):
            said = self.said(cells, kind)
            if said is not None:
                yield self.found(f"column {cells.name!r}", *said)

    @abstractmethod
    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """Why it is one, and the remedy; None where it is none. `kind` is what the modality takes the column for."""


def numbers(cells: pl.Series) -> Numbers:
    """The numbers that are there; none where cells are something else."""
    return cells.drop_nulls().cast(pl.Float64).to_numpy() if cells.dtype.is_numeric() else np.zeros(0)


def rows_of(mask: pl.Series) -> str:
    """The first few rows, counted from 1."""
    at = mask.fill_null(False).arg_true().to_list()
    return f"row{'s' * (len(at) > 1)} {first_of(at)}"


def first_of(index: Sequence[int]) -> str:
    """The first few of some whole numbers, counted from 1."""
    return f"{', '.join(str(int(i) + 1) for i in index[:6])}{', ...' if len(index) > 6 else ''}"


def share(part: int, whole: int) -> str:
    """As people say it.

    >>> share(3, 200)
    '3 of 200 (1.5 %)'
    """
    return f"{part} of {whole} ({100 * part / max(1, whole):.3g} %)"
