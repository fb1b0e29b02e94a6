"""Euler's method on the probability-flow equation."""
from __future__ import annotations

from dataclasses import dataclass

from ._contract import Denoise, Noise, Sampler, Stage


@dataclass(frozen=True, kw_only=True)
class Euler(Sampler):
    """One network call a step, along dx/dsigma = (x - D(x, sigma)) / sigma (Song et al. 2021; Karras et al. 2022, equation 3)."""

    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """Along the velocity here."""
        return Stage(at.x + (ahead - at.sigma) * (at.x - denoise(at.x, at.sigma)) / at.sigma, ahead)
