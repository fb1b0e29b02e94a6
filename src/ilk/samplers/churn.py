"""Noise put back before every step of Heun's method: the reverse diffusion, so that two ways from one place part."""
from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Annotated

from annotated_types import Interval

from ._contract import Denoise, Noise, Sampler, Stage
from .ddim import DDIM
from .dpm_solver import DPMSolver
from .euler import Euler
from .heun import Heun


@dataclass(frozen=True, kw_only=True)
class Churn(Sampler):
    """Two network calls a step, after fresh noise (Karras et al. 2022, algorithm 2).

    From sigma to s, noise is put back up to u with 1 + u^2 = (1 + sigma^2)^2 / (1 + s^2). However long the steps, the laws with noise are kept; in
    short ones this is the reverse diffusion; and where the data are normal with spread 1, the law of what follows given where it began is exact.
    """

    steps: Annotated[int, Interval(ge=1, le=100_000)] = 36

    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """Up, then down along the flow."""
        up = sqrt((1 + at.sigma**2) ** 2 / (1 + ahead**2) - 1)
        x = at.x + sqrt(up**2 - at.sigma**2) * noise(number)
        return Heun().step(denoise, Stage(x, up), ahead, number, noise)


def parting(sampler: Sampler) -> Sampler:
    """A way of going on that draws noise: this one where it does, else Churn.

    >>> parting(Heun()), parting(DDIM(eta=1.0)).eta
    (Churn(steps=36, guidance=None), 1.0)
    """
    still = isinstance(sampler, Euler | Heun | DPMSolver) or (isinstance(sampler, DDIM) and sampler.eta == 0)
    return Churn(guidance=sampler.guidance) if still else sampler
