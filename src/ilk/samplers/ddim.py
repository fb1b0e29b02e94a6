"""Denoising diffusion implicit models: steps of any length, with as much fresh noise as asked."""
from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Annotated

from annotated_types import Interval

from ._contract import Denoise, Noise, Sampler, Stage


@dataclass(frozen=True, kw_only=True)
class DDIM(Sampler):
    """`eta` 0 draws no noise after the first (and is Euler's method), 1 is ancestral sampling (Song et al. 2021, equation 12)."""

    eta: Annotated[float, Interval(ge=0, le=1)] = 0.0

    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """Towards the expected data, then as much fresh noise as asked."""
        data = denoise(at.x, at.sigma)
        fresh = self.eta * ahead * sqrt(1 - (ahead / at.sigma) ** 2)
        x = data + sqrt(ahead**2 - fresh**2) * (at.x - data) / at.sigma
        return Stage(x + fresh * noise(number) if fresh > 0 else x, ahead)
