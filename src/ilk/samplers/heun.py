"""Heun's second-order method on the probability-flow equation."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from ._contract import Denoise, Noise, Sampler


@dataclass(frozen=True, kw_only=True)
class Heun(Sampler):
    """Two network calls a step, one in the last: the mean of the slopes at both ends (Karras et al. 2022, algorithm 1)."""

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every step."""
        for now, ahead in pairwise(sigmas):
            slope = (x - denoise(x, now)) / now
            there = x + (ahead - now) * slope
            if ahead > 0:
                slope = (slope + (there - denoise(there, ahead)) / ahead) / 2
                there = x + (ahead - now) * slope
            x = there
            yield x
