"""Points that are compared with others of their own set."""
from __future__ import annotations

from dataclasses import fields, replace
from math import inf

import torch
from torch import Tensor

from ..metrics._nearest import CHUNK, P


def head(points: P, n: int) -> P:
    """The first n."""
    return replace(points, **{f.name: getattr(points, f.name)[:n] for f in fields(points)})


def neighbours(points: P) -> tuple[Tensor, Tensor, Tensor]:
    """The distances of every point to its two nearest others, and which the nearest is, (n,) each; at least three points."""
    step, found = max(1, CHUNK // len(points)), []
    for first in range(0, len(points), step):
        far = points.rough(first, min(first + step, len(points)), points)
        far[torch.arange(len(far)), torch.arange(len(far)) + first] = inf
        found.append(far.topk(2, dim=1, largest=False).indices)
    index = torch.cat(found)
    one, two = (points.exact(points, index[:, i]) for i in (0, 1))
    return torch.minimum(one, two), torch.maximum(one, two), torch.where(one <= two, index[:, 0], index[:, 1])
