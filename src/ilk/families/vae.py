"""Variational autoencoder: a smooth latent code, a likelihood for every sort of number, conditional on labels, honest bounds."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, pi
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import AnyNet, Family, How, Phase
from ilk.families._autoencoding import Autoencoding
from ilk.families._denoising import pictures
from ilk.families._labelled import Bounded
from ilk.families._likelihood_of import Sort, likelihood, refuses, shape_of
from ilk.families._likelihoods import Variance
from ilk.families._perceptual import Looks
from ilk.families._searched import Search
from ilk.families._vae_units import Units, collapsed, divergence
from ilk.nets._context import Context
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.space import Space

CHUNK, LOOK = 512, 2000


class Vae(Autoencoding["VAE"], Bounded["VAE"]):
    """p(x | z) from a network, z standard normal, q(z | x) from another (Kingma & Welling 2014; Rezende et al. 2014)."""

    def build_net(self) -> None:
        """The encoder gives means and log variances."""
        f = self.family
        self.make(f.net, likelihood(f.likelihood, self.space, f.variance), f.codes, 2 * f.codes)
        self.looks = Looks(self.likelihood.inputs) if f.perceptual else None
        self.warmth = 1.0

    def prepare(self, data: Source) -> None:
        """Scales, shares of labels, and features if pictures are to look alike."""
        super().prepare(data)
        if self.looks is not None:
            few = data.take(torch.arange(min(len(data), LOOK)))
            self.looks.learn(self.likelihood.shown(self.raw(few)))

    def phases(self) -> Sequence[Phase]:
        """The negative bound, or what the options make of it."""
        return [Phase("vae", self.parameters, self._loss, before=self._warm)]

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Trains; says so if the codes turn out to say nothing."""
        super().fit(data, run, valid)
        if said := collapsed(self.units(data), self.family):
            run.emit(Noted(said))

    @torch.no_grad()
    def units(self, data: Source) -> Units:
        """How much each code says of some of these items."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        return Units.of(*self.posterior(few))

    # learning

    def _warm(self, fraction: float) -> None:
        self.warmth = min(1.0, fraction / self.family.warm_up) if self.family.warm_up else 1.0

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        return self._objective(batch, rng, self.family.beta * self.warmth)

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """The loss as it is once warm."""
        return self._objective(batch, rng, self.family.beta)

    def _objective(self, batch: Batch, rng: Rng, weight: float) -> Tensor:
        """-E log p(x | z) + weight KL (Higgins et al. 2017); of several draws, minus the log of their mean importance (Burda et al. 2016, eq. 8)."""
        k, (mean, log_var) = self.family.importance, self.posterior(batch)
        noise = rng.child("z").normal(len(batch), k, self.codes).to(mean)
        z = mean[:, None] + (0.5 * log_var).exp()[:, None] * noise
        y = self._heard(batch, z)
        fits = self._fits(batch, y, k) - self.family.perceptual * self._unlike(batch, y, k)
        if k == 1:
            return weight * self._toll(divergence(mean, log_var)) - fits[:, 0]
        ratio = normal(z) - normal(noise) + 0.5 * log_var.double().sum(1)[:, None]
        return log(k) - (fits + weight * ratio).logsumexp(1)

    def _toll(self, kl: Tensor) -> Tensor:
        """KL an item, of each code at least `free_bits` in the mean over the batch (Kingma et al. 2016, appendix C)."""
        least = self.family.free_bits
        return kl.where(kl.mean(0) > least, torch.full_like(kl, least)).sum(1) if least else kl.sum(1)

    def _heard(self, batch: Batch, z: Tensor) -> Tensor:
        """What the decoder says of k codes an item, (B, k, codes) -> (B k, *outputs)."""
        about = self.said(batch)
        return self.through(self.decoder, z.flatten(0, 1), None if about is None else about.repeat_interleave(z.shape[1], 0))

    def _fits(self, batch: Batch, y: Tensor, k: int) -> Tensor:
        """log p(x | z) in the data's units, (B, k)."""
        return self.likelihood.log_prob(y, self.raw(batch).repeat_interleave(k, 0)).reshape(len(batch), k)

    def _unlike(self, batch: Batch, y: Tensor, k: int) -> Tensor | float:
        """How far the mean item looks from the item (Johnson et al. 2016), (B, k): a term of training, never of a score."""
        if self.looks is None:
            return 0.0
        shown = self.likelihood.shown(self.raw(batch)).repeat_interleave(k, 0)
        return self.looks(shown, self.likelihood.expected(y)).reshape(len(batch), k)  # type: ignore[no-any-return]

    # codes

    def posterior(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), each (B, codes)."""
        x = self.likelihood.shown(self.raw(batch))
        mean, log_var = self.through(self.encoder, x, self.said(batch)).chunk(2, 1)
        return mean, log_var.clamp(-12, 8)

    @torch.no_grad()
    def infer(self, batch: Batch, rng: Rng) -> tuple[Batch, Tensor]:
        """Codes from q(z | x) and their log density."""
        return self._drawn(batch, self.posterior(batch), rng)

    def _drawn(self, batch: Batch, posterior: tuple[Tensor, Tensor], rng: Rng) -> tuple[Batch, Tensor]:
        mean, log_var = posterior
        noise = rng.normal(len(batch), self.codes).to(mean)
        return Batch(mean + (0.5 * log_var).exp() * noise, context=batch.context), normal(noise) - 0.5 * log_var.double().sum(1)

    @torch.no_grad()
    def log_likelihood(self, batch: Batch, codes: Batch) -> Tensor:
        """log p(x | z) in the data's units."""
        return self._fits(batch, self._heard(batch, codes.tensor[:, None]), 1)[:, 0]

    @torch.no_grad()
    def emit(self, codes: Batch, rng: Rng) -> Batch:
        """Items of p(x | z), noise included."""
        return self.items(self.likelihood.sample(self.heard(codes), rng))

    @torch.no_grad()
    def encode(self, batch: Batch) -> Batch:
        """The mean code of each item."""
        return Batch(self.posterior(batch)[0])

    # scores

    def bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Importance-weighted bound (Burda et al. 2016) with `draws` draws."""
        posterior, weights = self.posterior(batch), []
        for k in range(self.family.draws):
            codes, log_q = self._drawn(batch, posterior, rng.child("draw", k))
            weights.append(self.log_likelihood(batch, codes) + normal(codes.tensor) - log_q)
        return torch.stack(weights).logsumexp(0) - log(self.family.draws)

    # samples

    def search(self) -> Search:
        """Codes to means of items."""
        def mean(z: Tensor, about: Mapping[str, Batch]) -> Tensor:
            return self.likelihood.expected(self.heard(Batch(z, context=about))).flatten(1)
        return Search(self.codes, mean, lambda z, about, rng: self.emit(Batch(z, context=about), rng), lambda x: self.likelihood.shown(self.raw(Batch(x))))

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        return self.emit(Batch(rng.child("z").normal(n, self.codes).float(), context=context), rng.child("x"))


def normal(z: Tensor) -> Tensor:
    """Log density of the standard normal law over the last axis, float64."""
    return -0.5 * (z.double().square() + log(2 * pi)).sum(-1)


@dataclass(frozen=True, kw_only=True)
class VAE(Family):
    """Variational autoencoder with `codes` latent numbers; `draws` importance samples make its bound.

    The likelihood is Gaussian for reals, Bernoulli for bits, logistic for whole numbers in arrays; "logistic", "logistics" (a mixture of
    them) and "categorical" take any whole numbers, with and without an order. `net` is a recipe of ilk.nets, or any callable from Port to nn.Module.

    >>> from ilk.space import Reals
    >>> model = VAE(codes=2).build(Reals((3,)), Rng(0))
    >>> model.log_prob_bound(Batch(torch.zeros(4, 3)), Rng(1)).shape
    torch.Size([4])
    """

    distribution = Vae
    codes: Annotated[int, Interval(ge=1, le=4096), Tried(8, 16, 32)] = 16
    draws: Annotated[int, Interval(ge=1, le=10_000)] = 16
    net: AnyNet = None
    likelihood: Sort = "auto"
    variance: Variance = "learned"
    beta: Annotated[float, Interval(gt=0, le=10_000), Tried(0.3, 1.0)] = 1.0
    free_bits: Annotated[float, Interval(ge=0, le=100)] = 0.0
    warm_up: Annotated[float, Interval(ge=0, le=1)] = 0.0
    importance: Annotated[int, Interval(ge=1, le=1000)] = 1
    perceptual: Annotated[float, Interval(ge=0, le=1000)] = 0.0

    def refuses(self, space: Space) -> str | None:
        """Anything but arrays of numbers that the likelihood is of; free bits of several draws."""
        if self.free_bits and self.importance > 1:
            return "takes free bits of the KL of one draw: with importance > 1 there is none"
        if self.perceptual and not pictures(shape_of(space)):
            return "takes a perceptual term of pictures (channels, height, width) only"
        return refuses(self.likelihood, space)

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
