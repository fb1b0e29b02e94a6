"""Draws with less repetition: what came before is made less likely, or whole n-grams of it impossible."""
from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ..distribution import How
from ._contract import tempered
from .top_p import TopP


@dataclass(frozen=True, kw_only=True)
class Repetition(How):
    """Tokens that the item has already, its given beginning included, lose; then come the temperature and the nucleus `p`.

    The score of a token is its log probability over that of a uniform draw. `penalty` divides the score where it is positive and
    multiplies it where it is negative (Keskar et al. 2019), 1: none; `presence` is taken from it once, `frequency` as often as the
    token came. No `ngram` tokens in a row come twice (Paulus et al. 2018), 0: any may, unless nothing else could come. The end is no token.

    >>> before = torch.tensor([[0, 1, 0]])
    >>> Repetition(penalty=1, frequency=1).bent(torch.zeros(1, 3), before)
    tensor([[-2., -1.,  0.]], dtype=torch.float64)
    >>> Repetition(penalty=1, ngram=2).bent(torch.zeros(1, 3), before).exp()
    tensor([[1., 0., 1.]], dtype=torch.float64)
    """

    penalty: Annotated[float, Interval(gt=0, le=100)] = 1.2
    presence: Annotated[float, Interval(ge=-100, le=100)] = 0.0
    frequency: Annotated[float, Interval(ge=-100, le=100)] = 0.0
    ngram: Annotated[int, Interval(ge=0, le=1000)] = 0
    temperature: Annotated[float, Interval(gt=0, le=100)] = 1.0
    p: Annotated[float, Interval(gt=0, le=1)] = 1.0
    most: Annotated[int, Interval(ge=0)] | None = None

    def bent(self, log_weight: Tensor, before: Tensor) -> Tensor:
        """The scores (n, tokens + 1) after the tokens before (n, so many)."""
        score = tempered(log_weight, 1.0) + log(log_weight.shape[1])
        count = torch.zeros_like(score).scatter_add_(1, before, torch.ones_like(before, dtype=score.dtype))
        lost = torch.where(score > 0, score / self.penalty, score * self.penalty) - self.presence - self.frequency * count
        score = lost.where(count > 0, score)
        free = score.masked_fill(self._again(before, score), -torch.inf) if self.ngram else score
        return free.where(free.isfinite().any(1, keepdim=True), score)

    def logits(self, log_weight: Tensor) -> Tensor:
        """Log weights at the temperature, within the nucleus."""
        return TopP(p=self.p, temperature=self.temperature).logits(log_weight)

    def _again(self, before: Tensor, like: Tensor) -> Tensor:
        """Which tokens would end an n-gram that came before, as (n, tokens + 1)."""
        found = torch.zeros(like.shape, dtype=torch.bool)
        if before.shape[1] >= self.ngram:
            windows = before.unfold(1, self.ngram, 1)
            same = (windows[..., :-1] == before[:, None, before.shape[1] - self.ngram + 1:]).all(-1)
            row, at = same.nonzero(as_tuple=True)
            found[row, windows[row, at, -1]] = True
        return found
