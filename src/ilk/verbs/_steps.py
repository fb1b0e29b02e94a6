"""Rows over decimals as rows over whole steps: the grid of every column, and limits that hold no fractions."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd, inf, lcm, log2, log10

import numpy as np

from ilk.errors import UsageError
from ilk.modality import Gauge
from ilk.verbs._projection import Floats
from ilk.verbs._rows import Row
from ilk.verbs._whole import FREE, Wholes

DIGITS, LARGEST = 12, 1 << 61


@dataclass(frozen=True)
class Grid:
    """Column by column: anchor + k * step, for whole k."""

    steps: tuple[Fraction, ...]
    anchors: tuple[Fraction, ...]

    def values(self, k: Wholes) -> Floats:
        """The floats nearest to the numbers meant."""
        made = np.empty(k.shape)
        for i, (step, anchor) in enumerate(zip(self.steps, self.anchors, strict=True)):
            common = lcm(step.denominator, anchor.denominator)
            made[:, i] = (k[:, i] * int(step * common) + int(anchor * common)) / common
        return made

    def wholes(self, values: Floats) -> Floats:
        """How many steps, unrounded."""
        return (values - self._floats(self.anchors)) / self._floats(self.steps)

    @staticmethod
    def _floats(numbers: Sequence[Fraction]) -> Floats:
        return np.array([float(x) for x in numbers])


@dataclass(frozen=True)
class Whole:
    """A row in whole steps: low <= sum of factors times steps <= high; by the column's place."""

    factors: Mapping[int, int]
    low: int = -FREE
    high: int = FREE


def whole(row: Row, places: Mapping[str, int], grid: Grid) -> Whole:
    """The row in whole steps, in the largest unit that all of it is whole in; UsageError if none can meet it."""
    sized = {places[name]: f * grid.steps[places[name]] for name, f in row.factors}
    denominator = lcm(*(s.denominator for s in sized.values()))
    unit = Fraction(gcd(*(int(s * denominator) for s in sized.values())), denominator)
    factors = {i: int(s / unit) for i, s in sized.items()}
    total = (row.total - sum((f * grid.anchors[places[name]] for name, f in row.factors), Fraction(0))) / unit
    if row.sign == "==" and total.denominator != 1:
        steps = ", ".join(f"`{name}` ({float(grid.steps[places[name]]):g})" for name in row.names[:4])
        raise UsageError(f"{row.said} can't be met by whole steps of {steps}", code="CONTRADICTION", param="obey",
                         remedy="a number that the steps add up to" if all(s.denominator % 2 or s.denominator == 1 for s in grid.steps) else
                         "a number that the steps add up to: for arrays of floats one with a short binary form, such as 100 or 0.125")
    ends = {"==": (floor(total), floor(total)), "<=": (-FREE, floor(total)), "<": (-FREE, ceil(total) - 1), ">=": (ceil(total), FREE), ">": (floor(total) + 1, FREE),
            "": (-FREE, FREE)}
    low, high = ends[row.sign]
    return Whole(factors, max(low, -FREE), min(high, FREE))


def bounds(gauge: Gauge, step: Fraction, anchor: Fraction) -> tuple[int, int]:
    """What lies between the ends of a column, in whole steps."""
    low = -FREE if gauge.low == -inf else ceil((Fraction(gauge.low) - anchor) / step)
    high = FREE if gauge.high == inf else floor((Fraction(gauge.high) - anchor) / step)
    return max(low, -FREE), min(high, FREE)


def fine(rows: Sequence[Row], sizes: Mapping[str, float], gauges: Mapping[str, Gauge]) -> dict[str, Fraction]:
    """A step for columns that have none: 12 digits of the largest number among the columns that are in rows together.

    Of floats in binary: so fine that sums of them are exact in their own precision, in any order.
    """
    group = {name: name for name in sizes}

    def root(name: str) -> str:
        while group[name] != name:
            name = group[name]
        return name

    for row in rows:
        for name in row.names:
            group[root(name)] = root(row.names[0])
    reach, places = dict.fromkeys(sizes, 0.0), dict.fromkeys(sizes, 0)
    for name, size in sizes.items():
        reach[root(name)] = max(reach[root(name)], size)
    for row in rows:
        here = root(row.names[0])
        sums = sum(sizes[name] for name in row.names) if gauges[row.names[0]].binary else 0.0
        reach[here], places[here] = max(reach[here], sums, abs(float(row.total))), max(places[here], _decimals(row.total))
    return {name: _fine(reach[root(name)], gauges[name].binary, places[root(name)]) for name in sizes}


def _fine(reach: float, binary: int, places: int) -> Fraction:
    if binary:
        return Fraction(2) ** (ceil(log2(reach)) - binary + 1)
    return Fraction(10) ** -min(15, max(DIGITS - ceil(log10(reach)), places))


def _decimals(number: Fraction) -> int:
    places = 0
    while places < 15 and (number * 10**places).denominator != 1:
        places += 1
    return places


def narrow(rows: Sequence[Whole], most: Floats) -> None:
    """UsageError where sums of so many steps would not fit whole numbers of 64 bits."""
    for row in rows:
        if sum(abs(f) * most[i] for i, f in row.factors.items()) > LARGEST:
            raise UsageError("the columns of a constraint are written in steps too different in size to add exactly", code="CONSTRAINT", param="obey",
                             remedy="say how fine they are: step(NAME) == 0.01")
