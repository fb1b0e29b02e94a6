"""Denoising diffusion implicit models: steps of any length, with as much fresh noise as asked."""
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
class DDIM(Sampler):
    """`eta` 0 draws no noise after the first (and is Euler's method), 1 is ancestral sampling (Song et al. 2021, equation 12)."""

    eta: Annotated[float, Interval(ge=0, le=1)] = 0.0

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every step."""
        for i, (now, ahead) in enumerate(pairwise(sigmas)):
            data = denoise(x, now)
            fresh = self.eta * ahead * sqrt(1 - (ahead / now) ** 2)
            x = data + sqrt(ahead**2 - fresh**2) * (x - data) / now
            if fresh > 0:
                x = x + fresh * noise(i)
            yield x
