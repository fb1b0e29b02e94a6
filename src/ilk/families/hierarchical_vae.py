"""Hierarchical variational autoencoder: levels of codes, each given those above; pictures by convolutions at several sizes."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log, prod
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Family, How, Phase, Plan, Unfinished
from ilk.families._labelled import CHUNK, Bounded, Labelled
from ilk.families._ladder import Ladder, Sizes, sides_of
from ilk.families._likelihood_of import Sort, likelihood, refuses
from ilk.given import About, Evidence
from ilk.nets._context import Context
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Noted, Run
from ilk.space import Space

LOOK, SEEN = 20_000, 2000
Code = tuple[Tensor, Tensor, Tensor]


class HierarchicalVae(Bounded["HierarchicalVAE"]):
    """p(x, z) = p(x | z) prod p(z_l | z above), q(z | x) = prod q(z_l | z above, x), both from the top down.

    Each z_l is an affine map of u_l by what is above; u_l is standard normal under p, so codes are drawn and compared as u.
    """

    def build_net(self) -> None:
        """The law of items, the context, and the ladder of levels between."""
        f, self.likelihood, self.context = self.family, likelihood(self.family.likelihood, self.space), Context(self.about)
        takes = self.likelihood.inputs
        sides = sides_of(takes, f.levels)
        self.sizes = Sizes(f.width or (32 if sides[0] else min(256, max(32, 4 * prod(takes)))), f.codes, sides, f.dropout)
        self.ladder = Ladder(takes, self.likelihood.outputs, self.context.width, self.sizes)

    def prepare(self, data: Source) -> None:
        """Scales of numbers, and how common every label is, from at most 20,000 items."""
        few = data.take(torch.arange(min(len(data), LOOK)))
        self.likelihood.prepare(self._raw(few))
        self.context.prepare(few.context)

    def phases(self) -> Sequence[Phase]:
        """The negative evidence lower bound, with free nats."""
        return [Phase("hierarchical_vae", self.parameters, self._loss)]

    def plan(self, items: int) -> Plan:
        """Enough passes for small data, fewer over many pictures; weights averaged."""
        picture = bool(self.sizes.sides[0])
        batch = int(min(64 if picture else 256, max(32, items // 20)))
        per = max(1, items // batch)
        steps = int(min(max(1500, 20 * per), 5000) if picture else min(max(1500, 60 * per), 20_000))
        return Plan(steps=steps, batch=batch, rate=3e-3, weight_decay=1e-3, ema=0.995, evaluate_every=max(50, steps // 40))

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        """A level that says less than `free` nats of an item costs as much, so that none is given up (Kingma et al. 2016)."""
        nats, kl = self._parts(batch, rng)
        return kl.clamp_min(self.family.free).sum(1) - nats

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """The negative evidence lower bound itself."""
        nats, kl = self._parts(batch, rng)
        return kl.sum(1) - nats

    def _raw(self, batch: Batch) -> Tensor:
        """Items with an axis at least."""
        return batch.tensor.reshape(len(batch), *self.likelihood.shape)

    def _parts(self, batch: Batch, rng: Rng) -> tuple[Tensor, Tensor]:
        """log p(x | z) for a z of q, (B,), and the KL of each level, (B, levels); their difference is the bound."""
        x, about = self._raw(batch), self.told(batch.context)
        y, codes = self._inferred(self.ladder.features(self.likelihood.shown(x), about), about, rng)
        kl = [0.5 * (mean.square() + log_var.exp() - 1 - log_var).flatten(1).double().sum(1) for mean, log_var, _ in codes]
        return self.likelihood.log_prob(y, x), torch.stack(kl, 1)

    def _inferred(self, seen: list[Tensor], about: Tensor | None, rng: Rng) -> tuple[Tensor, list[Code]]:
        """What the decoder says of codes of q, and these: of each level mean, log variance and noise."""
        codes: list[Code] = []

        def told(level: int, above: Tensor) -> Tensor:
            mean, log_var = self.ladder.guess(level, above, seen)
            codes.append((mean, log_var, self._noise(rng, level, len(mean))))
            return mean + (0.5 * log_var).exp() * codes[-1][2]

        return self.ladder.descend(len(seen[0]), about, told), codes

    def _noise(self, rng: Rng, level: int, n: int) -> Tensor:
        shape = (self.sizes.codes, *self.sizes.sides[level])
        return rng.child("level", level).normal(n, *shape).float().to(self.ladder.start.device)

    def bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Importance-weighted (Burda et al. 2016) with `draws` draws, (B,) nats."""
        x, about = self._raw(batch), self.told(batch.context)
        seen, weights = self.ladder.features(self.likelihood.shown(x), about), []
        for k in range(self.family.draws):
            y, codes = self._inferred(seen, about, rng.child("draw", k))
            ratio = [-0.5 * (mean + (0.5 * log_var).exp() * noise).square() + 0.5 * (noise.square() + log_var) for mean, log_var, noise in codes]
            weights.append(self.likelihood.log_prob(y, x) + sum(r.flatten(1).double().sum(1) for r in ratio))
        return torch.stack(weights).logsumexp(0) - log(self.family.draws)

    @torch.no_grad()
    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Codes from the top down, then items of p(x | codes), noise included."""
        about = self.told(context)
        y = self.ladder.descend(n, about, lambda level, above: self._noise(rng, level, n))
        return Batch(self.likelihood.sample(y, rng.child("x")).reshape(n, *self.space.shape))  # type: ignore[union-attr]

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """Level by level from the top."""
        if since is not None:
            return self.levels(n, rng, since.items.context, since)
        return self.levels(n, rng, self.context.draw(n, rng) if self.about else {}, None)

    @torch.no_grad()
    def levels(self, n: int, rng: Rng, context: Mapping[str, Batch], since: Unfinished | None) -> Iterator[Unfinished]:
        """Items given their context, the levels that are still to come in the middle of their law."""
        about, of = self.told(context), len(self.sizes.sides)
        codes = {} if since is None else dict(since.way)
        for step in range(0 if since is None else since.step + 1, of + 1):
            if step:
                codes[f"{step - 1}"] = self._noise(rng, step - 1, n)
            y = self.ladder.descend(n, about, lambda level, above: codes.get(f"{level}", torch.zeros(n, self.sizes.codes, *self.sizes.sides[level])))
            made = Batch(self.likelihood.sample(y, rng.child("x")).reshape(n, *self.space.shape), context=context)  # type: ignore[union-attr]
            yield Unfinished(made, step, of, dict(codes))

    def given(self, evidence: Evidence, rng: Rng) -> Labelled | None:
        """p(x | context)."""
        return Levelled(self, evidence.context) if isinstance(evidence, About) else None

    @torch.no_grad()
    def kl(self, batch: Batch, rng: Rng) -> Tensor:
        """KL(q || p) of every level from the top, in nats, (B, levels)."""
        return torch.cat([self._parts(batch.cut(i, i + CHUNK), rng.at(i))[1] for i in range(0, len(batch), CHUNK)])

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """The training loop; says at the end what every level is worth."""
        super().fit(data, run, valid)
        kl = self.kl(data.take(torch.arange(min(len(data), SEEN))), run.rng.child("kl")).mean(0)
        run.emit(Noted(f"nats by level, the top first: {', '.join(f'{nats:.2f}' for nats in kl.tolist())}"))


class Levelled(Labelled):
    """The model with its context known."""

    whole: HierarchicalVae

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """Level by level from the top."""
        return self.whole.levels(n, rng, self._said(n), since)


@dataclass(frozen=True, kw_only=True)
class HierarchicalVAE(Family):
    """Hierarchical variational autoencoder of `levels` levels, each of `codes` numbers (for pictures, at each place of its grid).

    `levels` None: one for each size of a picture, else two. `width` None suits the data. `free` nats of a level cost nothing in
    training. `draws` importance samples make the bound. `likelihood`: "gaussian" for real numbers, "logistic" for whole ones such as
    the levels of pictures; two values are Bernoulli.

    >>> from ilk.space import Discrete
    >>> model = HierarchicalVAE(levels=2, width=16).build(Discrete(2, (1, 8, 8)), Rng(0))
    >>> model.log_prob_bound(Batch(torch.zeros(4, 1, 8, 8, dtype=torch.long)), Rng(1)).shape
    torch.Size([4])
    """

    distribution = HierarchicalVae
    levels: Annotated[int, Interval(ge=2, le=32)] | None = None
    codes: Annotated[int, Interval(ge=1, le=1024), Tried(4, 8, 16)] = 8
    width: Annotated[int, Interval(ge=1, le=4096)] | None = None
    draws: Annotated[int, Interval(ge=1, le=10_000)] = 16
    free: Annotated[float, Interval(ge=0, le=1000), Tried(0.0, 1.0)] = 1.0
    dropout: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    likelihood: Sort = "auto"

    def refuses(self, space: Space) -> str | None:
        """Anything but arrays of numbers that the likelihood is of."""
        return refuses(self.likelihood, space)

    def refuses_context(self, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
