"""K Gaussians in d dimensions, full or diagonal, by quadratic features: one matrix product scores, one sums moments.

log N(x; k) is linear in phi(x) = [x_i x_j, x, 1], so the E-step is A @ phi and the M-step R @ phi', both over all components
at once; phi is kept feature-major and in chunks that stay in cache. Everything is float64: the quadratic form cancels.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

CACHE = 640_000  # numbers of phi per chunk: 5 MB of float64


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted sums per component: count (K,), first moments (K, d), second moments (K, d, d) or (K, d)."""

    count: Tensor
    first: Tensor
    second: Tensor

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.first + other.first, self.second + other.second)


@dataclass(frozen=True, eq=False)
class Gaussians(ABC):
    """Means (K, d) and covariances: (K, d, d) if full, (K, d) variances if diagonal."""

    mean: Tensor
    cov: Tensor

    @abstractmethod
    def log_density(self, x: Tensor) -> Tensor:
        """log N(x; k) for x (n, d), as (K, n)."""

    @abstractmethod
    def moments(self, x: Tensor, share: Tensor) -> Moments:
        """Sums over x (n, d) weighted by shares (K, n)."""

    @abstractmethod
    def marginal(self, seen: Tensor) -> Gaussians:
        """The law of some coordinates (bool mask)."""

    @abstractmethod
    def completed(self, part: Moments, seen: Tensor) -> Moments:
        """Expected moments of all coordinates from those of the seen ones."""

    @abstractmethod
    def given(self, seen: Tensor, value: Tensor) -> Gaussians:
        """The law of the other coordinates once the seen ones have these values."""

    @abstractmethod
    def draw(self, which: Tensor, noise: Tensor) -> Tensor:
        """Draws (n, d) of the components `which`, from standard normal noise (n, d)."""

    @abstractmethod
    def box(self, where: Tensor) -> tuple[Tensor, Tensor]:
        """Of some coordinates (indexes, r): Cholesky factors (K, r, r), and the regression of all coordinates on them (K, d, r)."""


@dataclass(frozen=True, eq=False)
class Full(Gaussians):
    """Full covariances."""

    def log_density(self, x: Tensor) -> Tensor:
        """One product with quadratic features, chunk by chunk."""
        k, d = self.mean.shape
        if d == 0:
            return torch.zeros(k, len(x), dtype=torch.float64)
        whole, out = self._coefficients(), torch.empty(k, len(x), dtype=torch.float64)
        for rows, phi in _features(x, _pairs):
            torch.mm(whole, phi, out=out[:, rows])
        return out

    def joint(self, x: Tensor, log_weight: Tensor) -> tuple[Tensor, Moments]:
        """A whole E-step without other parts: log p(x) summed, and the moments weighted by responsibility."""
        k, d = self.mean.shape
        whole = self._coefficients()
        whole[:, -1] += log_weight
        sums, total = torch.zeros(k, whole.shape[1], dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for _, phi in _features(x, _pairs):
            share = whole @ phi
            top = share.amax(0)
            share.sub_(top).exp_()
            norm = share.sum(0)
            total += (norm.log() + top).sum()
            sums.addmm_(share.div_(norm), phi.T)
        return total, _unpacked(sums, d)

    def moments(self, x: Tensor, share: Tensor) -> Moments:
        """One product with quadratic features, chunk by chunk."""
        k, d = self.mean.shape
        sums = torch.zeros(k, d * (d + 1) // 2 + d + 1, dtype=torch.float64)
        for rows, phi in _features(x, _pairs):
            sums.addmm_(share[:, rows], phi.T)
        return _unpacked(sums, d)

    def marginal(self, seen: Tensor) -> Full:
        """The sub-blocks."""
        return Full(self.mean[:, seen], self.cov[:, seen][:, :, seen])

    def completed(self, part: Moments, seen: Tensor) -> Moments:
        """Regression of the unseen on the seen, in expectation."""
        gain, rest = self._regression(seen)
        base = self.mean[:, ~seen] - (gain @ self.mean[:, seen, None])[..., 0]
        n, s1, s2 = part.count[:, None, None], part.first[:, None], part.second
        moved = s1 @ gain.transpose(1, 2)
        cross = base[:, :, None] @ s1 + gain @ s2
        first = torch.empty_like(self.mean)
        second = torch.empty_like(self.cov)
        first[:, seen], first[:, ~seen] = part.first, part.count[:, None] * base + moved[:, 0]
        i, j = seen.nonzero()[:, 0], (~seen).nonzero()[:, 0]
        second[:, i[:, None], i], second[:, j[:, None], i], second[:, i[:, None], j] = s2, cross, cross.transpose(1, 2)
        outer = base[:, :, None] @ moved
        second[:, j[:, None], j] = n * (rest + base[:, :, None] @ base[:, None]) + outer + outer.transpose(1, 2) + gain @ s2 @ gain.transpose(1, 2)
        return Moments(part.count, first, second)

    def given(self, seen: Tensor, value: Tensor) -> Full:
        """Gaussian conditioning."""
        gain, rest = self._regression(seen)
        return Full(self.mean[:, ~seen] + (gain @ (value - self.mean[:, seen])[..., None])[..., 0], rest)

    def draw(self, which: Tensor, noise: Tensor) -> Tensor:
        """mean + L noise, component by component."""
        root, out = _cholesky(self.cov), torch.empty_like(noise)
        for k in which.unique().tolist():
            rows = which == k
            out[rows] = self.mean[k] + noise[rows] @ root[k].T
        return out

    def box(self, where: Tensor) -> tuple[Tensor, Tensor]:
        """From the sub-blocks."""
        root = _cholesky(self.cov[:, where][:, :, where])
        return root, torch.cholesky_solve(self.cov[:, where], root).transpose(1, 2)

    def _regression(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        oo, mo = self.cov[:, seen][:, :, seen], self.cov[:, ~seen][:, :, seen]
        gain = torch.cholesky_solve(mo.transpose(1, 2), _cholesky(oo)).transpose(1, 2)
        rest = self.cov[:, ~seen][:, :, ~seen] - gain @ mo.transpose(1, 2)
        return gain, (rest + rest.transpose(1, 2)) / 2

    def _coefficients(self) -> Tensor:
        """A of shape (K, features): -1/2 P on pairs (twice off the diagonal), P mean on x, the rest on 1."""
        d = self.mean.shape[1]
        root = _cholesky(self.cov)
        precision = torch.cholesky_inverse(root)
        linear = (precision @ self.mean[..., None])[..., 0]
        logdet = root.diagonal(dim1=1, dim2=2).log().sum(1)
        i, j = torch.triu_indices(d, d)
        pairs = precision[:, i, j] * torch.where(i == j, -0.5, -1.0)
        rest = -0.5 * ((linear * self.mean).sum(1) + d * log(2 * pi)) - logdet
        return torch.cat([pairs, linear, rest[:, None]], 1).contiguous()


@dataclass(frozen=True, eq=False)
class Diagonal(Gaussians):
    """Diagonal covariances, kept as variances."""

    def log_density(self, x: Tensor) -> Tensor:
        """One product with [x^2, x, 1]."""
        d = self.mean.shape[1]
        precision = 1 / self.cov
        rest = -0.5 * ((self.mean.square() * precision).sum(1) + self.cov.log().sum(1) + d * log(2 * pi))
        whole = torch.cat([-0.5 * precision, self.mean * precision, rest[:, None]], 1)
        out = torch.empty(len(whole), len(x), dtype=torch.float64)
        for rows, phi in _features(x, _squares):
            torch.mm(whole, phi, out=out[:, rows])
        return out

    def moments(self, x: Tensor, share: Tensor) -> Moments:
        """One product with [x^2, x, 1]."""
        d = self.mean.shape[1]
        sums = torch.zeros(len(share), 2 * d + 1, dtype=torch.float64)
        for rows, phi in _features(x, _squares):
            sums.addmm_(share[:, rows], phi.T)
        return Moments(sums[:, -1], sums[:, d:-1], sums[:, :d])

    def marginal(self, seen: Tensor) -> Diagonal:
        """Some columns."""
        return Diagonal(self.mean[:, seen], self.cov[:, seen])

    def completed(self, part: Moments, seen: Tensor) -> Moments:
        """The unseen have their own mean and variance."""
        first, second = part.count[:, None] * self.mean, part.count[:, None] * (self.cov + self.mean.square())
        first[:, seen], second[:, seen] = part.first, part.second
        return Moments(part.count, first, second)

    def given(self, seen: Tensor, value: Tensor) -> Diagonal:
        """Independent within a component: the rest as it was."""
        return self.marginal(~seen)

    def draw(self, which: Tensor, noise: Tensor) -> Tensor:
        """mean + sd noise."""
        return self.mean[which] + self.cov.sqrt()[which] * noise

    def box(self, where: Tensor) -> tuple[Tensor, Tensor]:
        """Diagonal, and nothing leans on anything but itself."""
        gain = torch.zeros(*self.mean.shape, len(where), dtype=torch.float64)
        gain[:, where, torch.arange(len(where))] = 1.0
        return torch.diag_embed(self.cov[:, where].sqrt()), gain


def _cholesky(cov: Tensor) -> Tensor:
    """Cholesky factors; a covariance that rounding made indefinite gets the least jitter that mends it."""
    root, bad = torch.linalg.cholesky_ex(cov)
    jitter = 1e-12
    while bool(bad.any()) and jitter < 1:
        scale = cov.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1e-300)[..., None, None]
        root, bad = torch.linalg.cholesky_ex(cov + jitter * scale * torch.eye(cov.shape[-1], dtype=cov.dtype))
        jitter *= 100
    return root


def _pairs(x: Tensor, out: Tensor) -> Tensor:
    """[x_i x_j (i <= j), x, 1] of x (d, c), feature-major."""
    d, at = len(x), 0
    for i in range(d):
        torch.mul(x[i:], x[i], out=out[at:at + d - i])
        at += d - i
    out[at:at + d] = x
    out[at + d] = 1
    return out


def _squares(x: Tensor, out: Tensor) -> Tensor:
    """[x^2, x, 1] of x (d, c), feature-major."""
    d = len(x)
    torch.mul(x, x, out=out[:d])
    out[d:2 * d] = x
    out[2 * d] = 1
    return out


def _features(x: Tensor, make: object) -> Iterator[tuple[slice, Tensor]]:
    """phi of x (n, d), chunk by chunk, in one buffer that is used again."""
    d = x.shape[1]
    width = d * (d + 1) // 2 + d + 1 if make is _pairs else 2 * d + 1
    chunk = max(64, min(CACHE // max(1, width), 1 << 16))
    buffer = torch.empty(width, min(chunk, max(1, len(x))), dtype=torch.float64)
    for start in range(0, len(x), chunk):
        part = x[start:start + chunk].T.contiguous()
        into = buffer[:, :part.shape[1]]
        yield slice(start, start + part.shape[1]), _pairs(part, into) if make is _pairs else _squares(part, into)


def _unpacked(sums: Tensor, d: int) -> Moments:
    i, j = torch.triu_indices(d, d)
    second = torch.empty(len(sums), d, d, dtype=torch.float64)
    second[:, i, j] = second[:, j, i] = sums[:, :len(i)]
    return Moments(sums[:, -1].clone(), sums[:, len(i):-1].clone(), second)
