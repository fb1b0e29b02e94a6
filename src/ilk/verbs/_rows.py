"""Constraints between numbers as rows over named columns, and the check of them, which rounds nothing."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import product
from math import fsum
from operator import eq, ge, gt, le, lt
from typing import Any

import numpy as np

from ilk.constraints import Constraint, Each, Linear, Step, Sums, exact
from ilk.errors import UsageError
from ilk.modality import Gauge, Renumbers
from ilk.verbs._projection import Flags, Floats


@dataclass(frozen=True)
class Row:
    """A sum of factors times columns against a number; without a sign, a sum that equals those of the same constraint. `said` is in words, of which number."""

    said: str
    number: int
    factors: tuple[tuple[str, Fraction], ...]
    sign: str
    total: Fraction = Fraction(0)

    @property
    def tie(self) -> bool:
        """Whether it is tied to others."""
        return not self.sign

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns."""
        return tuple(name for name, _ in self.factors)


def rows_of(modality: Any, constraints: Sequence[Constraint]) -> list[Row]:
    """Those between numbers as rows; UsageError for what the items don't hold."""
    found: list[Row] = []
    for number, c in enumerate(constraints):
        if isinstance(c, Linear | Sums | Each | Step) and not isinstance(modality, Renumbers):
            raise UsageError(f"items of {type(modality).__name__} hold no numbers by name", code="CAPABILITY", param="obey", remedy="tables and arrays do")
        if isinstance(c, Linear):
            found.append(_linear(modality, c, number))
        elif isinstance(c, Each):
            found += [Row(str(c), number, ((name, Fraction(1)),), c.sign, exact(c.total)) for name in _all(modality)]
        elif isinstance(c, Sums):
            found += _sums(modality, c, number)
    return found


def _linear(modality: Any, c: Linear, number: int) -> Row:
    names = [name for name, _ in c.terms]
    dated = [g.date for g in modality.gauges(names)]
    if isinstance(c.total, str):
        if dated != [True]:
            raise UsageError(f"{c}: `{names[0]}` holds numbers, not dates", code="RULE_TYPE", param="obey")
        return Row(str(c), number, ((names[0], exact(c.terms[0][1])),), c.sign, moment(c.total) * exact(c.terms[0][1]))
    if sum(exact(f) for (_, f), d in zip(c.terms, dated, strict=True) if d):
        raise UsageError(f"{c}: a date can be compared with a date, or the days between two with a number", code="RULE_TYPE", param="obey",
                         remedy="such as start >= '2024-05-17', or end - start <= 30")
    return Row(str(c), number, tuple((name, exact(f)) for name, f in c.terms), c.sign, exact(c.total))


def moment(text: str) -> Fraction:
    """A date or time as days since 1970; UsageError for what is none."""
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no date", code="RULE_TYPE", param="obey", remedy="such as '2024-05-17' or '2024-05-17T09:30'") from None
    gap = moment - datetime.combine(date(1970, 1, 1), datetime.min.time())
    return Fraction(gap.days) + Fraction(gap.seconds * 10**6 + gap.microseconds, 86_400 * 10**6)


def _all(modality: Any) -> list[str]:
    """Every place of an array, or every column of numbers."""
    if (shape := getattr(modality, "shape", None)) is not None:
        return [",".join(map(str, at)) for at in np.ndindex(*shape)] if shape else ["0"]
    return [c.name for c in modality.columns if c.kind == "number"]


def _sums(modality: Any, c: Sums, number: int) -> list[Row]:
    shape = getattr(modality, "shape", None)
    axes = c.axes or tuple(range(len(shape or ())))
    if shape is None or max(axes, default=0) >= max(1, len(shape)) or len(set(axes)) < len(axes):
        raise UsageError(f"{c}: {f'items of shape {shape} have no such axes' if shape is not None else 'tables have no axes'}", code="RULE_TYPE", param="obey",
                         remedy=f"axes 0 to {len(shape) - 1}" if shape else "add columns: a + b + c == 100")
    if c.total is None and len(axes) == len(shape):
        raise UsageError(f"{c}: an item has one sum over all its axes", code="RULE_TYPE", param="obey", remedy="name fewer axes, or a number: sum() == 100")
    rows = []
    for at in product(*(range(1) if axis in axes else range(shape[axis]) for axis in range(len(shape)))):
        inside = product(*(range(shape[axis]) if axis in axes else (at[axis],) for axis in range(len(shape))))
        factors = tuple((",".join(map(str, place)), Fraction(1)) for place in inside)
        rows.append(Row(str(c), number, factors, "" if c.total is None else c.sign, exact(c.total or 0)))
    return rows


def kept(row: Row, values: Floats, gauges: Sequence[Gauge]) -> Flags:
    """Which items obey the row, (B,), by the decimals that are written (or the binary numbers that are stored); one with a missing number is not judged."""
    if len(row.factors) == 1 and row.factors[0][1] == 1:   # floats are in the order of their shortest decimals
        return np.asarray(compared(values[:, 0], row.sign, float(row.total)) | np.isnan(values[:, 0]))
    factors = np.array([float(f) for _, f in row.factors])
    sums, total = values @ factors, float(row.total)
    size = 1e-9 * (np.abs(values) @ np.abs(factors) + abs(total))
    less, more = sums < total - size, sums > total + size
    out = np.array({"<": less, "<=": less, ">": more, ">=": more, "==": np.zeros(len(values), dtype=bool)}[row.sign] | np.isnan(sums))
    for i in np.flatnonzero(~(less | more) & ~out):
        out[i] = compared(excess(row, values[i].tolist(), gauges), row.sign, 0)
    return out


def compared(value: Any, sign: str, total: float) -> Any:
    """VALUE SIGN TOTAL."""
    return {"<": lt, "<=": le, "==": eq, ">=": ge, ">": gt}[sign](value, total)


def excess(row: Row, values: Sequence[float], gauges: Sequence[Gauge]) -> Fraction | float:
    """How far the sum of one item is above the total: zero and its sign are never rounded."""
    if all(g.binary for g in gauges) and all(abs(f) == 1 for _, f in row.factors) and Fraction(float(row.total)) == row.total:
        return fsum([*(v * float(f) for v, (_, f) in zip(values, row.factors, strict=True)), -float(row.total)])
    return sum((meant(v, g) * f for v, g, (_, f) in zip(values, gauges, row.factors, strict=True)), -row.total)


def equal_sums(values: Floats, gauge: Gauge) -> Flags:
    """Which items have equal sums, (B,), of values (B, sums, parts)."""
    out = np.asarray(np.isnan(values).any((1, 2)))
    for i in np.flatnonzero(~out):
        whole = [fsum(part) if gauge.binary else sum((meant(v, gauge) for v in part), Fraction(0)) for part in values[i].tolist()]
        out[i] = len(set(whole)) == 1
    return out


def meant(value: float, gauge: Gauge) -> Fraction:
    """What a number means."""
    if gauge.date:
        return Fraction(round(value * 86_400 * 10**6), 86_400 * 10**6)
    return Fraction(value) if gauge.binary else Fraction(repr(value))
