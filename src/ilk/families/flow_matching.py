"""Flow matching: straight ways from noise to data, whose mean velocity a network learns; labels, guidance, a likelihood."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from ilk.distribution import Family
from ilk.families._denoiser import DenoiserFamily
from ilk.nets._noise import PATHS, Path, even
from ilk.recipe import Tried
from ilk.space import Space


@dataclass(frozen=True, kw_only=True)
class FlowMatching(DenoiserFamily):
    """Flow matching along straight paths (Lipman et al. 2023; Liu et al. 2023), times logit-normal (Esser et al. 2024) or uniform.

    In the scale x = data + sigma * noise it is a diffusion with sigma = t / (1 - t), so samplers, labels, guidance and likelihoods are those of
    `Diffusion`. With `pairing` "optimal", the noises of a batch are matched to its items by least squared distance (Pooladian et al. 2023;
    Tong et al. 2024): paths cross less and fewer steps do. Noise then knows its data, so there is no bound, and the likelihood is the flow's. `reads` layers
    read captions in order (0: a bag of words).

    >>> import torch
    >>> from ilk.rng import Rng
    >>> from ilk.space import Reals
    >>> FlowMatching().build(Reals((2,)), Rng(0)).sample(3, Rng(1)).tensor.shape
    torch.Size([3, 2])
    """

    predict: ClassVar[str] = "u"
    min_snr: ClassVar[None] = None
    times: Annotated[Literal["logit_normal", "uniform"], Tried("logit_normal", "uniform")] = "logit_normal"
    pairing: Annotated[Literal["independent", "optimal"], Tried("independent", "optimal")] = "independent"

    def refuses_context(self, about: Mapping[str, Space]) -> str | None:
        """Labels, captions and arrays of numbers; nothing where noise is paired, since it would tell the label."""
        return super().refuses_context(about) if self.pairing == "independent" else Family.refuses_context(self, about)

    def bounded(self) -> bool:
        """Only where noise is drawn by itself."""
        return super().bounded() and self.pairing == "independent"

    def noise(self) -> Path:
        """Which noise levels are learned and visited."""
        path = PATHS["straight" if self.pairing == "independent" else "paired"]
        return path if self.times == "logit_normal" else even(path)
