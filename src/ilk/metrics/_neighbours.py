"""Precision, recall, density and coverage: one look at the nearest neighbours of two samples gives all four.

As Naeem et al. (2020) have them: the ball of an item reaches to its k-th neighbour on its own side, itself not counted.
"""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..metric import Case, NotApplicable, Reading
from ._features import sides
from ._kept import Kept, digest
from ._tables import Cells

K, CHUNK = 5, 1 << 22  # neighbours; distances at a time
_TIE = 1e-12           # of the largest square: rounding of squared distances, within which an item is on the rim, hence inside

Four = Mapping[str, tuple[float, float]]
_FOUND: Kept[Four] = Kept(16)


def reading(case: Case, name: str) -> Reading | NotApplicable:
    """One of the four, with that of real items in `parts`."""
    found = sides(case)
    if isinstance(found, str):
        return NotApplicable(found)
    if min(len(found.made), len(found.test)) <= K:
        return NotApplicable(f"an item needs {K} neighbours on its side")
    value, error = _kept(found.made, found.test)[name]
    parts = {} if found.real is None or len(found.real) <= K else {"real": _kept(found.real, found.test)[name][0]}
    return Reading(value, error if case.errors else None, len(found.made), parts, f"k={K}, in {found.convention}; the error takes the balls as given")


def _kept(made: Cells, test: Cells) -> Four:
    return _FOUND.get(digest(made, test), lambda: four(made, test))


def four(made: Cells, test: Cells) -> Four:
    """Each of the four and its standard error, the balls taken as given."""
    ours, real = (torch.from_numpy(np.asarray(x, dtype=np.float64) - test.mean(0)) for x in (made, test))
    tie = _TIE * float(max(ours.square().sum(1).max(), real.square().sum(1).max()))
    reach_ours, reach_real = _reach(ours) + tie, _reach(real) + tie
    held, recalled, nearest = [], torch.zeros(len(real), dtype=torch.bool), torch.full((len(real),), float("inf"), dtype=torch.float64)
    step = max(1, CHUNK // len(real))
    for start in range(0, len(ours), step):
        square = _square(ours[start:start + step], real)
        held.append((square <= reach_real).sum(1))
        recalled |= (square <= reach_ours[start:start + step, None]).any(0)
        nearest = torch.minimum(nearest, square.min(0).values)
    holding = torch.cat(held).double()
    return {"precision": _share(holding > 0), "recall": _share(recalled), "coverage": _share(nearest <= reach_real),
            "density": (float(holding.mean()) / K, float(holding.std()) / K / len(ours) ** 0.5)}


def _reach(x: Tensor) -> Tensor:
    """The squared distance to the k-th neighbour."""
    step, found = max(1, CHUNK // len(x)), []
    for start in range(0, len(x), step):
        square = _square(x[start:start + step], x)
        square.diagonal(start).fill_(float("inf"))
        found.append(square.kthvalue(K, 1).values)
    return torch.cat(found)


def _square(x: Tensor, y: Tensor) -> Tensor:
    """Squared distances, (len x, len y)."""
    return torch.addmm(y.square().sum(1), x, y.T, alpha=-2).add_(x.square().sum(1)[:, None]).clamp_min_(0)


def _share(those: Tensor) -> tuple[float, float]:
    n, many = len(those), float(those.sum())
    soft = (many + 1) / (n + 2)
    return many / n, float((soft * (1 - soft) / n) ** 0.5)
