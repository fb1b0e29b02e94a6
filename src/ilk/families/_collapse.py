"""Whether a generator collapsed, or gets nothing to learn from: what can be told from some real and made items."""
from __future__ import annotations

import torch
from torch import Tensor

from ilk.families._mixture_fit import clusters
from ilk.rng import Rng

CLUSTERS, EACH = 20, 20   # at most, and real items in one on average: few, so that a cluster is a mode and not a part of one, where blurred items are rare
EMPTY, PAIRED = 0.1, 500  # fewer of the made than this share of the real: none; items whose distances to one another are looked at
LOST, NARROW = 0.1, 0.1   # of the real items in clusters that are not made, and of the real distance to the next item: less is a collapse
ONE = 0.25                # of the mean distance between two middles: nearer ones are parts of one mode
FLAT, WON = 1e-3, 0.01    # slope at made items in units of the data, and the critic's loss as a share of that of no opinion


def lost(real: Tensor, made: Tensor, rng: Rng) -> float:
    """The share of real items, (n, d) float64, in clusters where next to nothing is made (bins as in Richardson & Weiss 2018).

    Every second item makes the clusters and the others are counted: an item is nearer to the middle of a cluster that it made itself.
    Clusters that are next to each other count together: where a small mode is in two, a generator that is slightly off meets only one half.
    """
    first, rest = real[::2], real[1::2]
    near, _ = clusters(first, max(1, min(CLUSTERS, len(first) // EACH)), rng)
    size = torch.bincount(near).double()
    centre = real.new_zeros(len(size), real.shape[1]).index_add_(0, near, first) / size.clamp_min(1)[:, None]
    there, here = (torch.bincount(torch.cdist(x, centre).argmin(1), minlength=len(size)).double() / max(1, len(x)) for x in (rest, made))
    apart = torch.cdist(centre, centre)
    beside = (apart <= ONE * apart.mean()).double()
    return float(there[beside @ here < EMPTY * (beside @ there)].sum())


def closeness(real: Tensor, made: Tensor) -> float:
    """How far a made item is from the next one, over the same of as many real ones (medians); near 0 if few items are made again and again."""
    n = min(len(real), len(made), PAIRED)
    far, near = (_next(x[:n]) for x in (real, made))
    return near / far if far > 0 else 1.0


def _next(x: Tensor) -> float:
    apart = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    return float(apart.fill_diagonal_(torch.inf).amin(1).median())
