"""Whether a generator collapsed, or gets nothing to learn from: what can be told from some real and made items."""
from __future__ import annotations

import torch
from torch import Tensor

REFERENCES, EACH, EMPTY = 100, 20, 0.1   # cells at most; real items in a cell on average; fewer of the made than this share of the real: empty
LOST, NARROW = 0.1, 0.1                  # of the real items in empty cells, and of the real distance to the next item: less is a collapse
FLAT, WON = 1e-3, 0.01                   # slope at made items in units of the data, and the critic's loss as a share of that of no opinion


def lost(real: Tensor, made: Tensor) -> float:
    """The share of the real items, (n, d), in parts of space where next to nothing is made.

    Parts as in Richardson & Weiss (2018): what is nearest to one of some real items, which themselves are not counted.
    """
    many = max(1, min(REFERENCES, len(real) // (EACH + 1)))
    reference, rest = real[:many], real[many:]
    there, here = (torch.bincount(torch.cdist(x, reference).argmin(1), minlength=many).double() / max(1, len(x)) for x in (rest, made))
    return float(there[here < EMPTY * there].sum())


def closeness(real: Tensor, made: Tensor) -> float:
    """How far a made item is from the next one, over the same of as many real ones (medians); near 0 if few items are made again and again."""
    n = min(len(real), len(made))
    far, near = (_next(x[:n]) for x in (real, made))
    return near / far if far > 0 else 1.0


def _next(x: Tensor) -> float:
    apart = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    return float(apart.fill_diagonal_(torch.inf).amin(1).median())
