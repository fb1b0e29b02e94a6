"""Ancestral sampling: every step draws from the law of less noise given more."""
from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Annotated, Literal

from annotated_types import Interval

from ._contract import Denoise, Noise, Sampler, Stage


@dataclass(frozen=True, kw_only=True)
class DDPM(Sampler):
    """Many steps of fresh noise (Ho et al. 2020, algorithm 2). Its variance is that of the law given the data ("small"), or that of
    the noise that the step took away ("large"); the two enclose the right one."""

    steps: Annotated[int, Interval(ge=1, le=100_000)] = 250
    variance: Literal["small", "large"] = "small"

    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """Towards the expected data, then fresh noise."""
        data, share = denoise(at.x, at.sigma), (ahead / at.sigma) ** 2
        x = data + share * (at.x - data)
        spread = sqrt(1 - share) * (ahead if self.variance == "small" else at.sigma)
        return Stage(x + spread * noise(number) if ahead > 0 else x, ahead)
