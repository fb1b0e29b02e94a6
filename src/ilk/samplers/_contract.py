"""What a way of denoising is, and what the ways share."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from ..distribution import How

Denoise = Callable[[Tensor, float], Tensor]   # x = data + sigma * noise, sigma -> the expected data
Noise = Callable[[int], Tensor]               # step -> standard normal, shaped like x


@dataclass(frozen=True, eq=False)
class Stage:
    """Where a sampler stands: x at a noise level, and for methods that look back the data that the step before expected, and its level."""

    x: Tensor
    sigma: float
    before: tuple[Tensor, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Sampler(How):
    """A How for denoising models. `guidance` above 1 leans towards what is given, None does as the model does by default."""

    steps: Annotated[int, Interval(ge=1, le=100_000)] = 18
    guidance: Annotated[float, Interval(ge=0, le=100)] | None = None

    @abstractmethod
    def step(self, denoise: Denoise, at: Stage, ahead: float, number: int, noise: Noise) -> Stage:
        """One step, the `number`-th, to the noise level `ahead`; level 0 is data."""

    def states(self, denoise: Denoise, x: Tensor, sigmas: Sequence[float], noise: Noise) -> Iterator[Tensor]:
        """x after every step: it begins at sigmas[0], and the last sigma, 0, is data."""
        at = Stage(x, sigmas[0])
        for number, ahead in enumerate(sigmas[1:]):
            at = self.step(denoise, at, ahead, number, noise)
            yield at.x
