"""Some numbers of a column in another unit: a second heap ten, a hundred or a thousand times as far out."""
from __future__ import annotations

import numpy as np
import polars as pl

from ilk.faults._columns import ColumnFault, numbers, share
from ilk.faults._data import Numbers

FACTORS = {10.0: "", 100.0: "cm and m, or shares and per cents", 1000.0: "g and kg, or m and km", 2.2046: "lb and kg", 2.54: "in and cm", 3.281: "ft and m",
           1.609: "km and miles"}
FEW, MOST, NEAR = 3, 0.3, 0.12   # numbers in the second heap at least, and as a share at most; how near in log10 its middle is to a factor
EMPTY = 3.0                      # the gap between the heaps, in spreads of the larger one


class MixedUnits(ColumnFault):
    """Two heaps with nothing between, one a round factor from the other and as wide as it is in logarithms."""

    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """The factor, and how many."""
        x = numbers(cells)
        if len(x) < 30 or x.min() <= 0 or (found := _heaps(np.sort(np.log10(x)))) is None:
            return None
        factor, many, above = found
        units = f" ({FACTORS[factor]})" if FACTORS[factor] else ""
        edge = np.sort(x)[-many] if above else np.sort(x)[many - 1]
        which = f"pl.col({cells.name!r}) {'>=' if above else '<='} {edge:g}"
        why = f"{share(many, len(x))} numbers lie about {factor:g} times as {'high' if above else 'low'} as the others, with none between: another unit{units}?"
        return why, f"frame.with_columns(pl.when({which}).then(pl.col({cells.name!r}) {'/' if above else '*'} {factor:g}).otherwise(pl.col({cells.name!r})))"


def _heaps(logs: Numbers) -> tuple[float, int, bool] | None:
    """The factor, the size of the smaller heap, and whether it is above: split at the widest gap."""
    at = int(np.diff(logs).argmax()) + 1
    low, high = logs[:at], logs[at:]
    above = len(high) <= len(low)
    few, rest = (high, low) if above else (low, high)
    if not FEW <= len(few) <= MOST * len(logs) or len(np.unique(few)) < FEW:
        return None
    spread = float(rest.std())
    apart = abs(float(np.median(few) - np.median(rest)))
    factor = min(FACTORS, key=lambda f: abs(np.log10(f) - apart))
    alike = float(few.std()) < 2 * spread + 0.02 and logs[at] - logs[at - 1] > EMPTY * spread
    return (factor, len(few), above) if alike and abs(np.log10(factor) - apart) < min(NEAR, 2 * spread + 0.02) else None
