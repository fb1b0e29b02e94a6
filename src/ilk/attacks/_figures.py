"""Figures that attacks share: shares and areas with their intervals."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..attack import Finding
from ..rng import Rng

LEVEL, DRAWS, RATE = 0.95, 200, 0.01


def exact(hits: int, n: int) -> tuple[float, float]:
    """The exact interval of a share (Clopper & Pearson 1934).

    >>> [round(x, 4) for x in exact(0, 10)]
    [0.0, 0.3085]
    """
    from scipy.special import betaincinv  # not above: it takes time to import

    tail = (1 - LEVEL) / 2
    return float(betaincinv(hits, n - hits + 1, tail)) if hits else 0.0, float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0


def shares(name: str, seen: Tensor, unseen: Tensor, margin: float, reads: str) -> Finding:
    """How often something is true of training items, (n,), against how often it is of held-out ones, (m,), which is its null."""
    hits, chance = int(seen.sum()), int(unseen.sum())
    low, high = exact(hits, len(seen))
    return Finding(name, hits / len(seen), low, high, chance / len(unseen), min(1.0, exact(chance, len(unseen))[1] + margin), len(seen), reads)


def auc(seen: Tensor, unseen: Tensor) -> Tensor:
    """The chance that a training item, (..., n), has more than a held-out one, (..., m), ties half (Mann & Whitney 1947), (...).

    >>> float(auc(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])))
    0.875
    """
    order, seen = unseen.sort(-1).values, seen.contiguous()
    below = torch.searchsorted(order, seen) + torch.searchsorted(order, seen, right=True)
    return below.double().mean(-1) / 2 / unseen.shape[-1]


def caught(seen: Tensor, unseen: Tensor) -> Tensor:
    """The share of training items, (..., n), above all but a hundredth of the held-out ones, (..., m): the true positive rate at 1 % false ones, (...).

    >>> float(caught(torch.tensor([0.0, 5.0]), torch.arange(4.0)))
    0.5
    """
    size = unseen.shape[-1]
    bar = unseen.kthvalue(size - int(RATE * size), dim=-1, keepdim=True).values
    return (seen > bar).double().mean(-1)


def gain(seen: Tensor, unseen: Tensor) -> Tensor:
    """The difference of means, (...)."""
    return seen.mean(-1) - unseen.mean(-1)


def bootstrap(stat: Callable[[Tensor, Tensor], Tensor], seen: Tensor, unseen: Tensor, rng: Rng) -> tuple[float, float, float]:
    """A figure of two sets and its 95 % interval, by drawing items of both anew (Efron 1979)."""
    drawn = [x[(rng.child(side).uniform(DRAWS, len(x)) * len(x)).long()] for side, x in (("seen", seen), ("unseen", unseen))]
    low, high = stat(*drawn).quantile(torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2], dtype=torch.double)).tolist()
    return float(stat(seen, unseen)), low, high
