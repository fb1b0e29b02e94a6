"""Where expectation-maximisation starts, and how many components it gets."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ilk.batch import Memory, Source
from ilk.families._em import Climb, climb, total
from ilk.families._mixed import Items, Mixed
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.store import State

if TYPE_CHECKING:
    from ilk.families.gmm import Mixture

LLOYD, MOST, STARTS = 10, 50_000, 3


def seeded(mixture: Mixture, data: Source, k: int, rng: Rng) -> State:
    """Statistics of k clusters found by k-means++ and a few rounds of k-means on at most 50,000 items."""
    few = data.take(_some(len(data), MOST, rng.child("start")))
    items = mixture.items(few)
    points = _points(items, mixture.layout)
    near = min((clusters(points, k, rng.child("kmeans", start)) for start in range(STARTS if k > 1 else 1)), key=lambda found: found[1])[0]
    share = one_hot(near, k).double().T * 0.99 + 0.01 / k
    return mixture.copy(k).summed(items, share.contiguous(), torch.zeros((), dtype=torch.float64))


def _some(n: int, most: int, rng: Rng) -> Tensor:
    return torch.arange(n) if n <= most else rng.shuffle(n)[:most].sort().values


def _points(items: Items, layout: Mixed) -> Tensor:
    """Numbers (missing at their mean) and categories as one-hot, of like weight."""
    hot = [one_hot(items.codes[:, j], size).double() for j, size in enumerate(layout.sizes) if size <= 256]
    return torch.cat([items.x, *hot, items.bits.double()], 1)


def clusters(x: Tensor, k: int, rng: Rng) -> tuple[Tensor, float]:
    """The nearest of k centres of each point (n, d), and the squared distances in all: k-means++ (Arthur & Vassilvitskii 2007), then Lloyd."""
    u = rng.uniform(k)
    centre = x[int(u[0] * len(x))][None]
    gap = (x - centre).square().sum(1)
    for j in range(1, k):
        reach = gap.cumsum(0)
        if float(reach[-1]) <= 0:
            break
        centre = torch.cat([centre, x[int(torch.searchsorted(reach, u[j] * reach[-1]).clamp_max(len(x) - 1))][None]])
        gap = torch.minimum(gap, (x - centre[-1]).square().sum(1))
    near = torch.cdist(x, centre).argmin(1)
    for _ in range(LLOYD):
        count = torch.zeros(len(centre), dtype=torch.float64).index_add_(0, near, torch.ones(len(x), dtype=torch.float64))
        mean = torch.zeros_like(centre).index_add_(0, near, x) / count.clamp_min(1)[:, None]
        centre = mean.where(count[:, None] > 0, centre)
        near = torch.cdist(x, centre).argmin(1)
    return near, float((x - centre[near]).square().sum())


def choose_components(mixture: Mixture, data: Source, run: Run, tried: Sequence[int], most: int) -> int:
    """The number of components with the least BIC on at most `most` items; stops after two that are worse."""
    few = Memory(data.take(_some(len(data), most, run.rng.child("select"))))
    best, best_k, worse = float("inf"), 1, 0
    for k in tried:
        least = mixture.layout.width + 1 if mixture.family.covariance == "full" and k > 1 else 1
        if 2 * k * least > len(few):  # a full covariance of fewer items than numbers is none: its likelihood has no limit
            break
        one = mixture.copy(k)
        _climbed(one, few, k, replace(run, checkpoint=None, listeners=(), budget=None, within=None))
        bic = one.bic(few)
        best, best_k, worse = (bic, k, 0) if bic < best else (best, best_k, worse + 1)
        if worse == 2:
            break
    run.emit(Noted(f"{best_k} components have the least BIC ({best:.0f})"))
    return best_k


def _climbed(one: Mixture, few: Source, k: int, run: Run) -> None:
    items = one.prepared(few)
    how = Climb("gmm", min(one.family.rounds, 60), max(1e-3, one.family.tolerance))
    climb(one, lambda: one.absorb(seeded(one, few, k, run.rng)), lambda: total(one, map(one.expected, items)), run, how)
