"""A mixture once something is known: the same mixture with other weights, laws and a conditional Gaussian."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, log
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met
from ilk.families._gaussians import Diagonal
from ilk.families._mixed import Items, Part
from ilk.given import Evidence, Fix, Parts, Presence, Weigh, Within
from ilk.rng import Rng, choose
from ilk.space import Reals

if TYPE_CHECKING:
    from ilk.families.gmm import GaussianMixture

STEP, PARTICLES, TRIES = 2.0**-52, 1000, 32


@dataclass
class Asked:
    """Evidence by column: fixed numbers, ranges of numbers, weights of categories, weights (there, missing) of parts."""

    fixed: dict[int, float] = field(default_factory=dict)
    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)
    weights: dict[int, Tensor] = field(default_factory=dict)
    presence: dict[int, tuple[float, float]] = field(default_factory=dict)


def asked(mixture: GaussianMixture, evidence: Evidence) -> Asked | None:
    """The evidence in standardised units; None for a sort that has no exact answer here."""
    known: Mapping[str, Evidence] = evidence.of if isinstance(evidence, Parts) else {"": evidence}
    places = {p.name: p for p in mixture.layout.parts}
    said = Asked()
    for name, one in known.items():
        if not _said(mixture, places[name], one, said):
            return None
    return said


def _said(mixture: GaussianMixture, part: Part, one: Evidence, said: Asked) -> bool:
    if isinstance(one, Presence):
        if part.bit < 0:
            return False
        said.presence[part.bit] = (one.there, one.missing)
        if one.of is not None and one.missing > -inf:
            return False
        return one.of is None or _said(mixture, part, one.of, said)
    if isinstance(one, Weigh) and not isinstance(part.atom, Reals):
        said.weights |= {part.first + i: table.double() for i, table in one.tables.items()}
        return True
    if isinstance(one, Fix | Within) and isinstance(part.atom, Reals):
        c, s = mixture.center, mixture.scale
        if isinstance(one, Fix):
            said.fixed |= {(j := part.first + i): float((v - c[j]) / s[j]) for i, v in one.values.items()}
        else:
            said.ranges |= {(j := part.first + i): (float((a - c[j]) / s[j]), float((b - c[j]) / s[j])) for i, (a, b) in one.ranges.items()}
        return True
    return False


class MixturePosterior:
    """p(x | evidence) of a mixture: components weighed by how well they explain what is known. Exact, but for boxes of
    several correlated numbers."""

    def __init__(self, whole: GaussianMixture, said: Asked, rng: Rng) -> None:
        self.whole, self.said = whole, said
        d = whole.layout.width
        self.kept = torch.zeros(d, dtype=torch.bool)
        self.kept[list(said.fixed)] = True
        self.value = torch.tensor([said.fixed[i] for i in sorted(said.fixed)], dtype=torch.float64)
        law = whole.law
        weight = law.log_weight + (law.gauss.marginal(self.kept).log_density(self.value[None])[:, 0] if said.fixed else 0.0)
        self.free = law.gauss.given(self.kept, self.value) if said.fixed else law.gauss
        inside = self._box(rng)
        weight = weight + inside.logsumexp(1) - log(inside.shape[1])
        self.tables = []
        for j, table in enumerate(law.tables):
            tilted = table + said.weights[j] if j in said.weights else table
            norm = tilted.logsumexp(1, keepdim=True)
            weight = weight + norm[:, 0]
            self.tables.append(tilted - norm.where(norm > -inf, 0.0))
        self.there = law.log_there.exp()
        for bit, (there, gone) in said.presence.items():
            both = torch.stack([law.log_there[:, bit] + there, law.log_gone[:, bit] + gone])
            weight = weight + both.logsumexp(0)
            self.there[:, bit] = both.softmax(0)[0].nan_to_num(0.0)
        self.log_weight = weight
        jacobian = float(whole.scale[list(said.fixed)].log().sum())
        self.met = self._met(inside, float(weight.logsumexp(0)) - jacobian)

    def _met(self, inside: Tensor, log_mass: float) -> Met:
        """Exact, or an estimate with its effective sample size where a box of several correlated numbers was integrated by draws."""
        if inside.shape[1] == 1:
            return Met("exact", log_mass)
        share = (self.log_weight - inside.logsumexp(1))[:, None] + inside
        ess = float((2 * share.flatten().logsumexp(0) - (2 * share).flatten().logsumexp(0)).exp()) if log_mass > -inf else 0.0
        return Met("estimate", log_mass, max(0.0, 1 / max(ess, 1e-12) - 1 / share.numel()) ** 0.5, ess)

    def _box(self, rng: Rng) -> Tensor:
        """log P(in range | component) by one draw where that is exact, else by PARTICLES draws: (K, draws)."""
        at = [(i - int(self.kept[:i].sum()), r) for i, r in sorted(self.said.ranges.items())]
        self.where = torch.tensor([i for i, _ in at], dtype=torch.long)
        self.low, self.high = (torch.tensor([r[j] for _, r in at], dtype=torch.float64) for j in (0, 1))
        self.root, self.gain = self.free.box(self.where)
        draws = 1 if len(at) < 2 or isinstance(self.free, Diagonal) else PARTICLES
        k = len(self.root)
        u = rng.child("box").uniform(draws, len(at)).expand(k, draws, len(at))
        return self._truncated(torch.arange(k), u)[1]

    def _truncated(self, which: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Draws (n, m, r) inside the ranges of the components `which`, one number after the other, and their log weights (n, m).

        Geweke 1989, Hajivassiliou & McFadden 1998: each is truncated given those before it.
        """
        z, log_w = torch.zeros_like(u), torch.zeros(u.shape[:2], dtype=torch.float64)
        mean = self.free.mean[:, self.where]
        for j in range(u.shape[2]):
            shift = mean[which, j, None] + (self.root[which, j, :j][:, None] * z[:, :, :j]).sum(2)
            a, b = ((edge[j] - shift) / self.root[which, j, j, None] for edge in (self.low, self.high))
            z[:, :, j] = between(a, b, u[:, :, j])
            log_w += log_between(a, b)
        return mean[which][:, None] + z @ self.root[which].transpose(1, 2), log_w

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A component by its share of the evidence, then its parts."""
        return self.made(rng.child("which").pick(self.log_weight, n), rng)

    def made(self, which: Tensor, rng: Rng) -> Batch:
        """An item of each of these components, (n,)."""
        layout, n = self.whole.layout, len(which)
        loose = self.free.draw(which, rng.child("noise").normal(n, self.free.mean.shape[1]))
        if len(self.where):
            exact = self.met.sort == "exact"
            u = rng.child("range").uniform(n, 1 if exact else TRIES, len(self.where))
            inside, log_w = self._truncated(which, u)
            best = torch.zeros(n, dtype=torch.long) if exact else rng.child("best").pick(log_w, n)
            value = inside[torch.arange(n), best].clamp(self.low, self.high)
            loose = loose + (self.gain[which] @ (value - loose[:, self.where])[..., None])[..., 0]
            loose[:, self.where] = value
        x = torch.empty(n, layout.width, dtype=torch.float64)
        x[:, ~self.kept], x[:, self.kept] = loose, self.value.expand(n, -1)
        codes = torch.zeros(n, len(layout.sizes), dtype=torch.long)
        noise = rng.child("codes").uniform(n, len(layout.sizes))
        for j, table in enumerate(self.tables):
            codes[:, j] = choose(table, noise[:, j], which)
        bits = rng.child("bits").uniform(n, layout.bits) < self.there[which]
        raw = x * self.whole.scale + self.whole.center
        return layout.join(Items(raw, torch.ones_like(raw, dtype=torch.bool), codes, torch.ones_like(codes, dtype=torch.bool), bits))

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) + log weight of what is known - log p(what is known), -inf where x breaks it."""
        items = self.whole.items(batch)
        total = self.whole.log_prob(batch) - self.met.log_mass
        for j, table in self.said.weights.items():
            total = total + table[items.codes[:, j]].where(items.codes_there[:, j], 0.0)
        for bit, (there, gone) in self.said.presence.items():
            total = total + torch.tensor([gone, there], dtype=torch.float64)[items.bits[:, bit].long()]
        for i, (low, high) in self.said.ranges.items():
            slack = 1e-9
            inside = (items.x[:, i] >= low - slack) & (items.x[:, i] <= high + slack)
            total = total.where(inside, torch.tensor(-inf, dtype=torch.float64))
        return total


def log_between(a: Tensor, b: Tensor) -> Tensor:
    """log(Phi(b) - Phi(a)) without cancellation in the tails."""
    flip = a > 0
    a, b = torch.where(flip, -b, a), torch.where(flip, -a, b)
    top: Tensor = torch.special.log_ndtr(b)
    low: Tensor = torch.special.log_ndtr(a)
    return top + torch.log1p(-(low - top).exp().clamp_max(1.0))


def between(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """A standard normal inside (a, b) by inverse CDF, from the tail that is nearer."""
    flip = a > 0
    low, high = torch.where(flip, -b, a), torch.where(flip, -a, b)
    p, q = torch.special.ndtr(low), torch.special.ndtr(high)
    z = torch.special.ndtri((p + u * (q - p)).clamp(1e-300, 1 - STEP))
    z = torch.minimum(torch.maximum(z, low), high)
    return torch.where(flip, -z, z)

