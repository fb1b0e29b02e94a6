"""Diffusion: noise taken away step by step by a network that learned to, over pictures and arrays; labels, guidance, a likelihood."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Interval

from ilk.families._denoiser import DenoiserFamily
from ilk.nets._noise import PATHS, Path
from ilk.recipe import Tried


@dataclass(frozen=True, kw_only=True)
class Diffusion(DenoiserFamily):
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

    pairing: ClassVar[str] = "independent"
    path: Annotated[Literal["edm", "cosine", "linear"], Tried("edm", "cosine")] = "edm"
    predict: Annotated[Literal["v", "eps", "x0"], Tried("v", "eps")] = "v"
    min_snr: Annotated[float, Interval(gt=0, le=1_000_000)] | None = None

    def noise(self) -> Path:
        """Which noise levels are learned and visited."""
        return PATHS[self.path]
