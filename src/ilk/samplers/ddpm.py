"""Ancestral sampling: every step draws from the law of less noise given more."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Annotated, Literal

from annotated_types import Interval
from torch import Tensor

from ._contract import Denoise, Noise, Sampler


@dataclass(frozen=True, kw_only=True)
class DDPM(Sampler):
    """Many steps of fresh noise (Ho et al. 2020, algorithm 2). Its variance is that of the law given the data ("small"), or that of
    the noise that the step took away ("large"); the two enclose the right one."""

    steps: Annotated[int, Interval(ge=1, le=100_000)] = 250
    variance: Literal["small", "large"] = "small"

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every step."""
        for i, (now, ahead) in enumerate(pairwise(sigmas)):
            data = denoise(x, now)
            share = (ahead / now) ** 2
            x = data + share * (x - data)
            if ahead > 0:
                spread = sqrt(1 - share) * (ahead if self.variance == "small" else now)
                x = x + spread * noise(i)
            yield x
