"""From the nearest real point to whole steps that obey without any rounding: constraints here are between whole numbers."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from ilk.verbs._projection import Flags, Floats

Wholes = NDArray[np.int64]
FREE = 1 << 61                       # a limit beyond all numbers
PASSES, REACH, FEW, NODES = 8, 1000, 64, 10_000   # of one repair; how far a search goes; its columns; its nodes


@dataclass(frozen=True, eq=False)
class Lattice:
    """low <= rows @ k <= high and least <= k <= most for whole k, per item: rows (m, n), limits (B, m) and (B, n)."""

    rows: Wholes
    low: Wholes
    high: Wholes
    least: Wholes
    most: Wholes

    def obeyed(self, k: Wholes) -> Flags:
        """Which items obey, (B,)."""
        total = k @ self.rows.T
        inside = np.concatenate([(total >= self.low) & (total <= self.high), (k >= self.least) & (k <= self.most)], 1)
        return np.asarray(inside.all(1))

    def within(self, columns: Flags) -> Lattice:
        """Some columns, and the rows that have no others."""
        rows = ~(self.rows[:, ~columns] != 0).any(1)
        return Lattice(self.rows[rows][:, columns], self.low[:, rows], self.high[:, rows], self.least[:, columns], self.most[:, columns])

    def part(self, items: Any) -> Lattice:
        """Some items."""
        return Lattice(self.rows, *(x[items] for x in (self.low, self.high, self.least, self.most)))


def settle(near: Floats, lattice: Lattice, weight: Floats) -> tuple[Wholes, Flags]:
    """Whole numbers close to each row of near, (B, n), in the metric with these weights, and which items obey with them."""
    k = np.rint(near).astype(np.int64).clip(lattice.least, lattice.most)
    alone = (lattice.rows != 0).sum(0) == 1
    for _ in range(2):
        for j in range(len(lattice.rows)):
            _shift(k, near, lattice, weight, (j, alone))
    good = lattice.obeyed(k)
    if k.shape[1] <= FEW and not good.all():
        _alike(k, np.flatnonzero(~good), lattice, weight)
        good = lattice.obeyed(k)
        for i in np.flatnonzero(~good):
            found = _searched(k[i], near[i], lattice.part([i]), weight)
            if found is not None:
                k[i], good[i] = found, True
    return k, good


def _shift(k: Wholes, near: Floats, lattice: Lattice, weight: Floats, which: tuple[int, Flags]) -> None:
    """Row j mended by steps of its finest columns, the cheapest first (largest remainders), of those in no other row if there are any."""
    j, alone = which
    a = lattice.rows[j]
    smallest = int(np.abs(a[a != 0]).min())
    columns = np.flatnonzero(np.abs(a) == smallest)
    columns = columns[alone[columns]] if alone[columns].any() else columns
    for _ in range(PASSES):
        total = k @ a
        short = np.where(total < lattice.low[:, j], lattice.low[:, j] - total, np.where(total > lattice.high[:, j], lattice.high[:, j] - total, 0))
        steps = -(-np.abs(short) // smallest)
        items = np.flatnonzero((steps > 0) & ((lattice.low[:, j] != lattice.high[:, j]) | (short % smallest == 0)))
        if not len(items):
            return
        way = np.sign(short[items])[:, None] * np.sign(a[columns])
        here = k[np.ix_(items, columns)]
        off, to = here - near[np.ix_(items, columns)], here + way
        cost = weight[columns] * (2 * off * way + 1)
        cost = np.where((to < lattice.least[np.ix_(items, columns)]) | (to > lattice.most[np.ix_(items, columns)]), np.inf, cost)
        rank = np.argsort(np.argsort(cost, 1, kind="stable"), 1)
        chosen = (rank < steps[items, None]) & np.isfinite(cost)
        k[np.ix_(items, columns)] = here + way * chosen


def _alike(k: Wholes, items: NDArray[np.intp], lattice: Lattice, weight: Floats) -> None:
    """Items that miss their equalities by as much need the same steps: found once for all of them, and kept where they do."""
    equal = (lattice.low == lattice.high).all(0)
    miss = lattice.low[items][:, equal] - k[items] @ lattice.rows[equal].T
    n = k.shape[1]
    for way in np.unique(miss, axis=0):
        if way.any():
            free = np.full((1, n), FREE)
            found = _searched(np.zeros(n, dtype=np.int64), np.zeros(n), Lattice(lattice.rows[equal], way[None], way[None], -free, free), weight)
            if found is not None:
                here = items[(miss == way).all(1)]
                k[here[lattice.part(here).obeyed(k[here] + found)]] += found


def _searched(k: Wholes, near: Floats, lattice: Lattice, weight: Floats) -> Wholes | None:
    """The best whole point within REACH steps of k by mixed-integer programming, in distances instead of squares; None if there is none."""
    n, total = len(k), lattice.rows @ k
    low, high = (np.where(np.abs(x[0]) >= FREE, np.copysign(np.inf, x[0]), x[0] - total) for x in (lattice.low, lattice.high))
    least, most = (np.clip(x[0] - k, -REACH, REACH) for x in (lattice.least, lattice.most))
    if (least > most).any():
        return None
    eye, off = np.eye(n), k - near
    rows = [LinearConstraint(np.concatenate([lattice.rows, np.zeros_like(lattice.rows)], 1), low, high),   # d, then the distance of each
            LinearConstraint(np.concatenate([eye, -eye], 1), -np.inf, -off), LinearConstraint(np.concatenate([-eye, -eye], 1), -np.inf, off)]
    cost = np.concatenate([np.zeros(n), np.sqrt(weight / weight.max())])
    box = Bounds(np.concatenate([least, np.zeros(n)]), np.concatenate([most, np.full(n, np.inf)]))
    # Its presolve loses one in a thousand, and a limit of time would give other items on a busy day.
    found = milp(cost, integrality=np.repeat([1, 0], n), constraints=rows, options={"node_limit": NODES, "presolve": False}, bounds=box)
    if found.x is None:
        return None
    made = k + np.rint(found.x[:n]).astype(np.int64)
    return made if lattice.obeyed(made[None])[0] else None
