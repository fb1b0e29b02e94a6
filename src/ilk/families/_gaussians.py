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
LEAST = -300.0  # a log share below this is nothing to the sums, and its exponential would be a slow denormal number
OFTEN = 16  # a pattern of missing numbers with so many rows is worth a product of its own


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
    def log_density(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """log N(x; k) for x (n, d), as (K, n); of the numbers that are there, if a mask (n, d) is given (0 elsewhere)."""

    @abstractmethod
    def moments(self, x: Tensor, share: Tensor, there: Tensor | None = None) -> Moments:
        """Sums over x (n, d) weighted by shares (K, n); expected ones where numbers are missing."""

    @abstractmethod
    def marginal(self, seen: Tensor) -> Gaussians:
        """The law of some coordinates (bool mask)."""

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

    def log_density(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """One product with quadratic features, chunk by chunk; by pattern of what is there, if some are missing."""
        k, d = self.mean.shape
        if d == 0:
            return torch.zeros(k, len(x), dtype=torch.float64)
        if there is None:
            return self._whole(x)
        out = torch.zeros(k, len(x), dtype=torch.float64)
        common, rare = patterns(there)
        for seen, rows in common:
            if bool(seen.any()):
                out[:, rows] = self.marginal(seen)._whole(x[rows][:, seen])
        for rows in rare.split(max(1, CACHE // (k * d * d))):
            out[:, rows] = self.by_row(x[rows], there[rows])[0]
        return out

    def _whole(self, x: Tensor) -> Tensor:
        whole, out = self._coefficients(), torch.empty(len(self.mean), len(x), dtype=torch.float64)
        if x.requires_grad:   # nothing that is written into a buffer has derivatives
            return whole @ torch.cat([*(x.T[i:] * x.T[i] for i in range(x.shape[1])), x.T, torch.ones(1, len(x), dtype=torch.float64)])
        for rows, phi in _features(x):
            torch.mm(whole, phi, out=out[:, rows])
        return out

    def by_row(self, x: Tensor, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Row by row: log density (K, n), x less the mean where it is there (n, K, d), and the inverse of the seen block (n, K, d, d)."""
        both = (there[:, None] & there[:, :, None])[:, None]
        hidden = torch.diag_embed((~there).double())[:, None]
        root = _cholesky(self.cov * both + hidden)
        inverse = torch.cholesky_inverse(root) * both
        gap = (x[:, None] - self.mean) * there[:, None]
        square = (gap * (inverse @ gap[..., None])[..., 0]).sum(2)
        logdet = root.diagonal(dim1=2, dim2=3).log().sum(2)
        return (-0.5 * (square + there.sum(1, keepdim=True).double() * log(2 * pi)) - logdet).T, gap, inverse

    def joint(self, x: Tensor, log_weight: Tensor) -> tuple[Tensor, Moments]:
        """A whole E-step without other parts: log p(x) summed, and the moments weighted by responsibility."""
        k, d = self.mean.shape
        whole = self._coefficients()
        whole[:, -1] += log_weight
        sums, total = torch.zeros(k, whole.shape[1], dtype=torch.float64), torch.zeros((), dtype=torch.float64)
        for _, phi in _features(x):
            share = whole @ phi
            top = share.amax(0)
            share.sub_(top).clamp_min_(LEAST).exp_()
            norm = share.sum(0)
            total += (norm.log() + top).sum()
            sums.addmm_(share.div_(norm), phi.T)
        return total, _unpacked(sums, d)

    def moments(self, x: Tensor, share: Tensor, there: Tensor | None = None) -> Moments:
        """One product with quadratic features, chunk by chunk; by pattern of what is there, if some are missing."""
        k, d = self.mean.shape
        if there is None:
            sums = torch.zeros(k, d * (d + 1) // 2 + d + 1, dtype=torch.float64)
            for rows, phi in _features(x):
                sums.addmm_(share[:, rows], phi.T)
            return _unpacked(sums, d)
        total = Moments(torch.zeros(k, dtype=torch.float64), torch.zeros_like(self.mean), torch.zeros_like(self.cov))
        common, rare = patterns(there)
        for seen, where in common:
            inside = self.marginal(seen).moments(x[where][:, seen], share[:, where].contiguous())
            total = total + self._completed(inside, seen)
        for some in rare.split(max(1, CACHE // (k * d * d))):
            total = total + self._expected(x[some], share[:, some], there[some])
        return total

    def _expected(self, x: Tensor, share: Tensor, there: Tensor) -> Moments:
        """Row by row: what is missing at its regression on what is there, with its remaining covariance."""
        _, gap, inverse = self.by_row(x, there)
        gain = self.cov @ inverse
        filled = self.mean + (gain @ gap[..., None])[..., 0]
        weighted = filled * share.T[..., None]
        rest = (share.T[..., None, None] * (self.cov - gain @ self.cov)).sum(0)
        return Moments(share.sum(1), weighted.sum(0), weighted.permute(1, 2, 0) @ filled.transpose(0, 1) + rest)

    def marginal(self, seen: Tensor) -> Full:
        """The sub-blocks."""
        return Full(self.mean[:, seen], self.cov[:, seen][:, :, seen])

    def _completed(self, part: Moments, seen: Tensor) -> Moments:
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

    def log_density(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        """Products with x^2, x and what is there."""
        here = torch.ones_like(x) if there is None else there.double()
        precision = 1 / self.cov
        rest = -0.5 * (self.mean.square() * precision + self.cov.log() + log(2 * pi))
        return -0.5 * precision @ (x * x * here).T + (self.mean * precision) @ (x * here).T + rest @ here.T

    def moments(self, x: Tensor, share: Tensor, there: Tensor | None = None) -> Moments:
        """Products with x^2 and x; what is missing has its component's mean and variance."""
        count = share.sum(1)
        if there is None:
            return Moments(count, share @ x, share @ x.square())
        gone = share @ (~there).double()
        seen = x * there
        return Moments(count, share @ seen + gone * self.mean, share @ seen.square() + gone * (self.cov + self.mean.square()))

    def marginal(self, seen: Tensor) -> Diagonal:
        """Some columns."""
        return Diagonal(self.mean[:, seen], self.cov[:, seen])

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


def shrunk(cov: Tensor, count: Tensor) -> Tensor:
    """Covariances (K, d, d) of no more items than numbers, which have no inverse, drawn towards their diagonals: by d in n + d.

    That is an inverse Wishart's pull of d items at the same variances, none of them correlated. Others stay as they are.
    """
    d = cov.shape[-1]
    weight = torch.where(count <= d, d / (count + d), 0.0)[..., None, None]
    return cov.lerp(torch.diag_embed(cov.diagonal(dim1=-2, dim2=-1)), weight)


def _cholesky(cov: Tensor) -> Tensor:
    """Cholesky factors; a covariance that rounding made indefinite gets the least jitter that mends it."""
    root: Tensor
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


def patterns(there: Tensor) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """The rows of a mask that many share, each with where it stands; and where the rare ones stand."""
    kinds, which, count = there.unique(dim=0, return_inverse=True, return_counts=True)
    often = (count >= OFTEN).nonzero()[:, 0]
    return [(kinds[i], (which == i).nonzero()[:, 0]) for i in often.tolist()], (count[which] < OFTEN).nonzero()[:, 0]


def _features(x: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """phi of x (n, d), chunk by chunk, in one buffer that is used again."""
    d = x.shape[1]
    width = d * (d + 1) // 2 + d + 1
    chunk = max(64, min(CACHE // max(1, width), 1 << 16))
    buffer = torch.empty(width, min(chunk, max(1, len(x))), dtype=torch.float64)
    for start in range(0, len(x), chunk):
        part = x[start:start + chunk].T.contiguous()
        into = buffer[:, :part.shape[1]]
        yield slice(start, start + part.shape[1]), _pairs(part, into)


def _unpacked(sums: Tensor, d: int) -> Moments:
    i, j = torch.triu_indices(d, d)
    second = torch.empty(len(sums), d, d, dtype=torch.float64)
    second[:, i, j] = second[:, j, i] = sums[:, :len(i)]
    return Moments(sums[:, -1].clone(), sums[:, len(i):-1].clone(), second)
