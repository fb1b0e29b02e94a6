"""Score matching: the gradient of the log density of noisy data, at many levels of noise; drawn by Langevin dynamics or any sampler."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Interval

from ilk.families._denoiser import DenoiserFamily
from ilk.nets._noise import LEAST, MOST, Path, ladder


@dataclass(frozen=True, kw_only=True)
class ScoreModel(DenoiserFamily):
    """Denoising score matching (Vincent 2011) over a ladder of `rungs` noise levels from `least` to `most` (Song & Ermon 2019).

    Data have standard deviation 1 there. The score is (D - x) / sigma^2, D the expected data (Tweedie), for which the network is
    preconditioned as in Karras et al. 2022; its squared error weighs sigma^2 (1 + sigma^2). `sample(64, how=Langevin())` draws as the paper does;
    by default DPMSolver(steps=10). The `likelihood` is the variational bound or the density of the probability flow (Song et al. 2021).
    `reads` layers read captions in order (0: a bag of words).

    >>> import torch
    >>> from ilk.rng import Rng
    >>> from ilk.space import Reals
    >>> model = ScoreModel().build(Reals((2,)), Rng(0))
    >>> x, sigma = torch.randn(3, 2), torch.tensor([0.1, 1.0, 10.0])
    >>> ((model.denoise(x, sigma, {}) - x) / sigma[:, None] ** 2).shape   # the score of standardised noisy data
    torch.Size([3, 2])
    """

    predict: ClassVar[str] = "v"
    min_snr: ClassVar[None] = None
    pairing: ClassVar[str] = "independent"
    rungs: Annotated[int, Interval(ge=2, le=100_000)] = 64
    least: Annotated[float, Interval(ge=0.0001, le=0.5)] = LEAST
    most: Annotated[float, Interval(ge=2, le=10_000)] = MOST

    def noise(self) -> Path:
        """Which noise levels are learned and visited."""
        return ladder(self.rungs, self.least, self.most)
