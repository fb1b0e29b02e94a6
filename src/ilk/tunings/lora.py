"""LoRA: to each chosen matrix the product of two narrow ones is added, and only those learn (Hu et al. 2021)."""
from __future__ import annotations

from dataclasses import dataclass

from ._low_rank import LowRankTuning


@dataclass(frozen=True, kw_only=True)
class LoRA(LowRankTuning):
    """W + (alpha / rank) B A.

    >>> import torch
    >>> from ilk.rng import Rng
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3))
    >>> sorted(LoRA(rank=2, targets="0").apply(net, Rng(0)))
    ['0.lora.a', '0.lora.b']
    """

    @property
    def scale(self) -> float:
        """alpha over the rank."""
        return self.alpha / self.rank
