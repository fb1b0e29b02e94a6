"""Poisson laws of counts that end at a largest one."""
from __future__ import annotations

import torch
from torch import Tensor

WIDEST, HALVINGS = 60.0, 80


def poisson(law: Tensor) -> Tensor:
    """Log masses of the Poisson laws, cut after the last count, of the means that these laws have: (K, size) -> (K, size)."""
    size = law.shape[1]
    count = torch.arange(size, dtype=torch.float64)
    base = -torch.lgamma(count + 1)
    wanted = (law @ count).clamp(1e-9, size - 1 - 1e-9)
    low, high = torch.full_like(wanted, -WIDEST), torch.full_like(wanted, WIDEST)
    for _ in range(HALVINGS):   # the mean grows with the rate
        middle = (low + high) / 2
        mean = (middle[:, None] * count + base).softmax(1) @ count
        low, high = middle.where(mean < wanted, low), high.where(mean < wanted, middle)
    return (((low + high) / 2)[:, None] * count + base).log_softmax(1)
