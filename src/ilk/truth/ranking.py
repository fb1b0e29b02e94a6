"""How well found things are ranked: recall, reciprocal rank and nDCG of queries with known relevant things."""
from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ilk.errors import DataError, UsageError
from ilk.rng import Rng

from ._arrays import Numbers, resampled

Relevant = Mapping[Hashable, float]   # what is relevant to a query, and how much


@dataclass(frozen=True)
class Ranking:
    """Means over queries of the first k found: the share of relevant things among them (recall), 1 / the rank of the first (MRR), and nDCG; 95 % intervals by bootstrap."""

    k: int
    recall: float
    reciprocal_rank: float
    ndcg: float
    n: int
    intervals: Mapping[str, tuple[float, float]]


def ranking(found: Sequence[Sequence[Hashable]], relevant: Sequence[Relevant], k: int = 5, seed: int = 0) -> Ranking:
    """What was found for each query, the best first, against what is relevant to it. Gains count as they are (not 2^gain - 1); what is found twice counts once.

    >>> ranking([["b", "a", "c"]], [{"a": 1}], k=3).reciprocal_rank
    0.5
    """
    if k < 1:
        raise UsageError(f"the first {k} of what was found are none", code="OPTION", param="k", remedy="at least 1")
    if len(found) != len(relevant) or not found:
        raise DataError(f"{len(found)} rankings of {len(relevant)} queries", code="SHAPE", remedy="what was found and what is relevant, for each query")
    if bare := [i for i, r in enumerate(relevant) if not any(g > 0 for g in r.values())]:
        raise DataError(f"nothing is relevant to query {bare[0]}", code="EMPTY", remedy="leave it out: such queries are for abstention")
    rows = np.array([_figures(list(dict.fromkeys(f))[:k], r, k) for f, r in zip(found, relevant, strict=True)])
    names = ("recall", "reciprocal_rank", "ndcg")
    spans = {name: resampled(lambda v: float(v.mean()), [rows[:, i]], Rng(seed).child("ranking", name)) for i, name in enumerate(names)}
    recall, reciprocal, ndcg = rows.mean(0).tolist()
    return Ranking(k, recall, reciprocal, ndcg, len(rows), spans)


def _figures(first: Sequence[Hashable], relevant: Relevant, k: int) -> tuple[float, float, float]:
    gains = np.array([max(0.0, relevant.get(thing, 0.0)) for thing in first])
    wanted = [g for g in relevant.values() if g > 0]
    hits = np.flatnonzero(gains)
    return len(hits) / len(wanted), 1 / (hits[0] + 1) if len(hits) else 0.0, _dcg(gains) / _dcg(np.sort(wanted)[::-1][:k])


def _dcg(gains: Numbers) -> float:
    """Discounted cumulative gain (Jarvelin and Kekalainen 2002)."""
    return float((gains / np.log2(np.arange(len(gains)) + 2)).sum())
