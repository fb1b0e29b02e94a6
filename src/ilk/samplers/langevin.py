"""Annealed Langevin dynamics: small steps up the score, with noise, at every noise level in turn."""
from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Annotated

from annotated_types import Interval

from ._contract import Denoise, Noise, Sampler, Stage


@dataclass(frozen=True, kw_only=True)
class Langevin(Sampler):
    """`moves` at each of `steps` noise levels, each x + size sigma^2 / 2 score + noise (Song & Ermon 2019, algorithm 1), and at last the expected data.

    The noise of a move is sigma sqrt(size - size^2 / 4), the most that keeps the law of a single point with noise sigma as it is.
    """

    steps: Annotated[int, Interval(ge=1, le=100_000)] = 100
    moves: Annotated[int, Interval(ge=1, le=100_000)] = 5
    size: Annotated[float, Interval(gt=0, le=2)] = 0.4

    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """The moves of one level."""
        if ahead == 0:
            return Stage(denoise(at.x, at.sigma), ahead)
        spread, x = sqrt(self.size - self.size**2 / 4), at.x
        for j in range(number * self.moves, (number + 1) * self.moves):
            x = x + self.size / 2 * (denoise(x, ahead) - x) + ahead * spread * noise(j)
        return Stage(x, ahead)
