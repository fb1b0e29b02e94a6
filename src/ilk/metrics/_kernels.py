"""How far two samples are apart by the means of a kernel over their pairs: unbiased, with its standard error, chunk by chunk."""
from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ._tables import Cells

CHUNK, SCALES, FAR = 1 << 20, 5, 1e4   # pairs at a time; widths of a mixture; widths beyond which an item is nowhere near any other


class Kernel(ABC):
    """A function of two items, as the metrics compare them."""

    def ready(self, side: Cells, center: Cells) -> Tensor:
        """Items as the kernel takes them: here less a centre, for its distances."""
        return torch.from_numpy(np.asarray(side, dtype=np.float64) - center)

    @abstractmethod
    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """Its values, (len x, len y)."""

    @abstractmethod
    def own(self, x: Tensor) -> Tensor:
        """Its values of each item with itself, (n,)."""


class Distance(Kernel):
    """Euclid's distance, negative: what makes an energy distance of the discrepancy."""

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """-|x - y|."""
        return -torch.cdist(x, y)

    def own(self, x: Tensor) -> Tensor:
        """Nothing."""
        return torch.zeros(len(x), dtype=torch.float64)


class Cubic(Kernel):
    """(x.y / d + 1)^3 (Binkowski et al. 2018): it sees means, covariances and third moments."""

    def ready(self, side: Cells, center: Cells) -> Tensor:
        """As they are."""
        return torch.from_numpy(np.asarray(side, dtype=np.float64))

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """The cube."""
        return (x @ y.T).div_(x.shape[1]).add_(1).pow_(3)

    def own(self, x: Tensor) -> Tensor:
        """(|x|^2 / d + 1)^3."""
        return (x.square().mean(1) + 1) ** 3


@dataclass(frozen=True)
class Radial(Kernel):
    """The mean of exp(-|x - y|^2 / 2w) over squared widths w of 4, 2, 1, 1/2 and 1/4 times `width`: each is the square of the one before."""

    width: float

    def ready(self, side: Cells, center: Cells) -> Tensor:
        """In units of the widest width; single precision will do for what lies between 0 and 1 and is averaged in double."""
        unit = (np.asarray(side, dtype=np.float64) - center) / (8 * self.width) ** 0.5
        return torch.from_numpy(unit.clip(-FAR, FAR)).float()

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """One exponential for all widths."""
        square = torch.addmm(y.square().sum(1), x, y.T, alpha=-2).add_(x.square().sum(1)[:, None]).clamp_min_(0)
        power = square.neg_().exp_()
        total = power.clone()
        for _ in range(SCALES - 1):
            total.add_(power.square_())
        return total.div_(SCALES)

    def own(self, x: Tensor) -> Tensor:
        """1."""
        return torch.ones(len(x), dtype=torch.float64)


def width_of(real: Cells) -> float:
    """The median squared distance of two of some real items: the median heuristic (Gretton et al. 2012)."""
    x = torch.from_numpy(np.asarray(real, dtype=np.float64) - real.mean(0))
    return float(torch.pdist(x).square().median()) or 1.0


def discrepancy(x: Cells, y: Cells, kernel: Kernel) -> tuple[float, float]:
    """E k(X, X') + E k(Y, Y') - 2 E k(X, Y), the squared maximum mean discrepancy, without bias, and its standard error to first order in each item."""
    center = y.mean(0)
    mine, theirs = kernel.ready(x, center), kernel.ready(y, center)
    across, back = _means(mine, theirs, kernel)
    own, other = (_others(side, kernel) for side in (mine, theirs))
    square = float(own.mean() + other.mean() - 2 * across.mean())
    return square, float(2 * ((own - across).var(correction=0) / len(x) + (other - back).var(correction=0) / len(y)) ** 0.5)


def _means(x: Tensor, y: Tensor, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """Of each item the mean over the other side, both ways, from one look at the pairs."""
    rows, columns = [], torch.zeros(len(y), dtype=torch.float64)
    for part in x.split(max(1, CHUNK // len(y))):
        found = kernel.pairs(part, y)
        rows.append(found.mean(1, dtype=torch.float64))
        columns += found.sum(0, dtype=torch.float64)
    return torch.cat(rows), columns / len(x)


def _others(x: Tensor, kernel: Kernel) -> Tensor:
    """Of each item the mean over the others of its side; each pair is looked at once."""
    n, total = len(x), torch.zeros(len(x), dtype=torch.float64)
    step = max(1, CHUNK // n)
    for start in range(0, n, step):
        found = kernel.pairs(x[start:start + step], x[start:])
        here = len(found)
        total[start:start + here] += found.sum(1, dtype=torch.float64)
        total[start + here:] += found[:, here:].sum(0, dtype=torch.float64)
    return (total - kernel.own(x)) / (n - 1)
