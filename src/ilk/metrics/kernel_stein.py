"""How well held-out items fit the slopes of a model's log density, whatever its normaliser: squared kernel Stein discrepancy."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._slopes import NOISE, slopes

CHUNK, FEW = 1 << 20, 1000   # pairs at a time; items that the median is of


class KernelStein(Metric):
    """Squared kernel Stein discrepancy of test items from the model, without bias (Liu, Lee & Jordan 2016; Chwialkowski et al. 2016).

    0 only where the slopes of both log densities are equal; below 0 by chance as often as above there. The kernel is the inverse multiquadric
    (Gorham & Mackey 2017). It hardly sees how much of the mass lies in which of several modes that are far apart.
    """

    needs: ClassVar[tuple[str, ...]] = ("model", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The square, over pairs of at most 2,000 items; its error is to first order in each item."""
        found = slopes(case, rng)
        if isinstance(found, str):
            return NotApplicable(found)
        items = found.noisy(rng)[0] if found.blurs else found.items
        value, error = stein(items, found.at(items))
        width = f", items with noise of {NOISE} standard deviations as the model knows them" if found.blurs else ""
        return Reading(value, error if case.errors else None, len(items), {},
                       "squared, without bias, inverse multiquadric kernel at the median distance, coordinates in standard deviations of the test items; "
                       f"slope {found.name}{width}; n={len(items)}")


def stein(x: Tensor, slope: Tensor) -> tuple[float, float]:
    """The U-statistic of items (n, d) and the slopes of a log density there (n, d), and its standard error."""
    n, d = x.shape
    x = x - x.mean(0)
    square, at = x.square().sum(1), (x * slope).sum(1)
    wide = float(torch.pdist(x[:FEW]).square().median()) or 1.0
    found, step = [], max(1, CHUNK // n)
    for start in range(0, n, step):
        rows = slice(start, start + step)
        far = torch.addmm(square, x[rows], x.T, alpha=-2).add_(square[rows, None]).clamp_min_(0)
        lean = at[rows, None] + at - slope[rows] @ x.T - x[rows] @ slope.T   # (s - s').(x - x')
        root = (wide + far).rsqrt()
        pairs = root * (slope[rows] @ slope.T) + root**3 * (lean + d) - 3 * far * root**5
        pairs.diagonal(start).fill_(0)
        found.append(pairs.sum(1))
    each = torch.cat(found) / (n - 1)
    return float(each.mean()), float(2 * each.std(correction=0) / n**0.5)
