"""Euler's method on the probability-flow equation."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from ._contract import Denoise, Noise, Sampler


@dataclass(frozen=True, kw_only=True)
class Euler(Sampler):
    """One network call a step, along dx/dsigma = (x - D(x, sigma)) / sigma (Song et al. 2021; Karras et al. 2022, equation 3)."""

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every step."""
        for now, ahead in pairwise(sigmas):
            x = x + (ahead - now) * (x - denoise(x, now)) / now
            yield x
