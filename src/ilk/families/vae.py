"""Variational autoencoder: a smooth latent code, Gaussian or Bernoulli likelihood, conditional on labels, honest bounds."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, pi, prod
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn.functional import softplus

from ilk.batch import Batch, Source
from ilk.distribution import AnyNet, Family, How, Met, Neural, Phase, Plan, Port
from ilk.given import About, Evidence
from ilk.nets._context import Context
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.space import Discrete, Reals, Space

CHUNK, LOOK = 512, 20_000


class Vae(Neural["VAE"]):
    """p(x | z) from a network, z standard normal, q(z | x) from another (Kingma & Welling 2014; Rezende et al. 2014)."""

    center: Tensor
    scale: Tensor

    def build_net(self) -> None:
        """Encoder and decoder over the flat or shaped items; scales and the law of labels are buffers."""
        f, space = self.family, self.space
        self.binary = isinstance(space, Discrete)
        self.shape: tuple[int, ...] = getattr(space, "shape", ())
        self.context = Context(self.about)
        about = self.context.width
        net = f.net or MLP(width=256, depth=2)
        takes = self.shape or (1,)
        self.encoder = net(Port("encode", takes, (2 * f.codes,), about))
        self.decoder = net(Port("decode", (f.codes,), takes, about))
        self.log_var = nn.Parameter(torch.zeros(takes), requires_grad=not self.binary)
        self.register_buffer("center", torch.zeros(takes))
        self.register_buffer("scale", torch.ones(takes))

    def prepare(self, data: Source) -> None:
        """Centre and scale of every number, and how common every label is, from at most 20,000 items."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        if not self.binary:
            x = few.tensor.double().reshape(len(few), *self.center.shape)
            spread = x.std(0, correction=0)
            self.center.copy_(x.mean(0))
            self.scale.copy_(spread.where(spread > 1e-6 * (1 + x.mean(0).abs()), torch.ones_like(spread)))
        self.context.prepare(few.context)

    def phases(self) -> Sequence[Phase]:
        """The negative evidence lower bound."""
        return [Phase("vae", self.parameters, self._loss)]

    def plan(self, items: int) -> Plan:
        """Enough passes for small data; weights averaged."""
        batch = int(min(256, max(32, items // 20)))
        per = max(1, items // batch)
        steps = int(min(max(1500, 60 * per), 20_000))
        return Plan(steps=steps, batch=batch, rate=2e-3, weight_decay=1e-3, ema=0.995, evaluate_every=max(50, steps // 40))

    def posterior(self, x: Tensor, about: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), each (B, codes)."""
        mean, log_var = self._through(self.encoder, x, about).chunk(2, 1)
        return mean, log_var.clamp(-12, 8)

    def reconstruction(self, x: Tensor, z: Tensor, about: Tensor | None) -> Tensor:
        """log p(x | z) of standardised or binary x, (B,)."""
        y = self._through(self.decoder, z, about)
        if self.binary:
            return -(softplus(y) - x * y).flatten(1).double().sum(1)
        log_var = self.noise()
        return (-0.5 * ((x - y).square() * (-log_var).exp() + log_var + log(2 * pi))).flatten(1).double().sum(1)

    def _through(self, net: nn.Module, x: Tensor, about: Tensor | None) -> Tensor:
        """What a network says, in the number format of x: it may compute in another."""
        kind = self.log_var.dtype
        out: Tensor = net(x.to(kind)) if about is None else net(x.to(kind), about.to(kind))
        return out.to(x.dtype)

    def noise(self) -> Tensor:
        """Log variance of every number around its mean. It is learned in eighths, so that it keeps up with the networks."""
        return (8 * self.log_var).clamp(-14, 4)

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        x, about = self._standard(batch), self._context(batch)
        mean, log_var = self.posterior(x, about)
        z = mean + (0.5 * log_var).exp() * self._noise(rng.child("z"), len(x))
        kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).double().sum(1)
        return self._volume() - self.reconstruction(x, z, about) + kl

    def _standard(self, batch: Batch) -> Tensor:
        x = batch.tensor.reshape(len(batch), *self.log_var.shape)
        return x.float() if self.binary else ((x - self.center) / self.scale).float()

    def _volume(self) -> float:
        return 0.0 if self.binary else float(self.scale.double().log().sum())

    def _context(self, batch: Batch) -> Tensor | None:
        return self.context(batch.context) if self.about else None

    def _noise(self, rng: Rng, n: int) -> Tensor:
        return rng.normal(n, self.family.codes).float().to(self.log_var.device)

    @torch.no_grad()
    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Importance-weighted bound (Burda et al. 2016) with `draws` draws, in nats, (B,) float64.

        Items without labels are bounded by the sum over labels, each at its share.
        """
        if self.about and not batch.context:
            found = [self.log_prob_bound(replace(batch, context=said), rng) + share for said, share in self.context.every(len(batch))]
            return torch.stack(found).logsumexp(0)
        parts = [self._bound(batch.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(batch), CHUNK)]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)

    def _bound(self, batch: Batch, rng: Rng) -> Tensor:
        x, about = self._standard(batch), self._context(batch)
        mean, log_var = self.posterior(x, about)
        weights = []
        for k in range(self.family.draws):
            noise = self._noise(rng.child("draw", k), len(x))
            z = mean + (0.5 * log_var).exp() * noise
            prior = -0.5 * z.double().square().sum(1)
            proposal = -0.5 * (noise.double().square() + log_var.double()).sum(1)
            weights.append(self.reconstruction(x, z, about) + prior - proposal)
        return torch.stack(weights).logsumexp(0) - log(self.family.draws) - self._volume()

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Codes from the prior (labels by their shares), then items from p(x | z), noise included."""
        return self.draw(n, rng, self.context.draw(n, rng) if self.about else {})

    @torch.no_grad()
    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        about = self._context(Batch(torch.zeros(n), context=context))
        z = self._noise(rng.child("z"), n)
        y = self.decoder(z, about) if about is not None else self.decoder(z)
        if self.binary:
            return Batch((rng.child("x").uniform(n, *y.shape[1:]).to(y.device) < y.double().sigmoid()).long().reshape(n, *self.shape))
        noise = rng.child("x").normal(n, *y.shape[1:]).to(y.device)
        x = y.double() + (0.5 * self.noise()).exp().double() * noise
        return Batch((x * self.scale + self.center).reshape(n, *self.shape))

    def given(self, evidence: Evidence, rng: Rng) -> Labelled | None:
        """p(x | label); nothing else can be met exactly."""
        return Labelled(self, evidence.context) if isinstance(evidence, About) else None

    @torch.no_grad()
    def encode(self, batch: Batch) -> Batch:
        """The mean code of each item."""
        return Batch(self.posterior(self._standard(batch), self._context(batch))[0])

    @torch.no_grad()
    def decode(self, codes: Batch) -> Batch:
        """The mean item of each code."""
        about = self._context(codes)
        y = self.decoder(codes.tensor.float(), about) if about is not None else self.decoder(codes.tensor.float())
        if self.binary:
            return Batch((y > 0).long().reshape(len(codes), *self.shape))
        return Batch((y.double() * self.scale + self.center).reshape(len(codes), *self.shape))

    def code_space(self) -> Space:
        """Vectors of `codes` numbers."""
        return Reals((self.family.codes,))


class Labelled:
    """A VAE with its label known."""

    def __init__(self, whole: Vae, context: Mapping[str, Batch]) -> None:
        self.whole, self.context, self.met = whole, context, Met("exact")

    def _said(self, n: int) -> dict[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items of this label."""
        return self.whole.draw(n, rng, self._said(n))

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Bound on log p(x | label)."""
        return self.whole.log_prob_bound(replace(batch, context=self._said(len(batch))), rng)


@dataclass(frozen=True, kw_only=True)
class VAE(Family):
    """Variational autoencoder with `codes` latent numbers; `draws` importance samples make its bound.

    Real items get a Gaussian likelihood with a learned variance per number, binary ones a Bernoulli likelihood. `net` is
    a recipe of ilk.nets, or any callable from Port to nn.Module.

    >>> model = VAE(codes=2, net=MLP(width=16)).build(Reals((3,)), Rng(0))
    >>> model.log_prob_bound(Batch(torch.zeros(4, 3)), Rng(1)).shape
    torch.Size([4])
    """

    distribution = Vae
    codes: Annotated[int, Interval(ge=1, le=4096)] = 16
    draws: Annotated[int, Interval(ge=1, le=10_000)] = 16
    net: AnyNet = None

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals and binary Discrete."""
        fits = isinstance(space, Reals) or (isinstance(space, Discrete) and bool(space.shape) and set(space.each) <= {1, 2} and prod(space.shape) > 0)
        return None if fits else "takes Reals, or Discrete of two values"

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
