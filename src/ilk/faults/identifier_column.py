"""A column that only names rows: a model wastes its strength on it, and copies of it are real people's names."""
from __future__ import annotations

import re

import polars as pl

from ilk.faults._columns import ColumnFault, numbers
from ilk.faults.dates_as_text import FORMS
from ilk.faults.numbers_as_text import NUMBER

LEAST, DENSE = 50, 1.5  # rows; how much of their range whole numbers that only name rows fill: one number in so many, at most
NAME = re.compile(r"(^|[_\s-])(id|uuid|guid|key|index|no|nr|number|ssn|phone|email)$", re.I)
CODE = re.compile(r"^(?=.*\d)[\w@.+:-]{6,}$")


class IdentifierColumn(ColumnFault):
    """A value of its own in every row, dense as a count or of the shape of a code."""

    def said(self, cells: pl.Series, kind: str) -> tuple[str, str] | None:
        """How many, and all different."""
        there = cells.drop_nulls()
        if len(there) < LEAST or there.n_unique() < len(there) or not (kind == "identifier" or _names(there)) or _written(there):
            return None
        return f"all of its {len(there)} values differ: it names rows and says nothing of them", _remedy(cells.name, kind)


def _written(there: pl.Series) -> bool:
    """Whether texts are numbers or dates in some form."""
    return there.dtype == pl.String and int(there.str.to_lowercase().str.contains("|".join((NUMBER, *FORMS))).sum()) > 0.8 * len(there)


def _names(there: pl.Series) -> bool:
    if there.dtype == pl.String:
        return bool(there.str.contains(CODE.pattern.replace("(?=.*\\d)", "")).all()) and int(there.str.contains(r"\d").sum()) > 0.5 * len(there)
    x = numbers(there)
    return there.dtype.is_integer() and bool(NAME.search(there.name) or (len(x) and x.max() - x.min() + 1 <= DENSE * len(x)))


def _remedy(name: str, kind: str) -> str:
    if kind == "identifier":
        return f"ilk numbers it anew and learns nothing from it; elsewhere leave it out: frame.drop({name!r})"
    return f'say so, and ilk leaves it out of what is learned: --types "{name}=identifier"'
