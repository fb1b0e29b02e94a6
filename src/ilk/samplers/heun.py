"""Heun's second-order method on the probability-flow equation."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from ._contract import Denoise, Noise, Sampler


@dataclass(frozen=True, kw_only=True)
class Heun(Sampler):
    """Two network calls a step, one in the last: the mean of the velocities at both ends (Karras et al. 2022, algorithm 1).

    It goes along y = x / (1 + sigma) in time t = sigma / (1 + sigma), where noise turns into data on a line: in sigma itself, the first of a
    few long steps would add the bend of the way ten times over.
    """

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every step."""
        for now, ahead in pairwise(sigmas):
            y, t, end = x / (1 + now), now / (1 + now), ahead / (1 + ahead)
            velocity = (y - denoise(x, now)) / t
            there = y + (end - t) * velocity
            if end > 0:
                velocity = (velocity + (there - denoise(there * (1 + ahead), ahead)) / end) / 2
                there = y + (end - t) * velocity
            x = there * (1 + ahead)
            yield x
