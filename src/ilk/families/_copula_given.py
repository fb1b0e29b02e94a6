"""A copula of numbers with some known: Gaussian conditioning of their scores."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, log, pi
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.coding import Cumulates
from ilk.distribution import How, Marginal
from ilk.families._gmm_each import GaussianCompletion
from ilk.families._margins import Margin
from ilk.families._mixed import Part
from ilk.families._mixture_given import Asked, MixturePosterior
from ilk.families.gmm import GMM, GaussianMixture
from ilk.given import Evidence, Fix, Parts, Within
from ilk.rng import Rng
from ilk.store import State

if TYPE_CHECKING:
    from ilk.families.copula import JoinedExact


class Scored:
    """p(numbers | some kept, some in ranges): what a Gaussian of their scores says, taken back to numbers."""

    def __init__(self, whole: JoinedExact, fixed: Mapping[int, float], ranges: Mapping[int, tuple[float, float]], rng: Rng) -> None:
        self.whole, self.fixed, self.ranges = whole, fixed, ranges
        scores = {j: float(whole.margins[j].score(_one(v))) for j, v in fixed.items()}
        spans = {j: (_score(whole, j, low), _score(whole, j, high)) for j, (low, high) in ranges.items()}
        self.inner = MixturePosterior(_gaussian(whole), Asked(fixed=scores, ranges=spans), rng)
        self.volume = sum(float(_volume(whole, j, _one(v))) for j, v in fixed.items())
        self.met = replace(self.inner.met, log_mass=self.inner.met.log_mass + self.volume)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Scores, then the numbers of the same ranks; kept ones as they were asked for."""
        layout = self.whole.layout
        items = layout.split(self.inner.sample(n, rng, how))
        x = torch.stack([margin.number(items.x[:, j]) for j, margin in enumerate(self.whole.margins)], 1)
        for j, value in self.fixed.items():
            x[:, j] = value
        for j, (low, high) in self.ranges.items():
            x[:, j] = x[:, j].clamp(low, high)
        return layout.join(replace(items, x=x))

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) - log p(what is known), -inf outside the ranges."""
        items = self.whole.layout.split(batch)
        total = self.whole.log_prob(batch) - self.met.log_mass
        for j, (low, high) in self.ranges.items():
            slack = 1e-9 * (1 + items.x[:, j].abs())
            total = total.where((items.x[:, j] >= low - slack) & (items.x[:, j] <= high + slack), -inf)
        return total


@dataclass(frozen=True, eq=False)
class Ranked:
    """A number of each item by the law of its score."""

    margin: Margin
    score: Cumulates

    def quantile(self, level: float) -> Tensor:
        """The number of the same rank, (m,)."""
        return self.margin.number(self.score.quantile(level))

    def below(self, x: Tensor) -> Tensor:
        """The mass below each of some numbers of every item, (m, numbers)."""
        return self.score.below(self.margin.score(x.flatten()).reshape(x.shape))


class ScoredEach:
    """p(unknown numbers | known ones) of each item."""

    ess = None

    def __init__(self, whole: JoinedExact, batch: Batch, known: Tensor, rng: Rng) -> None:
        self.whole, self.known, self.items = whole, whole.layout.known(known)[0], whole.layout.split(batch)
        z = [margin.score(self.items.x[:, j]) for j, margin in enumerate(whole.margins)]
        self.inner = GaussianCompletion(_gaussian(whole), whole.layout.join(replace(self.items, x=torch.stack(z, 1))), known, Asked(), rng)
        volume = torch.stack([_volume(whole, j, self.items.x[:, j]) for j in range(len(z))], 1)
        self.log_mass = self.inner.log_mass + (volume * self.known).sum(1)

    def draw(self, rng: Rng) -> Batch:
        """Scores, then the numbers of the same ranks."""
        layout = self.whole.layout
        made = layout.split(self.inner.draw(rng)).x
        x = torch.stack([margin.number(made[:, j]) for j, margin in enumerate(self.whole.margins)], 1)
        return layout.join(replace(self.items, x=self.items.x.where(self.known, x)))

    def marginals(self) -> list[Marginal]:
        """By the laws of the scores."""
        laws = zip(self.whole.layout.places(), self.inner.marginals(), strict=True)
        return [Ranked(self.whole.margins[j], law) for (_, j), law in laws if isinstance(law, Cumulates)]


def scored(whole: JoinedExact, evidence: Evidence, rng: Rng) -> Scored | None:
    """The evidence by column; None for a sort that says nothing of numbers."""
    known: Mapping[str, Evidence] = evidence.of if isinstance(evidence, Parts) else {"": evidence}
    places: dict[str, Part] = {p.name: p for p in whole.layout.parts}
    fixed, ranges = dict[int, float](), dict[int, tuple[float, float]]()
    for name, one in known.items():
        first = places[name].first
        if isinstance(one, Fix):
            fixed |= {first + i: v for i, v in one.values.items()}
        elif isinstance(one, Within):
            ranges |= {first + i: r for i, r in one.ranges.items()}
        else:
            return None
    return Scored(whole, fixed, ranges, rng)


def _one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def _score(whole: JoinedExact, j: int, end: float) -> float:
    return end if abs(end) == inf else float(whole.margins[j].score(_one(end)))


def _volume(whole: JoinedExact, j: int, x: Tensor) -> Tensor:
    """log of how fast the score grows at a number."""
    margin = whole.margins[j]
    return margin.log_density(x) + 0.5 * margin.score(x).square() + 0.5 * log(2 * pi)


def _gaussian(whole: JoinedExact) -> GaussianMixture:
    """The law of the scores, over the same space."""
    d = len(whole.correlation)
    zero, none = torch.zeros(d, dtype=torch.float64), torch.zeros(1, 0, dtype=torch.float64)
    body = GaussianMixture(GMM(components=1), whole.space, Rng(0), {})
    body.restore(State({"log_weight": torch.zeros(1, dtype=torch.float64), "mean": zero[None], "cov": whole.correlation[None], "log_there": none, "log_gone": none,
                        "center": zero, "scale": torch.ones_like(zero)}))
    return body
