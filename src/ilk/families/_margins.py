"""Laws of single parts and the way to standard normal scores and back: what a copula joins."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi

import torch
from torch import Tensor

PIECE, CHOICES, LEAST, EDGE = 1 << 20, (1, 2, 4, 8, 16, 32, 64, 128, 256), 4, 1e-300
REACH = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 37.0)


@dataclass(frozen=True, eq=False)
class Margin:
    """A smooth law of one number: a Gaussian for each of m equal runs of its sorted values, as wide as the run and half the way to the next."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, values: Tensor, runs: int) -> Margin:
        """From sorted values."""
        parts = values.tensor_split(runs)
        mean = torch.stack([p.mean() for p in parts])
        gap = torch.stack([mean.diff(prepend=mean[:1] * 2 - mean[1:2]), mean.diff(append=mean[-1:] * 2 - mean[-2:-1])]).mean(0) if runs > 1 else torch.zeros(1).double()
        inside = torch.stack([p.var(correction=0) for p in parts])
        width = values[int(0.9 * (len(values) - 1))] - values[int(0.1 * (len(values) - 1))]
        floor = 1e-3 * (width if float(width) > 0 else values.std(correction=0)).clamp_min(1e-6 * (1 + float(values.abs().max())))
        return cls(mean, (inside + gap.square() / 4).sqrt().clamp_min(floor))

    @classmethod
    def learned(cls, values: Tensor) -> Margin:
        """With as many runs as explain each half of the values best by the other."""
        halves = [values[i::2].sort().values for i in (0, 1)]
        able = [m for m in CHOICES if m * LEAST <= len(halves[1])]
        if not able:
            return cls.of(values.sort().values, 1) if len(values) else cls(torch.zeros(1).double(), torch.ones(1).double())
        best = max(able, key=lambda m: float(sum(cls.of(a, m).log_density(b).sum() for a, b in (halves, halves[::-1]))))
        return cls.of(values.sort().values, best)

    def _each(self, x: Tensor, do: Callable[[Tensor], Tensor]) -> Tensor:
        """A function of the standardised distances to every run, (n, m) -> (n,), in pieces."""
        pieces = x.split(max(1, PIECE // len(self.mean)))
        return torch.cat([do((piece[:, None] - self.mean) / self.spread) for piece in pieces])

    def log_density(self, x: Tensor) -> Tensor:
        """log f(x), (n,)."""
        rest = self.spread.log() + log(len(self.mean)) + 0.5 * log(2 * pi)
        return self._each(x, lambda t: (-0.5 * t.square() - rest).logsumexp(1))

    def score(self, x: Tensor) -> Tensor:
        """The standard normal number of the same rank, (n,), from the tail that is nearer."""
        def of(t: Tensor) -> Tensor:
            low, high = (torch.special.erfc(s * t / 2**0.5).mean(1).div(2).clamp_min(EDGE) for s in (-1, 1))
            found: Tensor = torch.where(low < high, torch.special.ndtri(low), -torch.special.ndtri(high))
            return found

        return self._each(x, of)

    def number(self, z: Tensor) -> Tensor:
        """The inverse of `score`: Newton's steps within brackets that halve where he leaves them."""
        knots: Tensor = torch.cat([self.mean + s * r * self.spread for r in REACH for s in (-1, 1)]).unique()
        at = torch.searchsorted(self.score(knots).cummax(0).values, z.contiguous()).clamp(1, len(knots) - 1)
        low, high = knots[at - 1].clone(), knots[at].clone()
        x = (low + high) / 2
        for _ in range(24):
            now = self.score(x)
            below = now < z
            low, high = x.where(below, low), high.where(below, x)
            slope = (self.log_density(x) + 0.5 * now.square() + 0.5 * log(2 * pi)).exp()
            step = x - (now - z) / slope.clamp_min(EDGE)
            x = step.where((step >= low) & (step <= high), (low + high) / 2)
            if bool(((now - z).abs() < 1e-10).all()):
                break
        return x


def edges(log_mass: Tensor) -> Tensor:
    """Where the values of a part lie on the standard normal line: value k between edges k and k + 1, (values + 1,)."""
    below = log_mass.softmax(0).cumsum(0)[:-1].clamp(EDGE, 1 - 1e-16)
    end = torch.tensor([torch.inf], dtype=torch.float64)
    inside: Tensor = torch.special.ndtri(below)
    return torch.cat([-end, inside, end])
