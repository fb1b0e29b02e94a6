"""Whole numbers by a mixture of logistics cut into cells (Salimans et al. 2017): neighbouring levels are alike before anything is learned."""
from __future__ import annotations

from math import log

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

SHARPEST = -7.0  # the least log scale, where all levels are 2 wide together


def parts_of(told: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(..., 3 parts) -> log weights, means and log scales, (..., parts) each."""
    weight, mean, scale = told.float().chunk(3, -1)
    return weight.log_softmax(-1), mean, (scale - 2).clamp_min(SHARPEST)


def log_mass(told: Tensor, value: Tensor, levels: int) -> Tensor:
    """Log mass of each value, (...): levels lie evenly in [-1, 1], and the outermost cells have no end, so that all sum to 1.

    s(a) - s(b) = s(a) s(-b) (1 - e^(b - a)) keeps every digit of a difference of two sigmoids.
    """
    weight, mean, scale = parts_of(told)
    half = 1 / (levels - 1)
    away, rate = (value[..., None] * 2 * half - 1) - mean, (-scale).exp()
    high, low = value[..., None] == levels - 1, value[..., None] == 0
    up = logsigmoid((away + half) * rate).masked_fill(high, 0.0)
    down = logsigmoid((half - away) * rate).masked_fill(low, 0.0)
    between = torch.log(-torch.expm1(-2 * half * rate)).masked_fill(high | low, 0.0)
    return (weight + up + down + between).logsumexp(-1)


def log_masses(told: Tensor, levels: int) -> Tensor:
    """Log masses of all levels, (..., levels), float64: differences of distribution functions, so that those far below 1e-12 lose their digits."""
    weight, mean, scale = (t.double()[..., None, :] for t in parts_of(told))
    edges = torch.arange(1, levels, dtype=torch.float64, device=told.device) * (2 / (levels - 1)) - 1 - 1 / (levels - 1)
    below = (torch.sigmoid((edges[:, None] - mean) * (-scale).exp()) * weight.exp()).sum(-1)
    return torch.cat([torch.zeros_like(below[..., :1]), below, torch.ones_like(below[..., :1])], -1).diff(dim=-1).clamp_min(0).log()


def drawn(told: Tensor, u: Tensor, levels: int) -> Tensor:
    """A value of each mixture, by two uniform numbers (..., 2): which part, and the inverse of its distribution function."""
    weight, mean, scale = parts_of(told)
    which = (weight.double().exp().cumsum(-1) < u[..., :1] * weight.double().exp().sum(-1, keepdim=True)).sum(-1, keepdim=True).clamp_max(weight.shape[-1] - 1)
    x = mean.gather(-1, which)[..., 0].double() + scale.gather(-1, which)[..., 0].double().exp() * torch.logit(u[..., 1])
    return ((x + 1) / 2 * (levels - 1)).round().clamp(0, levels - 1).long()


def begun(bias: Tensor, parts: int) -> None:
    """Starts a bias that tells such a mixture with means spread over the levels, each about as wide as its share."""
    with torch.no_grad():
        bias.zero_()
        bias[parts:2 * parts] = torch.linspace(-1, 1, parts + 2)[1:-1]
        bias[2 * parts:] = 2 + log(1 / (parts + 1))
