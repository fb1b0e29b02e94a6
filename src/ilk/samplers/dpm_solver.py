"""DPM-Solver++: a second-order multistep method that is exact for the linear part of the equation."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import expm1, log

from torch import Tensor

from ._contract import Denoise, Noise, Sampler


@dataclass(frozen=True, kw_only=True)
class DPMSolver(Sampler):
    """One network call a step; the step before tells how the expected data bend (Lu et al. 2022, DPM-Solver++(2M))."""

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every step."""
        before, width = None, 0.0
        for now, ahead in pairwise(sigmas):
            data = denoise(x, now)
            if ahead == 0:
                yield data
                return
            step = log(now / ahead)
            ahead_data = data if before is None else data + (data - before) * step / (2 * width)
            x = x * (ahead / now) - expm1(-step) * ahead_data
            before, width = data, step
            yield x
