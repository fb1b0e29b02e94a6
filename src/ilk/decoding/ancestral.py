"""Draws every token by its own law, sharpened or flattened by a temperature."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from ..distribution import How
from ._contract import tempered


@dataclass(frozen=True, kw_only=True)
class Ancestral(How):
    """The model's own law at temperature 1; `most` bounds the elements drawn.

    >>> import torch
    >>> Ancestral(temperature=0.5).logits(torch.tensor([[0.2, 0.8]]).log()).exp()[0, 1].item()  # .64 / (.64 + .04)
    0.941176...
    """

    temperature: Annotated[float, Interval(gt=0, le=100)] = 1.0
    most: Annotated[int, Interval(ge=0)] | None = None

    def logits(self, log_weight: Tensor) -> Tensor:
        """Log weights at the temperature, (n, tokens + 1)."""
        return tempered(log_weight, self.temperature)
