"""The Frechet distance of two Gaussians, and how much it moves with the items that they were fitted to."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rng import Rng
from ._tables import Cells

_NONE = 1e-12  # eigenvalues below this share of the largest are rounding
GROUPS = 10    # that are left out in turn to see what fewer items do


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean and covariance of rows."""

    mean: Cells
    cov: Cells

    @classmethod
    def of(cls, rows: Cells) -> Gaussian:
        """The one with the moments of the rows (unbiased covariance)."""
        return cls(rows.mean(0), np.atleast_2d(np.cov(rows, rowvar=False)))


def frechet(one: Gaussian, other: Gaussian) -> tuple[float, float]:
    """The squared distance |m - m'|^2 + tr(C + C' - 2 (C C')^1/2), as the part of the means and that of the covariances.

    The root has the trace of that of the symmetric C^1/2 C' C^1/2, whose eigenvalues are real: no complex root of a product.
    """
    root = _power(one.cov, 0.5)
    cross = np.linalg.eigvalsh(root @ other.cov @ root).clip(0)
    apart = float(np.square(one.mean - other.mean).sum())
    return apart, max(0.0, float(np.trace(one.cov) + np.trace(other.cov) - 2 * np.sqrt(cross).sum()))


def corrected(made: Cells, test: Cells, rng: Rng) -> tuple[float, float]:
    """The two parts less the bias that few items bring: a jackknife over ten groups, which is the line in 1/n taken to n = infinity (Chong & Forsyth 2020).

    What is left of the bias goes as 1/n^2. Near 0 the sum lies below it as often as above.
    """
    whole = np.array(frechet(Gaussian.of(made), Gaussian.of(test)))
    ours, real = (rng.child(side).shuffle(n).numpy() % GROUPS for side, n in (("made", len(made)), ("test", len(test))))
    less = np.mean([frechet(Gaussian.of(made[ours != g]), Gaussian.of(test[real != g])) for g in range(GROUPS)], axis=0)
    means, spreads = GROUPS * whole - (GROUPS - 1) * less
    return float(means), float(spreads)


def deviation(made: Cells, test: Cells) -> float:
    """The standard error of the squared distance, to first order in each item (Rippl, Munk & Sturm 2016)."""
    one, other = Gaussian.of(made), Gaussian.of(test)
    return float((_influence(made, one, other).var() / len(made) + _influence(test, other, one).var() / len(test)) ** 0.5)


def _influence(rows: Cells, own: Gaussian, other: Gaussian) -> Cells:
    """How each row moves the distance, up to a constant: the slope in the mean, and I - T in the covariance, T being the optimal map."""
    root, back = _power(own.cov, 0.5), _power(own.cov, -0.5)
    slope = np.eye(len(own.mean)) - back @ _power(root @ other.cov @ root, 0.5) @ back
    off = rows - own.mean
    moved: Cells = 2 * off @ (own.mean - other.mean) + ((off @ slope) * off).sum(1)
    return moved


def _power(matrix: Cells, power: float) -> Cells:
    """Of a symmetric matrix; nothing where it has no extent."""
    values, axes = np.linalg.eigh((matrix + matrix.T) / 2)
    there = values > _NONE * max(values[-1], 0.0)
    found: Cells = (axes[:, there] * values[there] ** power) @ axes[:, there].T
    return found
