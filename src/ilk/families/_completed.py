"""What completions of several families are made of: a number as a mixture of Gaussians."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDS, NEAR = 200, 1e-13


@dataclass(frozen=True, eq=False)
class Normals:
    """A number of each of m items as a mixture of Gaussians: weights that sum to 1, means and spreads, (m, K)."""

    weight: Tensor
    mean: Tensor
    spread: Tensor

    def quantile(self, level: float) -> Tensor:
        """Newton's steps, (m,), between the quantiles of the Gaussians; the middle of what is left where he leaves it."""
        own: Tensor = self.mean + self.spread * torch.special.ndtri(torch.tensor(level, dtype=torch.float64))
        low, high = own.amin(1), own.amax(1)
        x: Tensor = (self.weight * own).sum(1)
        for _ in range(ROUNDS):
            z = (x[:, None] - self.mean) / self.spread
            gap = (self.weight * torch.special.ndtr(z)).sum(1) - level
            low, high = x.where(gap < 0, low), x.where(gap >= 0, high)
            density = (self.weight * (-0.5 * z.square()).exp() / self.spread).sum(1) / (2 * torch.pi) ** 0.5
            step = x - gap / density.clamp_min(1e-300)
            new = step.where((step >= low) & (step <= high), (low + high) / 2)
            moved, x = (new - x).abs(), new
            if bool((moved <= NEAR * (high - low + x.abs())).all()):
                break
        return x

    def below(self, x: Tensor) -> Tensor:
        """The mass below each of some numbers of every item, (m, numbers)."""
        mass: Tensor = torch.special.ndtr((x[:, :, None] - self.mean[:, None]) / self.spread[:, None])
        return (mass * self.weight[:, None]).sum(2)

    def scaled(self, center: Tensor, scale: Tensor) -> Normals:
        """The same law in other units."""
        return Normals(self.weight, self.mean * scale + center, self.spread * scale)
