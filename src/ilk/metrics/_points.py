"""Sets of points, compared by Chamfer's distance: how far the points of one are from the nearest of the other, both ways."""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..metric import Case
from ..rng import Rng
from ._features import alike
from ._kept import Kept, digest
from ._tables import Cells, some

PAIRS, CHUNK, POINTS, FEWEST = 1 << 29, 1 << 22, 512, 10   # pairs of points looked at in all and at a time; points looked at in a set; sets a side
_FOUND: Kept[Tensor] = Kept(4)


def chamfers(case: Case, rng: Rng) -> tuple[Tensor, str] | str:
    """Distances of as many made (rows) as test sets (columns) and what was done; or why there are none."""
    if why := alike(case.made, case.test):
        return why
    shape = case.made.shape[1:]
    if len(shape) != 2 or shape[1] not in (2, 3) or case.made.dtype.kind != "f":
        return f"it is about sets of points, arrays of shape (items, points, 2 or 3) of floats, not {'x'.join(map(str, shape)) or 'single'} numbers"
    points = min(shape[0], POINTS)
    n = min(len(case.made), len(case.test), max(FEWEST, int(PAIRS**0.5 / points)))
    if n < FEWEST:
        return f"there are fewer than {FEWEST} sets a side"
    kept = some(shape[0], points, rng.child("points"))
    made, test = (x[some(len(x), n, rng.child(name))][:, kept] for name, x in (("made", case.made), ("test", case.test)))
    found = _FOUND.get(digest(made, test), lambda: chamfer(made, test))
    part = f", {points} of the {shape[0]} points of each" if points < shape[0] else ""
    return found, f"Chamfer distance (mean squared distance to the nearest point, both ways added), {n} made and {n} test sets{part}"


def chamfer(x: Cells, y: Cells) -> Tensor:
    """Chamfer's distances of the sets of x (n, points, dims) and of y (m, points, dims), (n, m)."""
    center = y.mean((0, 1), dtype=np.float64)
    mine, theirs = (torch.from_numpy((side - center).astype(np.float32)) for side in (x, y))
    m, p = theirs.shape[:2]
    flat, square, rows = theirs.flatten(0, 1), theirs.square().sum(2).flatten(), []
    for one in mine.split(max(1, CHUNK // (m * p * mine.shape[1]))):
        far = torch.addmm(square, one.flatten(0, 1), flat.T, alpha=-2).add_(one.square().sum(2).flatten()[:, None]).clamp_min_(0)
        both = far.view(len(one), -1, m, p)
        rows.append(both.amin(3).mean(1).double() + both.amin(1).mean(2).double())
    return torch.cat(rows)
