"""Draws among the tokens at least p times as likely as the likeliest (Nguyen et al. 2024)."""
from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from ..distribution import How
from ._contract import kept, tempered


@dataclass(frozen=True, kw_only=True)
class MinP(How):
    """Tokens whose probability is at least p times the highest; the temperature comes first.

    >>> import torch
    >>> MinP(p=0.5).logits(torch.tensor([[0.1, 0.5, 0.4]]).log()).isfinite().tolist()
    [[False, True, True]]
    """

    p: Annotated[float, Interval(gt=0, le=1)] = 0.05
    temperature: Annotated[float, Interval(gt=0, le=100)] = 1.0
    most: Annotated[int, Interval(ge=0)] | None = None

    def logits(self, log_weight: Tensor) -> Tensor:
        """Log weights of the tokens kept, -inf elsewhere."""
        warm = tempered(log_weight, self.temperature)
        return kept(warm, warm >= warm.amax(-1, keepdim=True) + log(self.p))
