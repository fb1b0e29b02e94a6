"""Constraints between numbers, bound to a kind of data: which items break them, and the nearest items that don't."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ilk.constraints import Constraint, Depends, Step, Unique, exact
from ilk.errors import UsageError
from ilk.modality import Gauge, Renumbers
from ilk.rules import Test
from ilk.verbs._projection import Flags, Floats, Polyhedron, project
from ilk.verbs._rows import Row, equal_sums, kept, moment, rows_of
from ilk.verbs._steps import Grid, Whole, bounds, fine, narrow, whole
from ilk.verbs._whole import FREE, Lattice, Wholes, settle

MOST = 10**15   # steps: below it the float nearest to a decimal has that decimal as its shortest


@dataclass(frozen=True, eq=False)
class Numeric:
    """Constraints between numbers. `typical` are items that tell how large the numbers are and how far they spread; `tests` hold as well."""

    modality: Any
    constraints: tuple[Constraint, ...]
    typical: Any
    tests: tuple[Test, ...] = ()

    @cached_property
    def rows(self) -> list[Row]:
        """One by one."""
        return rows_of(self.modality, self.constraints)

    @cached_property
    def asked(self) -> Mapping[str, Fraction]:
        """The steps that are asked for."""
        return {name: exact(c.step) for c in self.constraints if isinstance(c, Step) for name in c.names}

    @cached_property
    def names(self) -> list[str]:
        """The columns that are in them."""
        return list(dict.fromkeys([*(name for row in self.rows for name in row.names), *self.asked]))

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        """How those are written."""
        return dict(zip(self.names, self.modality.gauges(self.names), strict=True)) if isinstance(self.modality, Renumbers) else {}

    @cached_property
    def _typical(self) -> Floats:
        return self.values(self.typical)

    @cached_property
    def scale(self) -> Floats:
        """The standard deviation of each: the unit of distances."""
        spread = np.array([np.nanstd(x) if np.isfinite(x).any() else 1.0 for x in self._typical.T])
        return np.where(spread > 0, spread, 1.0)

    @cached_property
    def grid(self) -> Grid:
        """Its own of each column, the one that `step` asks for, or one as fine as is exact."""
        sizes = {name: float(np.nanmax(np.abs(x), initial=1e-9)) for name, x in zip(self.names, self._typical.T, strict=True)}
        without = fine(self.rows, sizes, self.gauges)
        for name, step in self.asked.items():
            if (own := self.gauges[name].step) and (step / own).denominator != 1:
                raise UsageError(f"step(`{name}`) == {float(step):g}: it is written in steps of {float(own):g}", code="CONTRADICTION", param="obey")
        return Grid(tuple(self.asked.get(n) or self.gauges[n].step or without[n] for n in self.names),
                    tuple(Fraction(0) if n in self.asked else self.gauges[n].anchor for n in self.names))

    @cached_property
    def given(self) -> list[Row]:
        """What is given of the same columns, as far as it is a limit."""
        tests = [t for t in self.tests if t.part in self.names and t.sign in ("<", "<=", "==", ">=", ">") and t.value is not None]
        return [Row(str(t), -1, ((t.part, Fraction(1)),), t.sign, moment(t.value) if isinstance(t.value, str) else exact(t.value)) for t in tests]  # type: ignore[arg-type]

    @cached_property
    def lines(self) -> list[Whole]:
        """Rows and what is given in whole steps."""
        places = {name: i for i, name in enumerate(self.names)}
        made = [whole(row, places, self.grid) for row in [*self.rows, *self.given]]
        narrow(made, np.nanmax(np.abs(self.grid.wholes(self._typical)), axis=0, initial=1.0))
        return made

    @cached_property
    def lattice(self) -> Lattice:
        """Sums as rows, limits of single columns as bounds; of one item."""
        ends = [bounds(self.gauges[n], s, a) for n, s, a in zip(self.names, self.grid.steps, self.grid.anchors, strict=True)]
        least, most = (np.array([e[side] for e in ends], dtype=np.int64) for side in (0, 1))
        sums = [self.lines[i] for i in self.sums]
        for i, line in enumerate(self.lines):
            if i not in self.sums:
                (column, factor), = line.factors.items()
                low, high = (line.low, line.high) if factor > 0 else (-line.high, -line.low)
                least[column], most[column] = max(least[column], low), min(most[column], high)
        rows = np.zeros((len(sums), len(self.names)), dtype=np.int64)
        for j, line in enumerate(sums):
            rows[j, list(line.factors)] = list(line.factors.values())
        return Lattice(rows, *(np.array([x], dtype=np.int64).reshape(1, -1) for x in ([s.low for s in sums], [s.high for s in sums], least, most)))

    @cached_property
    def sums(self) -> list[int]:
        """Which lines are more than the limit of a column."""
        return [i for i, line in enumerate(self.lines) if len(line.factors) > 1 or (i < len(self.rows) and self.rows[i].tie)]

    @cached_property
    def ties(self) -> tuple[tuple[int, ...], ...]:
        """Which of the sums are equal, whatever they are."""
        found: dict[int, list[int]] = {}
        for j, i in enumerate(self.sums):
            if i < len(self.rows) and self.rows[i].tie:
                found.setdefault(self.rows[i].number, []).append(j)
        return tuple(map(tuple, found.values()))

    def values(self, items: Any) -> Floats:
        """The numbers that are in the constraints, (B, names)."""
        return self.modality.numbers(items, self.names) if self.names else np.zeros((len(items), 0))

    def obeyed(self, values: Floats) -> dict[Constraint, Flags]:
        """Which items with these numbers obey each constraint, (B,): nothing is rounded. One with a missing number is not judged by it."""
        steps = np.rint(np.nan_to_num(self.grid.wholes(values)).clip(-MOST, MOST)).astype(np.int64)
        on = ((self.grid.values(steps) == values) & (np.abs(steps) < MOST)) | np.isnan(values)
        places = {name: i for i, name in enumerate(self.names)}
        found: dict[Constraint, Flags] = {c: np.ones(len(values), dtype=bool) for c in self.constraints if not isinstance(c, Unique | Depends)}
        tied: dict[Constraint, list[Floats]] = {}
        for row, line in zip(self.rows, self.lines, strict=False):
            c, columns = self.constraints[row.number], [places[n] for n in row.names]
            if row.tie:
                tied.setdefault(c, []).append(values[:, columns])
            else:
                found[c] &= self._kept(row, line, values[:, columns], (steps[:, list(line.factors)], on[:, columns].all(1)))
        for c, parts in tied.items():
            found[c] &= equal_sums(np.stack(parts, 1), next(iter(self.gauges.values())))
        for c in self.constraints:
            if isinstance(c, Step):
                found[c] &= on[:, [places[n] for n in c.names]].all(1)
        return found

    def _kept(self, row: Row, line: Whole, values: Floats, whole: tuple[Wholes, Flags]) -> Flags:
        """By whole steps where all parts are such, else by their decimals."""
        steps, on = whole
        total = steps @ np.array(list(line.factors.values()), dtype=np.int64)
        good = (total >= line.low) & (total <= line.high) | np.isnan(values).any(1)
        off = np.flatnonzero(~on)
        good[off] = kept(row, values[off], [self.gauges[n] for n in row.names])
        return good

    def mended(self, values: Floats, held: Flags) -> tuple[Floats, Flags]:
        """The nearest numbers that obey, those of `held` columns as they are, and which items do; a sum with a missing part is left alone."""
        made, good = values.copy(), np.zeros(len(values), dtype=bool)
        there = ~np.isnan(values)
        for pattern in np.unique(there, axis=0):
            items, columns = np.flatnonzero((there == pattern).all(1)), np.flatnonzero(pattern)
            near, right = self._solved(values[np.ix_(items, columns)], columns, held[columns])
            made[np.ix_(items, columns)], good[items] = near, right
        return made, good

    def _solved(self, values: Floats, columns: Wholes, held: Flags) -> tuple[Floats, Flags]:
        whole_rows = ~(self.lattice.rows[:, np.setdiff1d(np.arange(len(self.names)), columns)] != 0).any(1)
        grid = Grid(tuple(self.grid.steps[i] for i in columns), tuple(self.grid.anchors[i] for i in columns))
        many, rows = len(values), np.flatnonzero(whole_rows)
        low, high, least, most = (np.repeat(x[:, i], many, 0) for x, i in zip(
            (self.lattice.low, self.lattice.high, self.lattice.least, self.lattice.most), (rows, rows, columns, columns), strict=True))
        now = grid.wholes(values)
        least[:, held] = most[:, held] = np.rint(now[:, held])
        lattice = Lattice(self.lattice.rows[np.ix_(rows, columns)], low, high, least, most)
        ties = tuple(tuple(int(np.flatnonzero(rows == j)[0]) for j in tie) for tie in self.ties if np.isin(tie, rows).all())
        per = self.scale[columns] / np.array([float(s) for s in grid.steps])   # steps in a standard deviation
        near = project(now / per, _scaled(lattice, per, ties)) * per
        coarse = np.array([bool(self.gauges[n].step or n in self.asked) for n in np.array(self.names)[columns]])
        if coarse.any() and not coarse.all():   # numbers without steps make up for the rounding of those with
            least[:, coarse] = most[:, coarse] = settle(near[:, coarse], lattice.within(coarse), per[coarse] ** -2.0)[0]
            near = project(now / per, _scaled(lattice, per, ties)) * per
        for tie in ties:
            same = np.rint((near @ lattice.rows[list(tie)].T).mean(1)).astype(np.int64)
            low[:, list(tie)] = high[:, list(tie)] = same[:, None]
        k, good = settle(near, lattice, per**-2.0)
        return grid.values(k), good


def _scaled(lattice: Lattice, per: Floats, ties: tuple[tuple[int, ...], ...]) -> Polyhedron:
    """The same in standard deviations, rows of length 1 where no sums are compared."""
    rows = lattice.rows * per
    size = np.linalg.norm(rows, axis=1)
    for tie in ties:
        size[list(tie)] = size[list(tie)].max()
    low, high, least, most = (np.where(np.abs(x) >= FREE, np.copysign(np.inf, x), x) for x in (lattice.low, lattice.high, lattice.least, lattice.most))
    return Polyhedron(rows / size[:, None], low / size, high / size, least / per, most / per, ties)

