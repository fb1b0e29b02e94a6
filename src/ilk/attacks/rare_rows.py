"""Singled out: rare training rows that stand again among the made ones."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..attack import Attack, Finding, Target, Unmeasured
from ..metrics._nearest import nearest
from ..metrics._tables import Cells, arrays, columns
from ..rng import Rng
from ._figures import shares
from ._points import head, neighbours

SHARE, FEWEST, HALF, COLUMNS, MARGIN = 0.1, 20, 0.5, 12, 0.05


class RareRows(Attack):
    """Rows that are alone among the training rows, by distance or by a pair of values that no other has, and how many of these the model makes again.

    The same is done with as many held-out rows, alone among themselves: a model that learned the law and not the rows makes both as often.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "known", "unseen", "points")
    modalities: ClassVar[tuple[str, ...]] = ("table", "array")

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """By distance; of tables with two columns of categories or more, by pairs of values too."""
        made, known, unseen = target.placed
        sides = [head(known, len(unseen)), unseen]
        if len(unseen) < FEWEST:
            return Unmeasured(f"{len(unseen)} held-out items are too few: {FEWEST}")
        seen, other = (_alone(side, made) for side in sides)
        found = [shares("rare_rows", seen, other, MARGIN, "share of the most isolated training rows that a made row comes near, within half of their distance to any other; "
                                                     "the null is that of held-out rows")]
        pairs = [_again(*p) for p in _pairs(target)] if target.kind == "table" else []
        if pairs and min(map(len, pairs)) >= FEWEST:
            found.append(shares("rare_pairs", pairs[0], pairs[1], MARGIN, "share of the training rows with pairs of values of their own of which all these are made again; "
                                                                       "the null is that of held-out rows"))
        return found


def _alone(side: Any, made: Any) -> Tensor:
    """Whether each of the most isolated has a made item within half of its isolation."""
    gap = neighbours(side)[0]
    rare = gap.argsort(descending=True, stable=True)[: max(FEWEST, int(SHARE * len(gap)))]
    return nearest(side, made)[0][rare] < HALF * gap[rare]


def _pairs(target: Target) -> Iterator[tuple[Cells, Cells, Cells]]:
    """Of training and held-out rows in turn: codes of pairs of values, (pairs, n), in these, in the others and in the made ones."""
    frames = (target.made, target.seen, target.unseen)
    plain = [arrays(c, frames) for c in columns(target.model, frames) if not c.number][:COLUMNS]
    both = [_joined(a, b) for a, b in combinations(plain, 2)]
    if both:
        made, seen, unseen = (np.stack(side) for side in zip(*both, strict=True))
        yield seen, unseen, made
        yield unseen, seen, made


def _joined(one: Sequence[Cells], other: Sequence[Cells]) -> list[Cells]:
    """Two columns as one, on every side."""
    width = max(int(x.max()) for x in other) + 2
    return [(a.astype(np.int64) + 1) * width + b + 1 for a, b in zip(one, other, strict=True)]


def _again(mine: Cells, others: Cells, made: Cells) -> Tensor:
    """Of rows with a pair of values of their own, whether all such pairs are made."""
    single, there = np.zeros(mine.shape, dtype=bool), np.zeros(mine.shape, dtype=bool)
    for k, (a, b, m) in enumerate(zip(mine, others, made, strict=True)):
        values, first, count = np.unique(a, return_index=True, return_counts=True)
        once = first[(count == 1) & ~np.isin(values, b)]
        single[k, once] = True
        there[k, once] = np.isin(a[once], m)
    rows = single.any(axis=0)
    return torch.from_numpy((there >= single)[:, rows].all(axis=0))
