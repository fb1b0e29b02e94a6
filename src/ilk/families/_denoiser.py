"""The recipe that diffusion, flow matching and score models share: the options of every network that takes noise away."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from ilk.distribution import AnyNet, Family
from ilk.families._denoising import Denoising, refuses
from ilk.families._denoising_scored import DenoisingBound, DenoisingFlow, Likelihood
from ilk.nets._context import Partly
from ilk.nets._noise import Path
from ilk.space import Space


@dataclass(frozen=True, kw_only=True)
class DenoiserFamily(Family):
    """How the context is learned and leant towards, what a score is, and the network."""

    distribution = DenoisingBound
    guidance: Annotated[float, Interval(ge=0, le=100)] = 1.5
    drop: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    reads: Annotated[int, Interval(ge=0, le=64)] = 0
    likelihood: Likelihood = "bound"
    levels: Annotated[int, Interval(ge=1, le=100_000)] = 16
    net: AnyNet = None

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals."""
        return refuses(space)

    def refuses_context(self, about: Mapping[str, Space]) -> str | None:
        """Labels, captions and arrays of numbers."""
        return Partly.refuses(about)

    def becomes(self, space: Space) -> type[Denoising]:
        """With the bound or with the density of the flow."""
        return DenoisingBound if self.bounded() else DenoisingFlow

    def bounded(self) -> bool:
        """Whether a score is the variational bound."""
        return self.likelihood == "bound"

    @abstractmethod
    def noise(self) -> Path:
        """Which noise levels are learned and visited."""
