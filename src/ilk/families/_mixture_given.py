"""A mixture once something is known: the same mixture with other weights, laws and a conditional Gaussian."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
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
    from ilk.families.gmm import Mixture

STEP = 2.0**-52


@dataclass
class Asked:
    """Evidence by column: fixed numbers, ranges of numbers, weights of categories, weights (there, missing) of parts."""

    fixed: dict[int, float] = field(default_factory=dict)
    ranges: dict[int, tuple[float, float]] = field(default_factory=dict)
    weights: dict[int, Tensor] = field(default_factory=dict)
    presence: dict[int, tuple[float, float]] = field(default_factory=dict)


def asked(mixture: Mixture, evidence: Evidence) -> Asked | None:
    """The evidence in standardised units; None for a sort that has no exact answer here."""
    known: Mapping[str, Evidence] = evidence.of if isinstance(evidence, Parts) else {"": evidence}
    places = {p.name: p for p in mixture.layout.parts}
    said = Asked()
    for name, one in known.items():
        if not _said(mixture, places[name], one, said):
            return None
    several = len(said.ranges) > 1 and not isinstance(mixture.law.gauss, Diagonal)
    return None if several else said


def _said(mixture: Mixture, part: Part, one: Evidence, said: Asked) -> bool:
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
    """p(x | evidence) of a mixture, exactly: components weighed by how well they explain what is known."""

    def __init__(self, whole: Mixture, said: Asked) -> None:
        self.whole, self.said = whole, said
        d = whole.layout.width
        self.kept = torch.zeros(d, dtype=torch.bool)
        self.kept[list(said.fixed)] = True
        self.value = torch.tensor([said.fixed[i] for i in sorted(said.fixed)], dtype=torch.float64)
        law = whole.law
        weight = law.log_weight + (law.gauss.marginal(self.kept).log_density(self.value[None])[:, 0] if said.fixed else 0.0)
        self.free = law.gauss.given(self.kept, self.value) if said.fixed else law.gauss
        weight = weight + self._ranges()
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
        self.met = Met("exact", float(weight.logsumexp(0)) - jacobian)

    def _ranges(self) -> Tensor:
        """log P(in range | component), and the truncated laws for `sample`."""
        self.at = {self._place(i): r for i, r in self.said.ranges.items()}
        total = torch.zeros(len(self.whole.law.log_weight), dtype=torch.float64)
        for i, (low, high) in self.at.items():
            a, b = self._standard(i, low), self._standard(i, high)
            total += log_between(a, b)
        return total

    def _place(self, i: int) -> int:
        return i - int(self.kept[:i].sum())

    def _standard(self, i: int, bound: float) -> Tensor:
        return (torch.tensor(bound, dtype=torch.float64) - self.free.mean[:, i]) / self.free.variance()[:, i].sqrt()

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A component by its share of the evidence, then its parts."""
        layout = self.whole.layout
        which = rng.child("which").pick(self.log_weight, n)
        loose = self.free.draw(which, rng.child("noise").normal(n, self.free.mean.shape[1]))
        for i, (low, high) in self.at.items():
            a, b = self._standard(i, low)[which], self._standard(i, high)[which]
            z = between(a, b, rng.child("range", i).uniform(n))
            value = self.free.mean[which, i] + z * self.free.variance()[which, i].sqrt()
            gain = self.free.along(i)[which] / self.free.variance()[which, i, None]
            loose = loose + gain * (value - loose[:, i])[:, None]
            loose[:, i] = value.clamp(low, high)
        x = torch.empty(n, layout.width, dtype=torch.float64)
        x[:, ~self.kept], x[:, self.kept] = loose, self.value.expand(n, -1)
        codes = torch.zeros(n, len(layout.sizes), dtype=torch.long)
        noise = rng.child("codes").uniform(n, len(layout.sizes))
        for j, table in enumerate(self.tables):
            codes[:, j] = choose(table[which], noise[:, j])
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
    top, low = torch.special.log_ndtr(b), torch.special.log_ndtr(a)
    return top + torch.log1p(-(low - top).exp().clamp_max(1.0))


def between(a: Tensor, b: Tensor, u: Tensor) -> Tensor:
    """A standard normal inside (a, b) by inverse CDF, from the tail that is nearer."""
    flip = a > 0
    low, high = torch.where(flip, -b, a), torch.where(flip, -a, b)
    p, q = torch.special.ndtr(low), torch.special.ndtr(high)
    z = torch.special.ndtri((p + u * (q - p)).clamp(1e-300, 1 - STEP))
    z = torch.minimum(torch.maximum(z, low), high)
    return torch.where(flip, -z, z)

