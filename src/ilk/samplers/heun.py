"""Heun's second-order method on the probability-flow equation."""
from __future__ import annotations

from dataclasses import dataclass

from ._contract import Denoise, Noise, Sampler, Stage


@dataclass(frozen=True, kw_only=True)
class Heun(Sampler):
    """Two network calls a step, one in the last: the mean of the velocities at both ends (Karras et al. 2022, algorithm 1).

    It goes along y = x / (1 + sigma) in time t = sigma / (1 + sigma), where noise turns into data on a line: in sigma itself, the first of a
    few long steps would add the bend of the way ten times over.
    """

    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """Along the mean of the velocities here and there."""
        y, t, end = at.x / (1 + at.sigma), at.sigma / (1 + at.sigma), ahead / (1 + ahead)
        velocity = (y - denoise(at.x, at.sigma)) / t
        there = y + (end - t) * velocity
        if end > 0:
            velocity = (velocity + (there - denoise(there * (1 + ahead), ahead)) / end) / 2
            there = y + (end - t) * velocity
        return Stage(there * (1 + ahead), ahead)
