"""Draws among the fewest tokens that together have mass p: nucleus sampling (Holtzman et al. 2020)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from ..distribution import How
from ._contract import kept, tempered


@dataclass(frozen=True, kw_only=True)
class TopP(How):
    """The likeliest tokens until their mass reaches p; the temperature comes first.

    >>> import torch
    >>> TopP(p=0.8).logits(torch.tensor([[0.1, 0.5, 0.4]]).log()).isfinite().tolist()
    [[False, True, True]]
    """

    p: Annotated[float, Interval(gt=0, le=1)] = 0.9
    temperature: Annotated[float, Interval(gt=0, le=100)] = 1.0
    most: Annotated[int, Interval(ge=0)] | None = None

    def logits(self, log_weight: Tensor) -> Tensor:
        """Log weights within the nucleus, -inf elsewhere; of equals the first come first."""
        warm = tempered(log_weight, self.temperature)
        law, order = warm.exp().sort(dim=-1, descending=True, stable=True)
        before = law.cumsum(-1) - law
        keep = (before < self.p).scatter(-1, order, before < self.p)
        return kept(warm, keep)
