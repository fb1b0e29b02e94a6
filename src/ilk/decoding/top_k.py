"""Draws among the k likeliest tokens (Fan et al. 2018)."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from ..distribution import How
from ._contract import kept, tempered


@dataclass(frozen=True, kw_only=True)
class TopK(How):
    """The k likeliest tokens, and none that ties with the last of them; k = 1 always takes the likeliest.

    >>> import torch
    >>> TopK(k=2).logits(torch.tensor([[0.1, 0.5, 0.4]]).log()).exp().tolist()[0][0]
    0.0
    """

    k: Annotated[int, Interval(ge=1)] = 40
    temperature: Annotated[float, Interval(gt=0, le=100)] = 1.0
    most: Annotated[int, Interval(ge=0)] | None = None

    def logits(self, log_weight: Tensor) -> Tensor:
        """Log weights of the k likeliest, -inf elsewhere; of equals the first come first."""
        warm = tempered(log_weight, self.temperature)
        rank = warm.argsort(dim=-1, descending=True, stable=True).argsort(-1)
        return kept(warm, rank < self.k)
