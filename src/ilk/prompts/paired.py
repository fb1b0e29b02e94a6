"""Two sides that answered the same questions: how far they are apart, and whether that may be chance."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ilk.errors import DataError
from ilk.rng import Rng
from ilk.verbs.prefer import interval

DRAWS, BLOCK, LEVEL = 10_000, 1 << 22, 0.05
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """The second side's mean less the first's, with its 95 % interval; p is the chance of such a difference or a larger one were the sides equally good.

    `won` questions went better with the second, `lost` with the first.
    """

    difference: float
    low: float
    high: float
    p: float
    won: int
    lost: int
    n: int
    test: Literal["mcnemar", "permutation"]

    @property
    def better(self) -> Literal["first", "second"] | None:
        """Which side is better at the level of 5 %; None where they can't be told apart."""
        return None if self.p > LEVEL or self.difference == 0 else "second" if self.difference > 0 else "first"


def mcnemar(won: int, lost: int) -> float:
    """McNemar's test, exact and two-sided: of pairs that differ, each way is as likely as the other (1947).

    >>> mcnemar(0, 0), mcnemar(8, 1)
    (1.0, 0.0390625)
    """
    n = won + lost
    ways = tail = 1   # so many ways to have i of n, and i at most: whole numbers, so nothing is rounded
    for i in range(min(won, lost)):
        ways = ways * (n - i) // (i + 1)
        tail += ways
    return min(1.0, float(2 * tail / 2**n))


def permutation(gaps: Numbers, rng: Rng) -> float:
    """The two-sided test of a mean of 0 by turning signs at random; the signs as they are count as one draw, so that p is never 0 (Phipson & Smyth 2010)."""
    gaps = gaps[gaps != 0]
    if not len(gaps):
        return 1.0
    real, beyond = abs(float(gaps.sum())) * (1 - 1e-12), 0
    for start, rows in _blocks(len(gaps)):
        signs = np.where(rng.at(start).uniform(rows, len(gaps)).numpy() < 0.5, -1.0, 1.0)
        beyond += int((np.abs(signs @ gaps) >= real).sum())
    return (beyond + 1) / (DRAWS + 1)


def bootstrap(values: Numbers, rng: Rng) -> tuple[float, float]:
    """95 % of the mean of values that are drawn again with replacement."""
    n, means = len(values), []
    for start, rows in _blocks(n):
        means.append(values[(rng.at(start).uniform(rows, n).numpy() * n).astype(np.int64).clip(max=n - 1)].mean(1))
    low, high = np.quantile(np.concatenate(means), [LEVEL / 2, 1 - LEVEL / 2])
    return float(low), float(high)


def _blocks(width: int) -> Sequence[tuple[int, int]]:
    """All draws in blocks that fit in memory: where each starts, and how many rows it has."""
    rows = max(1, min(DRAWS, BLOCK // width))
    return [(start, min(rows, DRAWS - start)) for start in range(0, DRAWS, rows)]


def mean_interval(scores: Sequence[float], graded: bool, rng: Rng) -> tuple[float, float]:
    """95 % of a mean: Wilson's of right or wrong answers, by bootstrap of graded ones."""
    return bootstrap(np.array(scores), rng) if graded else interval(sum(scores) / len(scores), len(scores))


def paired(first: Sequence[float], second: Sequence[float], graded: bool, rng: Rng) -> Paired:
    """The comparison, question by question. Right or wrong: McNemar's test and Newcombe's interval; graded: permutation and bootstrap.

    >>> found = paired([0, 0, 1, 0, 0, 1, 0, 0, 0, 0], [1, 1, 0, 1, 1, 1, 1, 1, 1, 1], False, Rng(0))
    >>> found.better, found.won, found.lost, round(found.p, 3)
    ('second', 8, 1, 0.039)
    """
    if len(first) != len(second) or not len(first):
        raise DataError(f"{len(first)} and {len(second)} scores can't be paired", code="SHAPE", remedy="one of each side for every question")
    gaps = np.array(second, dtype=np.float64) - np.array(first, dtype=np.float64)
    won, lost, n = int((gaps > 0).sum()), int((gaps < 0).sum()), len(gaps)
    if graded:
        return Paired(float(gaps.mean()), *bootstrap(gaps, rng.child("bootstrap")), permutation(gaps, rng.child("permutation")), won, lost, n, "permutation")
    both = int((np.array(first) * np.array(second)).sum())
    return Paired(float(gaps.mean()), *_newcombe(both, won, lost, n), mcnemar(won, lost), won, lost, n, "mcnemar")


def _newcombe(both: int, won: int, lost: int, n: int) -> tuple[float, float]:
    """95 % of the difference of two paired shares (Newcombe 1998, method 10): the intervals of both, joined by how they go together."""
    p, q = (both + won) / n, (both + lost) / n
    (low_p, high_p), (low_q, high_q) = interval(p, n), interval(q, n)
    neither = n - both - won - lost
    edges = (both + won) * (lost + neither) * (both + lost) * (won + neither)
    cross = both * neither - won * lost
    phi = (max(cross - n / 2, 0) if cross > 0 else cross) / sqrt(edges) if edges else 0.0
    down, up = ((p - low_p, high_q - q), (high_p - p, q - low_q))
    low, high = (sqrt(max(0.0, a * a - 2 * phi * a * b + b * b)) for a, b in (down, up))
    return p - q - low, p - q + high
