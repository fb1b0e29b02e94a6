"""Annealed Langevin dynamics: small steps up the score, with noise, at every noise level in turn."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from ._contract import Denoise, Noise, Sampler


@dataclass(frozen=True, kw_only=True)
class Langevin(Sampler):
    """`moves` at each of `steps` noise levels, each x + size sigma^2 / 2 score + noise (Song & Ermon 2019, algorithm 1), and at last the expected data.

    The noise of a move is sigma sqrt(size - size^2 / 4), the most that keeps the law of a single point with noise sigma as it is.
    """

    steps: Annotated[int, Interval(ge=1, le=100_000)] = 100
    moves: Annotated[int, Interval(ge=1, le=100_000)] = 5
    size: Annotated[float, Interval(gt=0, le=2)] = 0.4

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every level."""
        spread = sqrt(self.size - self.size**2 / 4)
        for i, (now, ahead) in enumerate(pairwise(sigmas)):
            if ahead == 0:
                yield denoise(x, now)
                return
            for j in range(self.moves):
                x = x + self.size / 2 * (denoise(x, ahead) - x) + ahead * spread * noise(i * self.moves + j)
            yield x
