"""Missing cells that are written as a value: a model takes -999 for a number, and "unknown" for a kind."""
from __future__ import annotations

import numpy as np
import polars as pl

from ilk.faults._columns import ColumnFault, numbers, share
from ilk.faults._data import Numbers

NUMBERS = (-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 9999999.0, -32768.0, 32767.0, -2147483648.0, 2147483647.0)
WORDS = ("?", "-", "--", "---", ".", "..", "n.a.", "n/a", "na", "nan", "null", "nil", "unknown", "unk", "missing", "not available", "not known", "unspecified",
         "not specified", "undefined", "tbd", "#n/a", "#value!", "#ref!", "#null!", "无", "未知", "不详", "缺失", "暂无", "不明", "inconnu", "desconocido", "unbekannt")
TIMES, APART, DIFFERENT = 3, 0.5, 5  # how often at least; how far from all others, as a share of their range; how many others there are at least


class Sentinels(ColumnFault):
    """A number far from all others again and again, or a word that says that nothing is known."""

    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """The value, and how often."""
        found = _words(cells) if cells.dtype == pl.String else _numbers(numbers(cells))
        if not found:
            return None
        value, many = found
        there = f"{value!r} stands in {share(many, len(cells))} of its cells"
        why = f"{there}, far from all other numbers" if isinstance(value, float) else f"{there}, and means that nothing is known"
        written = f"{value:g}" if isinstance(value, float) else repr(value)
        return why, f"make them missing, which ilk learns as such: frame.with_columns(pl.col({cells.name!r}).replace({written}, None))"


def _words(cells: pl.Series) -> tuple[str, int] | None:
    counts = cells.drop_nulls().value_counts(sort=True)
    if len(counts) < 2:
        return None
    said = counts.filter(counts[cells.name].str.strip_chars().str.to_lowercase().is_in(WORDS))
    return (str(said[cells.name][0]), int(said["count"][0])) if len(said) else None


def _numbers(x: Numbers) -> tuple[float, int] | None:
    values, counts = np.unique(x, return_counts=True)
    for value in NUMBERS:
        at = int(np.searchsorted(values, value))
        if at < len(values) and values[at] == value and counts[at] >= TIMES and _alone(values, at):
            return value, int(counts[at])
    return None


def _alone(values: Numbers, at: int) -> bool:
    """Whether the least or largest value is far from the rest; -1 among counts is so by its sign."""
    rest = np.delete(values, at)
    if len(rest) < DIFFERENT or at not in (0, len(rest)):
        return False
    if values[at] == -1:
        return bool(rest[0] >= 0 and (rest == rest.round()).all() and len(rest) >= 2 * DIFFERENT)
    return bool(np.abs(rest - values[at]).min() > APART * (rest[-1] - rest[0]))
