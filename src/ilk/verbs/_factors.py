"""What attributes do to codes: code = base + an effect an attribute + noise, by least squares, and moves that change one attribute alone."""
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
NEAR, CHUNK = 8, 512     # examples of a class that a code is matched with


@dataclass(frozen=True, eq=False)
class Factors:
    """Codes of examples and their classes, in units of the noise, with the axes along which the target and the kept attributes act.

    No move goes along the axes of the kept: a linear classifier of one of them (Fisher's) sees no change (conditional manipulation: Shen et al. 2020, section 3.2).
    """

    codes: Tensor       # (n, numbers)
    target: Tensor      # (n,)
    effects: Tensor     # of each class of the target beside the kept axes, (classes, numbers), around the middle of the codes
    axes: Tensor        # of the target, (numbers, k)
    fixed: Tensor       # of the kept attributes
    root: Tensor        # noise covariance = root root^T; its diagonal where codes are wide

    @classmethod
    def learned(cls, codes: Tensor, target: Tensor, kept: Sequence[Tensor]) -> Factors:
        """From codes (n, numbers) and classes (n,) each; UsageError where the target can't be told from what is kept."""
        marks = [one_hot(c).double() for c in (target, *kept)]
        design = torch.cat([torch.ones(len(codes), 1, dtype=torch.double), *marks], 1)
        found = torch.from_numpy(np.linalg.lstsq(design.numpy(), codes.double().numpy(), rcond=1e-10)[0])
        root = _root(codes.double() - design @ found)
        effects, *others = (e - e.mean(0) for e in _white(found, root)[1:].split([m.shape[1] for m in marks]))
        fixed = _axes(torch.cat([*others, torch.zeros_like(effects[:1])]))
        left = _beside(effects, fixed)
        if float(left.norm()) < LEFT * float(effects.norm()):
            raise UsageError("no change of codes changes the attribute and leaves what is to be kept", code="OPTION", param="keep",
                             remedy="keep less, or show examples that differ in one and not in the other")
        return cls(_white(codes.double(), root), target, left, _axes(effects), fixed, root)

    def classes(self, codes: Tensor) -> Tensor:
        """The likeliest class of each code by what the kept attributes have no part in, (n,): Fisher's discriminant."""
        marks = one_hot(self.target, len(self.effects)).double()
        share = (marks.sum(0) + 0.5).log()
        base = _beside(self.codes, self.fixed).mean(0) - marks.mean(0) @ self.effects
        place = _white(codes.double(), self.root) - base
        return (place @ self.effects.T - self.effects.square().sum(1) / 2 + share).argmax(1)

    def moved(self, codes: Tensor, to: int, strength: float) -> Tensor:
        """Codes moved as the nearest examples of the wanted class are apart from those of their own, `strength` times as far.

        Nearest is meant beside the axes of the target: examples that are alike but for it (matching: Rubin 1973).
        """
        parts = []
        for some in codes.split(CHUNK):
            own, place = self.classes(some), _beside(_white(some.double(), self.root), self.axes)
            far = torch.cdist(place, _beside(self.codes, self.axes))
            parts.append(self._near(far, torch.full_like(own, to)) - self._near(far, own))
        step = _beside(torch.cat(parts), self.fixed)
        return codes.double() + strength * (step * self.root if self.root.ndim == 1 else step @ self.root.T)

    def _near(self, far: Tensor, classes: Tensor) -> Tensor:
        """The mean of the nearest examples of each code's class, (n, numbers)."""
        here = self.target == classes[:, None]
        near = far.where(here, torch.inf).topk(min(NEAR, int(here.sum(1).min())), largest=False).indices
        return self.codes[near].mean(1)


def _root(noise: Tensor) -> Tensor:
    """The shrunk covariance's lower root (Ledoit & Wolf 2004), or standard deviations of wide codes."""
    least = float(noise.square().mean()) * 1e-6 + 1e-12
    if noise.shape[1] > WIDE:
        return torch.sqrt(noise.square().mean(0) + least)
    covariance = torch.from_numpy(ledoit_wolf(noise.numpy(), assume_centered=True)[0])
    root: Tensor = torch.linalg.cholesky(covariance + least * torch.eye(len(covariance), dtype=torch.double))
    return root


def _white(codes: Tensor, root: Tensor) -> Tensor:
    """Codes in units of the noise."""
    white: Tensor = codes / root if root.ndim == 1 else torch.linalg.solve_triangular(root, codes.T, upper=False).T
    return white


def _axes(effects: Tensor) -> Tensor:
    """An orthonormal basis of the directions of effects, (numbers, axes)."""
    _, size, axes = torch.linalg.svd(effects, full_matrices=False)
    basis: Tensor = axes[size > 1e-6 * size.max().clamp_min(1e-12)].T
    return basis


def _beside(x: Tensor, axes: Tensor) -> Tensor:
    """What of x is at right angles to some axes."""
    return x - (x @ axes) @ axes.T
