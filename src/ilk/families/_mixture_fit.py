"""Where expectation-maximisation starts, and how many components it gets."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ilk.batch import Batch, Memory, Source
from ilk.families._em import Climb, climb, least, total
from ilk.families._mixed import Items, Mixed
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.space import Many, Space
from ilk.store import State

if TYPE_CHECKING:
    from ilk.families.gmm import GaussianMixture

LLOYD, MOST, STARTS = 10, 50_000, 3


def seeded(mixture: GaussianMixture, data: Source, k: int, rng: Rng) -> State:
    """Statistics of k clusters found by k-means++ and a few rounds of k-means on at most 50,000 items."""
    items = mixture.items(data.take(some(len(data), MOST, rng.child("start"))))
    share = one_hot(_near(items, mixture.layout, k, rng), k).double().T * 0.99 + 0.01 / k
    return mixture.copy(k).summed(items, share.contiguous(), torch.zeros((), dtype=torch.float64))


def grouped(batch: Batch, space: Space, k: int, rng: Rng) -> Tensor:
    """Which of k clusters each item of any space belongs to; where items are no vectors, one at random."""
    if isinstance(space, Many):
        return rng.child("group").integers(len(batch), k)
    from ilk.families.gmm import GMM, GaussianMixture

    scaled = GaussianMixture(GMM(covariance="diag"), space, Rng(0), {})
    scaled.standardise(Memory(batch))
    return _near(scaled.items(batch), scaled.layout, k, rng)


def _near(items: Items, layout: Mixed, k: int, rng: Rng) -> Tensor:
    points = points_of(items, layout)
    return min((clusters(points, k, rng.child("kmeans", start)) for start in range(STARTS if k > 1 else 1)), key=lambda found: found[1])[0]


def some(n: int, most: int, rng: Rng) -> Tensor:
    """At most so many of n places, in order."""
    return torch.arange(n) if n <= most else rng.shuffle(n)[:most].sort().values


def points_of(items: Items, layout: Mixed) -> Tensor:
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


def choose_components(mixture: GaussianMixture, data: Source, run: Run, tried: Sequence[int], most: int) -> int:
    """The number of components with the least BIC on at most `most` items; stops after two that are worse."""
    few, family = Memory(data.take(some(len(data), most, run.rng.child("select")))), mixture.family
    def cost(k: int) -> float:
        one = mixture.copy(k)
        _climbed(one, few, k, run.quiet)
        return one.bic(few)

    def least_items(k: int) -> int:  # a full covariance of fewer items than numbers is none: its likelihood has no limit
        return 2 * k * (mixture.layout.width + 1 if family.covariance == "full" and k > 1 else 1)

    k, bic = least(run.timely(k for k in tried if least_items(k) <= len(few)), cost)
    run.emit(Noted(f"{k} components have the least BIC ({bic:.0f})"))
    return k


def _climbed(one: GaussianMixture, few: Source, k: int, run: Run) -> None:
    items = one.prepared(few)
    how = Climb("gmm", min(one.family.rounds, 60), max(1e-3, one.family.tolerance))
    climb(one, lambda: one.absorb(seeded(one, few, k, run.rng)), lambda: total(one, map(one.expected, items)), run, how)
