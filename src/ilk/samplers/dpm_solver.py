"""DPM-Solver++: a second-order multistep method that is exact for the linear part of the equation."""
from __future__ import annotations

from dataclasses import dataclass
from math import expm1, log

from ._contract import Denoise, Noise, Sampler, Stage


@dataclass(frozen=True, kw_only=True)
class DPMSolver(Sampler):
    """One network call a step; the step before tells how the expected data bend (Lu et al. 2022, DPM-Solver++(2M))."""

    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """Towards where the expected data are going."""
        data = denoise(at.x, at.sigma)
        if ahead == 0:
            return Stage(data, ahead)
        width, there = log(at.sigma / ahead), data
        if at.before is not None:
            before, sigma = at.before
            there = data + (data - before) * width / (2 * log(sigma / at.sigma))
        return Stage(at.x * (ahead / at.sigma) - expm1(-width) * there, ahead, (data, at.sigma))
