"""Diffusion: noise taken away step by step by a network that learned to, over pictures and arrays; labels, guidance, a likelihood."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Interval

from ilk.distribution import AnyNet, Family
from ilk.families._denoising import Denoising, refuses
from ilk.families._denoising_scored import DenoisingBound, DenoisingFlow, Likelihood
from ilk.nets._context import Partly
from ilk.nets._noise import PATHS, Path
from ilk.rng import Rng
from ilk.space import Space


@dataclass(frozen=True, kw_only=True)
class Diffusion(Family):
    """Denoising diffusion (Sohl-Dickstein et al. 2015; Ho et al. 2020) in the form of Karras et al. 2022.

    `path` says which noise levels are learned and visited, `predict` what the network answers: "v" is the preconditioned mean of data and
    noise. `min_snr` weighs every level's error of the expected data by its ratio of signal to noise, or by this where that is less
    (Hang et al. 2023, who take 5). Labels are forgotten with chance `drop`, so that `guidance` above 1 can sharpen what they ask for. Captions
    are a bag of words, or `reads` layers read them in order, and the network looks at their words wherever it has attention. The
    `likelihood` is the variational bound or the density of the probability flow. Samplers are ways to draw: `sample(64, how=Heun(steps=18))`;
    by default DPMSolver(steps=10).

    >>> import torch
    >>> from ilk.rng import Rng
    >>> from ilk.space import Reals
    >>> Diffusion().build(Reals((1, 8, 8)), Rng(0)).sample(2, Rng(1)).tensor.shape
    torch.Size([2, 1, 8, 8])
    """

    distribution = DenoisingBound
    pairing: ClassVar[str] = "independent"
    path: Literal["edm", "cosine", "linear"] = "edm"
    predict: Literal["v", "eps", "x0"] = "v"
    min_snr: Annotated[float, Interval(gt=0, le=1_000_000)] | None = None
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

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels, captions and arrays of numbers."""
        return Partly.refuses(about)

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Denoising:
        """With the bound or with the density of the flow."""
        made: Denoising = super().build(space, rng, about)   # type: ignore[assignment]
        return made if self.likelihood == "bound" else DenoisingFlow(self, space, rng, about or {})

    def noise(self) -> Path:
        """Which noise levels are learned and visited."""
        return PATHS[self.path]
