"""What attributes do to codes: code = base + an effect an attribute + noise, by least squares, and the moves that change one attribute alone."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor
from torch.nn.functional import one_hot

from ilk.errors import UsageError

WIDE, LEFT = 1024, 0.1   # codes of more numbers have a noise of their own each; the least share of an effect that has to be left beside the kept ones


@dataclass(frozen=True, eq=False)
class Factors:
    """Effects of the classes of one attribute, (classes, numbers), in units of the noise and at right angles to those of the kept attributes.

    Along them a linear classifier of a kept attribute (Fisher's) sees no change, and no shorter move in units of the noise changes the
    target's classifier as much: conditional manipulation (Shen et al. 2020, section 3.2) with the noise's own metric.
    """

    base: Tensor
    effects: Tensor
    share: Tensor       # log share of each class
    root: Tensor        # noise covariance = root root^T; its diagonal where codes are wide

    @classmethod
    def learned(cls, codes: Tensor, target: Tensor, kept: Sequence[Tensor]) -> Factors:
        """From codes (n, numbers) and classes (n,) each; UsageError where the target can't be told from what is kept."""
        marks = [one_hot(c).double() for c in (target, *kept)]
        design = torch.cat([torch.ones(len(codes), 1, dtype=torch.double), *marks], 1)
        found = torch.from_numpy(np.linalg.lstsq(design.numpy(), codes.double().numpy(), rcond=1e-10)[0])
        root = _root(codes.double() - design @ found)
        base, effects, *others = _white(found, root).split([1, *(m.shape[1] for m in marks)])
        fixed = _axes(torch.cat([o - o.mean(0) for o in others])) if others else torch.zeros(codes.shape[1], 0, dtype=torch.double)
        left = _beside(effects - effects.mean(0), fixed)
        if float(left.norm()) < LEFT * float((effects - effects.mean(0)).norm()):
            raise UsageError("no change of codes changes the attribute and leaves what is to be kept", code="OPTION", param="keep", remedy="keep less, or show examples that differ in one of them")
        count = torch.bincount(target, minlength=len(left)).double()
        return cls(_beside(base + effects.mean(0) + sum((o.mean(0) for o in others), torch.zeros(1)), fixed), left, ((count + 0.5) / count.sum()).log(), root)

    def classes(self, codes: Tensor) -> Tensor:
        """The likeliest class of each code by what the kept attributes have no part in, (n,)."""
        place = _white(codes.double(), self.root) - self.base
        return (place @ self.effects.T - self.effects.square().sum(1) / 2 + self.share).argmax(1)

    def moved(self, codes: Tensor, to: int, strength: float) -> Tensor:
        """Codes with the effect of their class taken away and that of another put in its place, the noise kept; `strength` times as far."""
        step = self.effects[to] - self.effects[self.classes(codes)]
        return codes.double() + strength * (step * self.root if self.root.ndim == 1 else step @ self.root.T)


def _root(noise: Tensor) -> Tensor:
    """The shrunk covariance's lower root (Ledoit & Wolf 2004), or standard deviations of wide codes."""
    least = float(noise.square().mean()) * 1e-6 + 1e-12
    if noise.shape[1] > WIDE:
        return (noise.square().mean(0) + least).sqrt()
    covariance = torch.from_numpy(ledoit_wolf(noise.numpy(), assume_centered=True)[0])
    return torch.linalg.cholesky(covariance + least * torch.eye(len(covariance), dtype=torch.double))


def _white(codes: Tensor, root: Tensor) -> Tensor:
    """Codes in units of the noise."""
    return codes / root if root.ndim == 1 else torch.linalg.solve_triangular(root, codes.T, upper=False).T


def _axes(effects: Tensor) -> Tensor:
    """An orthonormal basis of the directions of effects, (numbers, axes)."""
    _, size, axes = torch.linalg.svd(effects, full_matrices=False)
    return axes[size > 1e-6 * size.max().clamp_min(1e-12)].T


def _beside(x: Tensor, axes: Tensor) -> Tensor:
    """What of x is at right angles to some axes."""
    return x - (x @ axes) @ axes.T
