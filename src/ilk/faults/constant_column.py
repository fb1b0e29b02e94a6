"""A column that says the same in every row: nothing can be learned from it."""
from __future__ import annotations

import polars as pl

from ilk.faults._columns import ColumnFault

LEAST = 10  # rows, fewer of which may be alike by chance


class ConstantColumn(ColumnFault):
    """One value in all rows."""

    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """The value."""
        if len(cells) < LEAST or cells.n_unique() > 1:
            return None
        what = "is missing" if cells[0] is None else f"is {str(cells[0])[:40]!r}"
        return f"every one of {len(cells)} cells {what}", f"leave it out: ilk.fit(frame.drop({cells.name!r})), or read again the file that it came from"
