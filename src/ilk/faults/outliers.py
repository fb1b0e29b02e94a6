"""Numbers so far from all others that they are rather slips of the pen than rare."""
from __future__ import annotations

import numpy as np
import polars as pl

from ilk.faults._columns import ColumnFault, numbers, rows_of
from ilk.faults._data import Numbers

MOST, FAR, TAIL = 5, 2.0, 8.0  # numbers, at most; gap to the others in ranges of these; a range of so many quartile ranges is a long tail, where all is possible


class Outliers(ColumnFault):
    """A few numbers further from the others than these are from one another, several times over."""

    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """Which, and how far."""
        x = numbers(cells)
        if kind == "identifier" or len(x) < 30 or (edge := _edge(x)) is None:
            return None
        low, high = edge
        out = (cells < low) | (cells > high)
        worst = cells.filter(out)[0]
        why = f"{int(out.sum())} of {len(x)} numbers, such as {worst:g}, lie far outside of {low:g} to {high:g}, where all others are ({rows_of(out)})"
        return why, f"look at them; if they are slips: frame.filter(pl.col({cells.name!r}).is_between({low:g}, {high:g})), or ilk fit --bad missing after emptying the cells"


def _edge(x: Numbers) -> tuple[float, float] | None:
    """Between what bounds all but a few numbers are, if those few are far away on one side."""
    for sign in (1.0, -1.0):
        values = np.sort(sign * x)
        for k in range(1, min(MOST, len(values) // 30) + 1):
            rest = values[:-k]
            extent, middle = rest[-1] - rest[0], float(np.subtract(*np.percentile(rest, [75, 25])))
            if 0 < extent < TAIL * middle and values[-k] - rest[-1] > FAR * extent:
                low, high = sorted((sign * float(rest[0]), sign * float(rest[-1])))
                return low, high
    return None
