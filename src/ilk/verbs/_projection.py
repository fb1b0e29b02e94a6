"""The nearest point (least squares) of a polyhedron: closed forms where there are any, else Dykstra's alternating projections, made exact."""
from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import nnls
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
ROUNDS, FEW, EVERY, SMALL, NEAR = 2000, 60, 20, 64, 1e-9


@dataclass(frozen=True, eq=False)
class Polyhedron:
    """low <= rows @ x <= high and least <= x <= most, per item: rows (m, n), limits (B, m) and (B, n). Sums of rows in one of `ties` are equal."""

    rows: Floats
    low: Floats
    high: Floats
    least: Floats
    most: Floats
    ties: tuple[tuple[int, ...], ...] = ()

    def part(self, items: Any = slice(None), columns: Any = slice(None), rows: Any = slice(None)) -> Polyhedron:
        """Some items, some rows, some columns; ties go with whole rows only."""
        limits = (x[items][:, rows] for x in (self.low, self.high))
        return Polyhedron(self.rows[rows][:, columns], *limits, *(x[items][:, columns] for x in (self.least, self.most)))


def project(y: Floats, onto: Polyhedron) -> Floats:
    """The nearest point of each item's polyhedron to each row of y, (B, n). Where one is empty, some point near to it."""
    x = y.clip(onto.least, onto.most)
    for rows, columns in _components(onto):
        here = onto.part(columns=columns, rows=rows)
        ties = tuple(tuple(rows.index(r) for r in tie) for tie in onto.ties if tie[0] in rows)
        found = knapsack(y[:, columns], here) if len(rows) == 1 else _dykstra(y[:, columns], replace(here, ties=ties))
        x[:, columns] = found
    return x


def _components(onto: Polyhedron) -> list[tuple[list[int], list[int]]]:
    """Rows that share columns (or are tied), with those columns."""
    if not len(onto.rows):
        return []
    touch = onto.rows != 0
    graph = (touch.astype(np.float32) @ touch.T.astype(np.float32)) > 0
    for tie in onto.ties:
        graph[tie[0], list(tie)] = True
    many, which = connected_components(graph, directed=False)
    groups = [np.flatnonzero(which == g).tolist() for g in range(many)]
    return [(rows, np.flatnonzero(touch[rows].any(0)).tolist()) for rows in groups]


def knapsack(y: Floats, onto: Polyhedron) -> Floats:
    """One row and a box, by sorting where coordinates meet their bounds (Duchi et al. 2008 for the simplex; Brucker 1984)."""
    a, x = onto.rows[0], y.clip(onto.least, onto.most)
    total = x @ a
    goal = total.clip(onto.low[:, 0], onto.high[:, 0])
    off = np.flatnonzero(goal != total)
    if len(off):
        x[off] = _sorted(y[off], a, onto.least[off], onto.most[off], goal[off])
    return x


def _sorted(y: Floats, a: Floats, least: Floats, most: Floats, goal: Floats) -> Floats:
    """clip(y + t a, least, most) with a @ it = goal, which grows with t and bends where a coordinate meets a bound."""
    bends = np.sort(np.concatenate([(least - y) / a, (most - y) / a], 1), 1)
    finite = np.isfinite(bends)
    left = np.where(finite, bends, np.inf).min(1, initial=0.0) - 1
    right = np.where(finite, bends, -np.inf).max(1, initial=0.0) + 1
    bends = np.concatenate([left[:, None], bends.clip(left[:, None], right[:, None]), right[:, None]], 1)

    def at(t: Floats) -> Floats:
        return (y + t[:, None] * a).clip(least, most)

    item, below, above = np.arange(len(y)), np.zeros(len(y), dtype=np.int64), np.full(len(y), bends.shape[1])
    while (above - below > 1).any():   # the last bend whose total is not above the goal
        middle = (below + above) // 2
        fits = at(bends[item, middle]) @ a <= goal
        below, above = np.where(fits, middle, below), np.where(fits, above, middle)
    start = bends[item, below]
    end = np.where(below + 1 < bends.shape[1], bends[item, np.minimum(below + 1, bends.shape[1] - 1)], start + 1)
    moving = y + ((start + end) / 2)[:, None] * a
    slope = ((moving > least) & (moving < most)) @ a**2
    return at(start + np.divide(goal - at(start) @ a, slope, out=np.zeros(len(y)), where=slope > 0))


def _dykstra(y: Floats, onto: Polyhedron) -> Floats:
    """Boyle & Dykstra 1986: projections onto each set in turn, what the last one took away being put back before.

    It tells which limits bind long before it is exact; the projection onto those is affine, and what passes as optimal is taken. Where sets
    meet at a small angle it takes for ever: what is left of small problems after a few rounds goes to an active-set method.
    """
    x, best, done = y.copy(), y.copy(), np.zeros(len(y), dtype=bool)
    matrix, goal = _equalities(onto)
    inverse = np.linalg.pinv(matrix @ matrix.T) if len(matrix) else matrix
    slabs = np.flatnonzero(((onto.low != onto.high) & (np.isfinite(onto.low) | np.isfinite(onto.high))).any(0))
    box, slack = np.zeros_like(y), np.zeros((len(slabs), *y.shape))
    for number in range(1, (FEW if y.shape[1] <= SMALL else ROUNDS) + 1):
        before = x, box, slack.copy()
        if len(matrix):
            x = x - (x @ matrix.T - goal) @ inverse.T @ matrix
        for s, j in enumerate(slabs):
            a, z = onto.rows[j], x + slack[s]
            total = z @ a
            x = z - ((total - total.clip(onto.low[:, j], onto.high[:, j])) / (a @ a))[:, None] * a
            slack[s] = z - x
        z = x + box
        x = z.clip(onto.least, onto.most)
        box = z - x
        still = max(float(np.abs(new - old).max(initial=0.0)) for new, old in zip((x, box, slack), before, strict=True)) <= 1e-13 * (1 + np.abs(y).max(initial=0.0))
        if still or (number % EVERY == 0 and _finished(y, (x, box), (best, done), onto, (matrix, goal))):
            break
    if y.shape[1] > SMALL:
        return x
    if not _finished(y, (x, box), (best, done), onto, (matrix, goal)):
        left = np.flatnonzero(~done)
        best[left] = _least_distance(y[left], onto.part(left), matrix, goal[left])
    return best


def _least_distance(y: Floats, onto: Polyhedron, matrix: Floats, goal: Floats) -> Floats:
    """Lawson & Hanson 1974, chapter 23: the nearest point that obeys inequalities, by non-negative least squares inside the equalities."""
    start = y - (y @ matrix.T - goal) @ np.linalg.pinv(matrix).T if len(matrix) else y
    inside = null_space(matrix) if len(matrix) else np.eye(y.shape[1])
    rows = np.concatenate([onto.rows, -onto.rows, np.eye(y.shape[1]), -np.eye(y.shape[1])])
    limits = np.concatenate([np.where(onto.low == onto.high, -np.inf, onto.low), np.where(onto.low == onto.high, -np.inf, -onto.high), onto.least, -onto.most], 1)
    x, directions = start.copy(), rows @ inside
    for i in range(len(y)):
        there = np.isfinite(limits[i])
        short = (limits[i] - rows @ start[i])[there]
        size = float(np.abs(short).max(initial=1e-300))
        system = np.concatenate([directions[there].T, short[None] / size])
        with suppress(RuntimeError):
            force = nnls(system, np.eye(len(system))[-1])[0]
            binding = force > 1e-9 * force.max(initial=0.0)   # its answer itself is as exact as its residual is far from 0
            x[i] = start[i] + inside @ (np.linalg.pinv(directions[there][binding]) @ short[binding])
    return x


def _equalities(onto: Polyhedron) -> tuple[Floats, Floats]:
    """What has to be equal in every item: rows with one limit, and differences of tied ones; (e, n), and the goals (B, e)."""
    fixed = np.flatnonzero((onto.low == onto.high).all(0))
    ties = [onto.rows[b] - onto.rows[a] for tie in onto.ties for a, b in zip(tie, tie[1:], strict=False)]
    matrix = np.concatenate([onto.rows[fixed], np.reshape(ties, (len(ties), onto.rows.shape[1]))])
    return matrix, np.concatenate([onto.low[:, fixed], np.zeros((len(onto.low), len(ties)))], 1)


def _finished(y: Floats, at: tuple[Floats, Floats], found: tuple[Floats, Flags], onto: Polyhedron, equal: tuple[Floats, Floats]) -> bool:
    """Finds exact projections where the limits that seem to bind are right (x and the box's part in it say which); whether all items are done."""
    (x, box), (best, done) = at, found
    if y.shape[1] > SMALL:
        return False
    size = 1e-6 * (1 + np.abs(y).max(1, initial=0.0))[:, None]
    total = x @ onto.rows.T
    free = onto.low != onto.high
    up, down = free & (np.abs(total - onto.high) < size), free & (np.abs(total - onto.low) < size)
    states = np.concatenate([up * 2 + (down & ~up), np.where(np.abs(box) > 1e-3 * size, 1 + (box > 0), 0)], 1)
    for state in np.unique(states[~done], axis=0):
        items = np.flatnonzero((states == state).all(1) & ~done)
        near, right = _bound(y[items], onto.part(items), (equal[0], equal[1][items]), state)
        best[items[right]], done[items[right]] = near[right], True
    return bool(done.all())


def _bound(y: Floats, onto: Polyhedron, equal: tuple[Floats, Floats], state: NDArray[Any]) -> tuple[Floats, Flags]:
    """The projection onto the limits that bind (2: upper, 1: lower), and in which items it is the nearest point of all (Karush-Kuhn-Tucker)."""
    rows, cells = state[:len(onto.rows)], state[len(onto.rows):]
    binding, fixed = np.flatnonzero(rows), np.flatnonzero(cells)
    matrix = np.concatenate([equal[0], onto.rows[binding], np.eye(y.shape[1])[fixed]])
    goal = np.concatenate([equal[1], np.where(rows[binding] == 2, onto.high[:, binding], onto.low[:, binding]),
                           np.where(cells[fixed] == 2, onto.most[:, fixed], onto.least[:, fixed])], 1)
    force = (y @ matrix.T - goal) @ np.linalg.pinv(matrix @ matrix.T).T if len(matrix) else np.zeros((len(y), 0))
    x = y - force @ matrix
    sign = np.where(np.concatenate([rows[binding], cells[fixed]]) == 2, 1, -1)
    size = NEAR * (1 + np.abs(y).max(1, initial=0.0))[:, None]
    total = x @ onto.rows.T
    inside = (total <= onto.high + size) & (total >= onto.low - size)
    right = inside.all(1) & ((x >= onto.least - size) & (x <= onto.most + size)).all(1) & (force[:, len(equal[0]):] * sign >= -size).all(1)
    return x, right & (np.abs(x @ matrix.T - goal) <= size).all(1)
