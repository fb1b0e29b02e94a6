"""Figures of a table as they are asked for: sums and products of calls such as mean(age where city == 'Lyon'). They are read, never evaluated as code."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import UsageError
from ..rules import Reader, Test, rule_error

_MOST, _DEEPEST = 2000, 30
# What a call takes: how many columns, and what it makes of their values (missing ones left out).
_OF_ONE: Mapping[str, Callable[[pl.Series], float]] = {
    "sum": lambda s: float(s.sum()), "mean": lambda s: float(s.mean()), "median": lambda s: float(s.median()),   # type: ignore[arg-type]
    "min": lambda s: float(s.min()), "max": lambda s: float(s.max())}   # type: ignore[arg-type]
COLUMNS = {"count": (0, 1), "share": (0,), "correlation": (2,), **dict.fromkeys(_OF_ONE, (1,))}
_SIGNS: Mapping[str, Callable[[float, float], float]] = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}


@dataclass(frozen=True, slots=True)
class Call:
    """One figure of some rows: those that obey all tests."""

    name: str
    columns: tuple[str, ...]
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Two:
    """Two figures joined by + - * or /."""

    sign: str
    left: float | Call | Two
    right: float | Call | Two


def read(query: str) -> float | Call | Two:
    """What a query asks for; UsageError with a caret at the place where it can't be read."""
    if len(query) > _MOST:
        raise UsageError(f"a query of {len(query)} characters; the limit is {_MOST}", code="QUERY")
    reader = _Reader(query)
    found = reader.expression()
    if query[reader.at:].strip():
        raise rule_error(query, reader.at, "+ - * / or the end")
    return found


def computed(query: float | Call | Two, table: pl.DataFrame | None) -> float:
    """The figure; UsageError for a column there is not, one that is no number, or rows that are none.

    >>> table = pl.DataFrame({"city": ["Lyon", "Lyon", "Turin"], "age": [30, 41, 50]})
    >>> computed(read("mean(age where city == 'Turin') - mean(age where city == 'Lyon')"), table)
    14.5
    """
    if isinstance(query, Two):
        left, right = computed(query.left, table), computed(query.right, table)
        if query.sign == "/" and right == 0:
            raise UsageError("a division by 0", code="QUERY")
        found = _SIGNS[query.sign](left, right)
    else:
        found = _called(query, table) if isinstance(query, Call) else query
    if not isfinite(found):
        raise UsageError("the figure is not finite", code="QUERY")
    return found


def calls(query: float | Call | Two) -> list[Call]:
    """All calls in a query."""
    return [*calls(query.left), *calls(query.right)] if isinstance(query, Two) else [query] if isinstance(query, Call) else []


def constants(query: float | Call | Two) -> list[float]:
    """All numbers that stand in a query outside its calls."""
    return [*constants(query.left), *constants(query.right)] if isinstance(query, Two) else [] if isinstance(query, Call) else [query]


def _called(call: Call, table: pl.DataFrame | None) -> float:
    if table is None:
        raise UsageError(f"{call.name}(...) asks for a table, and there is none", code="QUERY")
    rows = table.filter(_obeying(call.tests, table))
    if call.name == "share":
        if not len(table):
            raise UsageError("a share of no rows", code="QUERY")
        return len(rows) / len(table)
    if call.name == "count":
        return float(len(rows) - (rows[_known(call.columns[0], table)].null_count() if call.columns else 0))
    kept = rows.select(_number(c, table).alias(str(i)) for i, c in enumerate(call.columns)).drop_nulls()
    if not len(kept) and call.name != "sum":
        raise UsageError(f"no rows for {call.name}({', '.join(call.columns)} ...)", code="QUERY")
    if call.name == "correlation":
        return _correlation(kept.to_series(0).to_numpy(), kept.to_series(1).to_numpy())
    return _OF_ONE[call.name](kept.to_series())


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if len(a) < 2 or not a.std() or not b.std():
        raise UsageError("a correlation needs two rows or more that differ in both columns", code="QUERY")
    return float(np.corrcoef(a, b)[0, 1])


def _known(column: str, table: pl.DataFrame) -> str:
    if column not in table.columns:
        raise UsageError(f"the table has no column {column!r}", code="COLUMN", remedy=f"there are: {', '.join(table.columns)[:300]}")
    return column


def _number(column: str, table: pl.DataFrame) -> pl.Expr:
    """A column of numbers, each as a double."""
    if not (table[_known(column, table)].dtype.is_numeric() or table[column].dtype == pl.Boolean):
        raise UsageError(f"{column!r} has no numbers", code="COLUMN")
    return pl.col(column).cast(pl.Float64).fill_nan(None)


def _obeying(tests: tuple[Test, ...], table: pl.DataFrame) -> pl.Series:
    """Which rows obey, each different value looked at once."""
    found = pl.repeat(True, len(table), eager=True)
    for test in tests:
        values = table[_known(test.part, table)].to_list()
        held = {v: test.holds(v) for v in set(values)}
        found = found & pl.Series([held[v] for v in values], dtype=pl.Boolean)
    return found


class _Reader(Reader):
    """Recursive descent: sums of products of numbers, calls and brackets."""

    deep = 0

    def expression(self) -> float | Call | Two:
        left = self.product()
        while sign := self.sign("+-"):
            left = Two(sign, left, self.product())
        return left

    def product(self) -> float | Call | Two:
        left = self.factor()
        while sign := self.sign("*/"):
            left = Two(sign, left, self.factor())
        return left

    def factor(self) -> float | Call | Two:
        if self.sign("("):
            self.deep += 1
            if self.deep > _DEEPEST:
                raise rule_error(self.rule, self.at, f"no more than {_DEEPEST} brackets")
            inner = self.expression()
            self.expect("mark", ")")
            return inner
        kind, text = self.next()
        if kind == "number":
            return float(text)
        if kind == "word" and text in COLUMNS:
            return self.call(text)
        raise rule_error(self.rule, self.start, f"a number, or one of {', '.join(COLUMNS)}")

    def sign(self, signs: str) -> str:
        """The next sign, if it is one of these."""
        at = len(self.rule) - len(self.rule[self.at:].lstrip())
        found = self.rule[at:at + 1]
        if not found or found not in signs:
            return ""
        self.at = at + 1
        return found

    def call(self, name: str) -> Call:
        """(COLUMN, COLUMN where RULE and RULE)."""
        self.expect("mark", "(")
        start, columns, tests = self.start, list[str](), tuple[Test, ...]()
        while not self.sign(")"):
            before = self.at
            if self.next() == ("word", "where"):
                tests = self.where()
                break
            self.at = before
            columns.append(self.name())
            self.sign(",")
        if len(columns) not in COLUMNS[name]:
            raise rule_error(self.rule, start, f"{' or '.join(map(str, COLUMNS[name]))} columns for {name}")
        return Call(name, tuple(columns), tests)

    def where(self) -> tuple[Test, ...]:
        """Rules up to the closing bracket."""
        found = [self.test()]
        while (got := self.next()) != ("mark", ")"):
            if got != ("word", "and"):
                raise rule_error(self.rule, self.start, "'and' or ')'")
            found.append(self.test())
        return tuple(found)
