"""How well chains mix: split R-hat and effective sample size of one number followed along several chains."""
from __future__ import annotations

import torch
from torch import Tensor


def rhat(x: Tensor) -> float:
    """Split R-hat of chains (m, n): each is cut in half, and the spread between halves held against that within (Gelman et al. 2013, eq. 11.4).

    >>> rhat(torch.tensor([[0.0, 1.0, 0.0, 1.0], [9.0, 8.0, 9.0, 8.0]])) > 5
    True
    """
    half = x.shape[1] // 2
    halves = torch.cat([x[:, :half], x[:, -half:]]).double()
    within, spread = _spread(halves)
    return float((spread / within).sqrt())


def ess(x: Tensor) -> float:
    """Effective sample size of chains (m, n): draws over autocorrelation time, its sum cut by Geyer's (1992) initial monotone sequence."""
    x = x.double()
    m, n = x.shape
    _, spread = _spread(x)
    gap = x - x.mean(1, keepdim=True)
    power = torch.fft.rfft(gap, 2 * n).abs().square()
    covariance = torch.fft.irfft(power, 2 * n)[:, :n].mean(0) / n
    within = covariance[0] * n / (n - 1)
    rho = 1 - (within - covariance) / spread
    rho[0] = 1.0
    pairs = rho[:n - n % 2].reshape(-1, 2).sum(1)
    first = (pairs <= 0).nonzero()[:, 0]
    kept = pairs[:int(first[0])] if len(first) else pairs
    return float(m * n / (2 * kept.cummin(0).values.sum() - 1))


def _spread(x: Tensor) -> tuple[Tensor, Tensor]:
    """Variance within chains, and that of the law as all of them together show it."""
    n = x.shape[1]
    within = x.var(1).mean()
    between = x.mean(1).var() if len(x) > 1 else torch.zeros(()).double()
    return within, within * (n - 1) / n + between
