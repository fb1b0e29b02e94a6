"""discover: constraints that all rows of some data obey, where that is too unlikely to be chance."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf, log
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ilk.constraints import Constraint, Depends, Linear, Sums, Unique
from ilk.errors import UsageError
from ilk.verbs._bound import Numeric
from ilk.verbs._projection import Floats
from ilk.verbs.read import read

FEWEST, CHANCE, CODES = 30, log(1e-6), 1000   # rows; log probability that counts as none, over all that is tried; values of a determinant
LARGEST = 100                                 # denominator of a factor


@dataclass(frozen=True)
class Found:
    """A constraint, the rows that bear on it, and the log probability that so many would obey if its columns had nothing to do with each other."""

    constraint: Constraint
    support: int
    chance: float


@dataclass(frozen=True)
class Discovered:
    """What was found."""

    found: tuple[Found, ...]

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """As `obeying` takes them."""
        return tuple(f.constraint for f in self.found)

    def __repr__(self) -> str:
        lines = [f"{f.constraint}  (all of {f.support} rows{'' if f.chance == -inf else f'; by chance with probability 1e{f.chance / log(10):.0f}'})" for f in self.found]
        return "\n".join(lines) or "nothing that all rows obey but by chance"


def discover(data: Any) -> Discovered:
    """Equations, inequalities, dependencies and keys of a table, constant sums of arrays: those that no training row breaks.

    Each is tested against chance: columns shuffled independently would obey it with a probability below 1e-6, shared among all that are tried.

    >>> import polars as pl
    >>> a, b = pl.Series(range(60)) % 7, pl.Series(range(60)) % 11
    >>> discover(pl.DataFrame({"net": a, "tax": b, "gross": a + b})).constraints[0]
    Linear(terms=(('net', 1), ('tax', 1), ('gross', -1)), sign='==', total=0)
    """
    known = read(data)
    items, modality = known.train if known.splits else known.items, known.modality
    if getattr(modality, "shape", None):
        return Discovered(tuple(_constant_sums(np.asarray(items))))
    if not isinstance(items, pl.DataFrame):
        raise UsageError(f"constraints are found in tables and arrays, not in {type(modality).__name__}", code="CAPABILITY")
    names = [c.name for c in modality.columns if c.kind in ("number", "when")]  # type: ignore[attr-defined]
    values = modality.numbers(items, names) if names else np.zeros((len(items), 0))  # type: ignore[attr-defined]
    varied = [i for i in range(len(names)) if len(np.unique(values[~np.isnan(values[:, i]), i])) > 1]
    names, values = [names[i] for i in varied], values[:, varied]
    equations = list(_equations(modality, items, names, values))
    orders = list(_orders(names, values, equations))
    return Discovered((*equations, *orders, *_dependencies(modality, items, equations), *_keys(modality, items)))


def _equations(modality: Any, items: pl.DataFrame, names: list[str], values: Floats) -> Iterator[Found]:
    """Linear equations by the null space of the numbers: few small factors, and exact in every row."""
    dates = {n for n, g in zip(names, modality.gauges(names), strict=True) if g.date}
    full = values[~np.isnan(values).any(1)]
    if len(full) < max(FEWEST, 5 * len(names)) or not names:
        return
    middle, scale = full.mean(0), full.std(0)
    _, sizes, axes = np.linalg.svd((full - middle) / scale, full_matrices=False)
    null = axes[sizes < 1e-7 * max(1.0, sizes[0])] / scale
    for row in _reduced(null):
        terms = [(n, _simple(f)) for n, f in zip(names, row, strict=True) if abs(f) > 1e-6]
        total = _simple(float(row @ full[0]))
        if len(terms) < 2 or total is None or None in (f for _, f in terms) or (dates & {n for n, _ in terms} and sum(f for n, f in terms if n in dates)):  # type: ignore[misc]
            continue
        made = _tidy(terms, total)  # type: ignore[arg-type]
        numeric = Numeric(modality, (made,), items)
        if numeric.obeyed(numeric.values(items))[made].all():
            yield Found(made, len(full), -inf)


def _reduced(rows: Floats) -> Floats:
    """The reduced echelon form: each row with as few columns as elimination gives, the last columns solved for."""
    rows, done = rows[:, ::-1].copy(), 0
    for j in range(rows.shape[1]):
        if done == len(rows):
            break
        best = done + int(np.abs(rows[done:, j]).argmax())
        if abs(rows[best, j]) < 1e-9 * np.abs(rows).max(initial=1e-300):
            continue
        rows[[done, best]] = rows[[best, done]]
        rows[done] /= rows[done, j]
        others = np.arange(len(rows)) != done
        rows[others] -= rows[others, j][:, None] * rows[done]
        done += 1
    return rows[:done, ::-1]


def _simple(x: float) -> Fraction | None:
    """A small fraction, or a short decimal, that is the number but for rounding."""
    for near in (Fraction(x).limit_denominator(LARGEST), Fraction(round(x, 4)).limit_denominator(10**4)):
        if abs(float(near) - x) <= 1e-6 * max(1.0, abs(x)):
            return near
    return None


def _tidy(terms: list[tuple[str, Fraction]], total: Fraction) -> Linear:
    """In whole factors, what is added before what is taken away, no more minus than plus."""
    common = np.lcm.reduce([f.denominator for _, f in terms])
    sign = -1 if sum(f < 0 for _, f in terms) * 2 > len(terms) or (sum(f < 0 for _, f in terms) * 2 == len(terms) and terms[0][1] < 0) else 1
    whole = [(n, int(f * int(common) * sign)) for n, f in terms]
    goal = total * int(common) * sign
    return Linear(tuple(sorted(whole, key=lambda t: t[1] < 0)), "==", int(goal) if goal.denominator == 1 else float(goal))


def _orders(names: list[str], values: Floats, equations: list[Found]) -> Iterator[Found]:
    """a <= b in all rows, those that follow from others left out."""
    tried = max(1, len(names) * (len(names) - 1))
    held: dict[tuple[int, int], Found] = {}
    for i in range(len(names)):
        for j in range(len(names)):
            pair = values[:, [i, j]][~np.isnan(values[:, [i, j]]).any(1)]
            if i == j or len(pair) < FEWEST or (pair[:, 0] > pair[:, 1]).any() or (pair[:, 0] == pair[:, 1]).all():
                continue
            share = float(np.searchsorted(np.sort(pair[:, 0]), pair[:, 1], side="right").mean() / len(pair))   # of all pairings of the two columns
            chance = len(pair) * log(min(1.0, share)) if share > 0 else -inf
            if chance < CHANCE - log(tried):
                strict = bool((pair[:, 0] < pair[:, 1]).all())
                held[i, j] = Found(Linear(((names[i], 1), (names[j], -1)), "<" if strict else "<="), len(pair), chance)
    for (i, j), found in held.items():
        if not any((i, k) in held and (k, j) in held for k in range(len(names)) if k not in (i, j)):
            yield found


def _codes(series: pl.Series) -> NDArray[np.int64]:
    """Values by number, -1 where missing."""
    made = series.rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    return np.asarray(made, dtype=np.int64)


def _dependencies(modality: Any, items: pl.DataFrame, equations: list[Found]) -> Iterator[Found]:
    """One column says another: as often as values come again, the other comes again with them."""
    known = {frozenset(n for n, _ in f.constraint.terms) for f in equations if isinstance(f.constraint, Linear) and len(f.constraint.terms) == 2}
    columns = {c.name: _codes(items[c.name]) for c in modality.columns if c.kind in ("category", "boolean", "number") and (c.kind != "number" or c.grid)}
    columns = {n: c for n, c in columns.items() if 1 < c.max() + 1 <= CODES}
    for a, on in columns.items():
        for b, what in columns.items():
            there = (on >= 0) & (what >= 0)
            if a != b and frozenset((a, b)) not in known and there.sum() >= FEWEST:
                chance = _agreement(on[there], what[there])
                if chance is not None and chance < CHANCE - log(len(columns) ** 2):
                    yield Found(Depends((a,), (b,)), int(there.sum()), chance)


def _agreement(on: NDArray[np.int64], what: NDArray[np.int64]) -> float | None:
    """The log probability that all rows with one value of `on` had one value of `what` if shuffled; None where they have not."""
    pairs = np.unique(np.stack([on, what], 1), axis=0)
    if len(pairs) != len(np.unique(on)):
        return None
    share = np.bincount(what) / len(what)
    share = np.log(share[share > 0])
    return float(sum(np.logaddexp.reduce(share * many) for many in np.bincount(on) if many > 1))


def _keys(modality: Any, items: pl.DataFrame) -> Iterator[Found]:
    """Columns, else pairs of them, in which no two rows are alike although their values are few enough to repeat."""
    repeats = {c.name: _repeat(c, items[c.name]) for c in modality.columns}
    tried = log(max(1, len(repeats)) ** 2)
    alone = set()
    for c in modality.columns:
        there = items[c.name].drop_nulls()
        if len(there) >= FEWEST and there.n_unique() == len(there):
            alone.add(c.name)
            chance = -inf if c.kind == "identifier" else -len(there) ** 2 / 2 * repeats[c.name]
            if chance < CHANCE - tried:
                yield Found(Unique((c.name,)), len(there), chance)
    rest = [n for n, repeat in repeats.items() if repeat > 0 and n not in alone]
    for i, a in enumerate(rest):
        for b in rest[i + 1:]:
            chance = -len(items) ** 2 / 2 * repeats[a] * repeats[b]
            if chance < CHANCE - tried:
                there = items.select(a, b).drop_nulls()
                if len(there) >= FEWEST and there.n_unique() == len(there):
                    yield Found(Unique((a, b)), len(there), chance)


def _repeat(column: Any, series: pl.Series) -> float:
    """How likely two rows are alike: by how often values come, and where none does by how many there are room for."""
    there = series.drop_nulls()
    if column.kind in ("identifier", "text") or (column.kind == "number" and not column.grid) or not len(there):
        return 0.0
    if there.n_unique() == len(there) and column.kind in ("number", "when"):
        numbers = column.fine(there).numpy()
        return float(1 / (numbers.max() - numbers.min() + 1))
    counts = there.value_counts()["count"].to_numpy() / len(there)
    return float((counts**2).sum())


def _constant_sums(items: Floats) -> Iterator[Found]:
    """Sums over all axes, or over some of them, that are one number in all items, or one in each; but for the rounding of floats."""
    x = items.astype(np.float64)
    size = np.finfo(items.dtype if items.dtype.kind == "f" else np.float64).eps * 8 * np.sqrt(x[0].size)
    axes = range(x.ndim - 1)
    choices = [*([(a,) for a in axes] if x.ndim > 2 else []), tuple(axes)]
    if len(items) < FEWEST:
        return
    for chosen in choices:
        sums = x.sum(tuple(a + 1 for a in chosen)).reshape(len(x), -1)
        room = size * np.abs(x).sum(tuple(range(1, x.ndim))).max()
        whole = len(chosen) == x.ndim - 1
        if np.ptp(sums) <= room and (x != x[:1]).any():
            total = float(f"{sums.mean():.10g}")
            yield Found(Sums(() if whole else chosen, "==", int(total) if total == int(total) else total), len(x), -inf)
        elif sums.shape[1] > 1 and (np.ptp(sums, 1) <= room).all():
            yield Found(Sums(chosen), len(x), -inf)
