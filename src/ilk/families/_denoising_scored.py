"""Two likelihoods of a denoising model: a bound on the law of ancestral sampling, and the density of the probability flow."""
from __future__ import annotations

from dataclasses import replace
from math import log, pi, prod
from typing import Literal

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.families._denoising import Denoising
from ilk.families._denoising_given import ToldContext
from ilk.families._denoising_walk import CHUNK
from ilk.nets._transport import carried, every_direction, signs
from ilk.rng import Rng

Likelihood = Literal["bound", "flow"]
FEW, PROBES, FINE = 16, 4, 4   # numbers whose trace is exact, random directions for more of them, steps of the flow a level


class ToldBound(ToldContext):
    """p(x | context), bounded."""

    whole: DenoisingBound

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Bound on log p(x | context)."""
        return self.whole.log_prob_bound(self.told(batch, rng), rng)


class ToldFlow(ToldContext):
    """p(x | context), by the flow."""

    whole: DenoisingFlow

    def log_prob_estimate(self, batch: Batch, rng: Rng) -> tuple[Tensor, Tensor]:
        """log p(x | context) and its standard error."""
        return self.whole.log_prob_estimate(self.told(batch, rng), rng)


class DenoisingBound(Denoising):
    """With the variational bound."""

    known = ToldBound

    @torch.no_grad()
    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """The variational bound in continuous time (Kingma et al. 2021), at `levels` stratified noise levels, in nats, (B,) float64.

        It bounds the law of ancestral sampling without guidance; a mean over noise, so it may lie above the bound by chance.
        """
        if (labels := self.unsaid(batch)) is not None:
            weight = self._every(batch, labels, rng.child("which")).log_softmax(0)   # with noise of its own: the log of a sum would lie above the bound
            return (weight.exp() * (self._every(batch, labels, rng) - weight)).sum(0)
        parts = [self._bound(batch.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(batch), CHUNK)]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)

    def _every(self, batch: Batch, labels: list[tuple[dict[str, Batch], float]], rng: Rng) -> Tensor:
        """Bounds on log p(item, label), (labels, B)."""
        return torch.stack([self.log_prob_bound(replace(batch, context=label), rng) + share for label, share in labels])

    def _bound(self, batch: Batch, rng: Rng) -> Tensor:
        x, k, d = self.standard(batch.tensor), self.family.levels, prod(self.shape)
        least, most = self.path.least, self.path.most
        u = (rng.child("level").uniform(len(x), 1) + torch.arange(k)[None] / k) % 1
        total = torch.zeros(len(x), dtype=torch.double)
        width = log(most / least)
        for j in range(k):
            total += 0.5 * 2 * width / k * self._error(batch, least * (width * u[:, j]).exp().float(), rng.child("noise", j))
        last = torch.full((len(x),), least)
        total += 0.5 * self._error(batch, last, rng.child("last")) + 0.5 * d * log(2 * pi * least**2)
        total += 0.5 * x.double().flatten(1).square().sum(1) / most**2
        return -total - self.log_volume()

    def _error(self, batch: Batch, sigma: Tensor, rng: Rng) -> Tensor:
        """|x - D|^2 / sigma^2 at one noise level each, (B,) float64."""
        x = self.standard(batch.tensor)
        s = sigma.reshape(-1, *[1] * (x.ndim - 1))
        noisy = x + s * rng.normal(*x.shape).float()
        return ((x - self.denoise(noisy, sigma, batch.context)) / s).double().flatten(1).square().sum(1)


class DenoisingFlow(Denoising):
    """With the density of what the probability flow makes of noise."""

    known = ToldFlow

    @torch.no_grad()
    def log_prob_estimate(self, batch: Batch, rng: Rng) -> tuple[Tensor, Tensor]:
        """log density of the flow without guidance (Song et al. 2021, equation 39) in nats, and its standard error, (B,) float64 each.

        Up to 16 numbers the trace is exact and the error 0, more take 4 random directions; there is also the error of the solver, of
        `levels` x 4 steps from the least noise to the most.
        """
        if (labels := self.unsaid(batch)) is not None:
            found = [self.log_prob_estimate(replace(batch, context=label), rng) for label, _ in labels]
            each = torch.stack([value + share for (value, _), (_, share) in zip(found, labels, strict=True)])
            weight = each.softmax(0)
            return each.logsumexp(0), (weight * torch.stack([error for _, error in found])).square().sum(0).sqrt()
        parts = [self._flow(batch.cut(i, i + CHUNK), rng.at(i)) for i in range(0, max(1, len(batch)), CHUNK)]
        return torch.cat([value for value, _ in parts]), torch.cat([error for _, error in parts])

    def _flow(self, batch: Batch, rng: Rng) -> tuple[Tensor, Tensor]:
        """In y = x / sqrt(1 + sigma^2) and log sigma: dy = (y / (1 + sigma^2) - D / sqrt(1 + sigma^2)) d log sigma, alike in size at both ends."""
        x, d, least, most = self.standard(batch.tensor), prod(self.shape), self.path.least, self.path.most

        def velocity(y: Tensor, time: float) -> Tensor:
            sigma = torch.tensor(time, dtype=torch.double).exp()
            c = float((1 + sigma**2).sqrt())
            return y / c**2 - self.denoise(c * y, sigma.float().expand(len(y)), batch.context) / c
        times = torch.linspace(log(least), log(most), FINE * self.family.levels + 1, dtype=torch.double).tolist()
        probes = every_direction(x) if d <= FEW else signs(x, PROBES, rng)
        y, total = carried(velocity, x / (1 + least**2) ** 0.5, times, probes)
        start = -0.5 * y.double().flatten(1).square().sum(1) - 0.5 * d * log(2 * pi * (1 + least**2)) - self.log_volume()
        if d <= FEW:
            return start + total.sum(0), torch.zeros(len(x), dtype=torch.double)
        return start + total.mean(0), total.std(0) / PROBES**0.5
