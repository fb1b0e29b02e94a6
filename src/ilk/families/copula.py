"""Gaussian copula: every column by its own smooth law, joined by the correlations of their normal scores. The classic floor of tables."""
from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Distribution, Family, How
from ilk.errors import ModelError, TrainingError, UsageError
from ilk.families._copula_given import Scored, ScoredEach, scored
from ilk.families._margins import Margin, edges
from ilk.families._mixed import Items, Mixed
from ilk.families._mixture_fit import points_of, some
from ilk.families._mixture_given import between, log_between
from ilk.given import Evidence
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Began, Ended, Progress, Run
from ilk.space import Maybe, Reals, Row, Space
from ilk.store import State

MOST, ORDERED, SWEPT, WORK, LEAST = 100_000, 10_000, 20_000, 4e9, 1000   # rows: in all, that order categories, swept over; multiplications of sweeps; rows at least


class Joined(Distribution["Copula"]):
    """Standard normal numbers with correlations, one a part: numbers first, then presences, then categories, (D,).

    A number is the value of the same rank; presences and categories are the stretch of the line that the number lies in.
    """

    def __init__(self, family: Copula, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        self.layout = Mixed(space)
        self.margins = [Margin(torch.zeros(1).double(), torch.ones(1).double()) for _ in range(self.layout.width)]
        self.ranks = [torch.arange(s) for s in self.layout.sizes]
        self._cut([torch.full((s,), -log(s), dtype=torch.float64) for s in [2] * self.layout.bits + self.layout.sizes])
        self._join(torch.eye(self.layout.width + len(self.tables), dtype=torch.float64))

    def _cut(self, tables: list[Tensor]) -> None:
        """Log masses of presence (missing, there) and of categories by rank, and where they lie on the line."""
        self.tables, self.edges = tables, [edges(t) for t in tables]

    def _join(self, correlation: Tensor) -> None:
        root, bad = torch.linalg.cholesky_ex(correlation)
        if bool(bad) or not bool(torch.isfinite(root).all()):
            raise ModelError("these are no correlations", code="WEIGHTS_SHAPE")
        self.correlation, self.root = correlation, root

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Margins and normal scores of the numbers in one pass; where parts are whole numbers or missing, Gibbs sweeps over their scores (Hoff 2007)."""
        if not len(data):
            raise TrainingError("there are no items to learn from", code="EMPTY")
        run.saved()   # nothing to go on from, but a checkpoint of another fit is refused
        items = self.layout.split(data.take(some(len(data), MOST, run.rng.child("some"))))
        self.margins = [Margin.learned(items.x[items.x_there[:, j], j]) for j in range(self.layout.width)]
        self.ranks = ordered(_rows(items, some(len(items), ORDERED, run.rng.child("ordered"))), self.layout)
        self._cut([self._shares(codes, there, size) for (codes, there), size in zip(self._whole(items), [2] * self.layout.bits + self.layout.sizes, strict=True)])
        loose = [*(j for j in range(self.layout.width) if not bool(items.x_there[:, j].all())), *range(self.layout.width, self.layout.width + len(self.tables))]
        rounds = run.rounds(self.family.rounds) if loose else 0
        run.emit(Began("copula", rounds))
        self._sweep(items, loose, rounds, run)
        run.tick(self.state)
        run.emit(Ended("copula", rounds, 0.0))

    def _shares(self, codes: Tensor, there: Tensor, size: int) -> Tensor:
        count = torch.bincount(codes[there], minlength=size).double() + self.family.smoothing / size
        return (count / count.sum().clamp_min(1e-300)).log()

    def _whole(self, items: Items) -> list[tuple[Tensor, Tensor]]:
        """Presences and ranks of categories as columns of whole numbers, and where they are there."""
        always = torch.ones(len(items), dtype=torch.bool)
        ranked = [(rank[codes], there) for rank, codes, there in zip(self.ranks, items.codes.T, items.codes_there.T, strict=True)]
        return [(bit.long(), always) for bit in items.bits.T] + ranked

    def _sweep(self, items: Items, loose: list[int], rounds: int, run: Run) -> None:
        """Scores of what has none of its own, drawn given the others, and the mean of the correlations that they have in the later half."""
        d = self.layout.width + len(self.tables)
        if rounds:
            few = max(LEAST, int(min(SWEPT, WORK / (d * len(loose) * rounds))))
            items = _rows(items, some(len(items), few, run.rng.child("few")))
        z, low, high = self._scores(items)
        z = z.where(z.isfinite(), between(low, high, run.rng.child("first").uniform(*z.shape)))
        found, fixed = [self._correlated(z)], z.clone()
        since = time.monotonic()
        for r in range(rounds):
            precision = torch.linalg.inv(found[-1])
            u = run.rng.child("sweep", r).uniform(len(z), len(loose))
            for i, j in enumerate(loose):
                spread = precision[j, j] ** -0.5
                mean = z[:, j] - z @ precision[:, j] * spread.square()
                drawn = mean + spread * between((low[:, j] - mean) / spread, (high[:, j] - mean) / spread, u[:, i])
                z[:, j] = drawn.where(low[:, j] < high[:, j], fixed[:, j])
            found.append(self._correlated(z))
            run.tick(self.state)
            run.emit(Progress(r + 1, (r + 1) / rounds))
            if run.spent(since):
                break
        self._join(torch.stack(found[len(found) // 2:]).mean(0))

    def _correlated(self, z: Tensor) -> Tensor:
        """Correlations (D, D), drawn to none by as many uncorrelated rows as the recipe says."""
        moment = z.T @ z / len(z)
        scale = moment.diagonal().clamp_min(1e-12).rsqrt()
        pull = self.family.shrinkage / (len(z) + self.family.shrinkage)
        return (moment * scale[:, None] * scale).lerp(torch.eye(len(moment), dtype=torch.float64), pull).fill_diagonal_(1.0)

    def _scores(self, items: Items) -> tuple[Tensor, Tensor, Tensor]:
        """Of every part: its score, NaN where it has a stretch; and the ends of that, the whole line where it is missing; equal where it has a score."""
        n, w = len(items), self.layout.width
        z, low = torch.full((n, w + len(self.tables)), torch.nan, dtype=torch.float64), torch.full((n, w + len(self.tables)), -torch.inf, dtype=torch.float64)
        high = -low
        for j, margin in enumerate(self.margins):
            z[:, j] = margin.score(items.x[:, j]).where(items.x_there[:, j], torch.nan)
            low[:, j], high[:, j] = (end.where(~items.x_there[:, j], z[:, j]) for end in (low[:, j], high[:, j]))
        for j, ((codes, there), edge) in enumerate(zip(self._whole(items), self.edges, strict=True), w):
            low[there, j], high[there, j] = edge[codes[there]], edge[codes[there] + 1]
        return z, low, high

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Correlated normal numbers, each taken to its part."""
        z, w, m = rng.child("noise").normal(n, len(self.root)) @ self.root.T, self.layout.width, self.layout.bits
        x = torch.stack([margin.number(z[:, j]) for j, margin in enumerate(self.margins)], 1) if w else torch.zeros(n, 0, dtype=torch.float64)
        codes = [torch.searchsorted(edge[1:-1].contiguous(), z[:, j].contiguous()) for j, edge in enumerate(self.edges, w)]
        named = [rank.argsort()[c] for rank, c in zip(self.ranks, codes[m:], strict=True)]
        bits, whole = (torch.stack(c, 1) if c else torch.zeros(n, 0, dtype=torch.long) for c in (codes[:m], named))
        return self.layout.join(Items(x, torch.ones_like(x, dtype=torch.bool), whole, torch.ones_like(whole, dtype=torch.bool), bits.bool()))

    def nats(self, items: Items, noise: Tensor) -> Tensor:
        """Log weights of draws of the unknown scores whose mean weight is the density, (n, draws), from uniform noise (n, draws, D).

        Part after part, each within its stretch given those before it (Geweke 1989, Hajivassiliou & McFadden 1998).
        """
        z, low, high = self._scores(items)
        own, total = torch.zeros_like(noise), torch.zeros(noise.shape[:2], dtype=torch.float64)
        for j in range(noise.shape[2]):
            shift, spread = own[:, :, :j] @ self.root[j, :j], self.root[j, j]
            known = z[:, j].isfinite()
            at = (z[:, j, None] - shift) / spread
            a, b = ((end[:, j, None] - shift) / spread for end in (low, high))
            own[:, :, j] = at.where(known[:, None], between(a, b, noise[:, :, j]))
            density = -0.5 * at.square() - spread.log() + 0.5 * z[:, j, None].square()
            total += density.where(known[:, None], log_between(a, b))
        alone = [margin.log_density(items.x[:, j]).where(items.x_there[:, j], 0.0) for j, margin in enumerate(self.margins)]
        return total + torch.stack([torch.zeros(len(items), dtype=torch.float64), *alone]).sum(0)[:, None]

    def state(self) -> State:
        """Correlations, runs of the numbers, masses of presences and categories, ranks of categories."""
        margins = {f"{name}.{j}": t for j, m in enumerate(self.margins) for name, t in (("mean", m.mean), ("spread", m.spread))}
        return State({"correlation": self.correlation, **margins, **{f"table.{j}": t for j, t in enumerate(self.tables)},
                      **{f"rank.{j}": t for j, t in enumerate(self.ranks)}})

    def restore(self, state: State) -> None:
        """Takes them back."""
        t = dict(state.tensors)
        shapes = {"correlation": self.correlation.shape, **{f"table.{j}": x.shape for j, x in enumerate(self.tables)}}
        for j in range(self.layout.width):
            runs = t[f"mean.{j}"].shape if f"mean.{j}" in t else torch.Size()
            shapes |= {f"mean.{j}": runs, f"spread.{j}": runs}
            if len(runs) != 1 or not runs[0]:
                raise ModelError("the runs of a number are not there", code="WEIGHTS_SHAPE")
        ranks = [t.pop(f"rank.{j}", torch.zeros(0)) for j in range(len(self.ranks))]
        good = all(torch.equal(r.sort().values, torch.arange(s)) for r, s in zip(ranks, self.layout.sizes, strict=True))
        if not good or {k: x.shape for k, x in t.items()} != shapes or any(x.dtype != torch.float64 for x in t.values()):
            raise ModelError("the tensors do not fit a copula over this space", code="WEIGHTS_SHAPE")
        self.ranks = ranks
        self.margins = [Margin(t[f"mean.{j}"], t[f"spread.{j}"]) for j in range(self.layout.width)]
        self._cut([t[f"table.{j}"] for j in range(len(self.tables))])
        self._join(t["correlation"])


class JoinedBound(Joined):
    """With whole numbers or missing parts, whose masses are integrals over boxes."""

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Below the log density, (n,): the log of the mean weight of `draws` draws."""
        items, draws = self.layout.split(batch), self.family.draws
        noise = rng.child("draws").uniform(len(items), draws, len(self.root))
        return self.nats(items, noise).logsumexp(1) - log(draws)


class JoinedExact(Joined):
    """Of numbers alone."""

    def log_prob(self, batch: Batch) -> Tensor:
        """Log density, (n,)."""
        items = self.layout.split(batch)
        return self.nats(items, torch.full((len(items), 1, len(self.root)), 0.5, dtype=torch.float64))[:, 0]

    def given(self, evidence: Evidence, rng: Rng) -> Scored | None:
        """Kept numbers and the range of one: exact; ranges of several: an estimate."""
        return scored(self, evidence, rng)

    def given_each(self, batch: Batch, known: Tensor, evidence: Evidence | None, rng: Rng) -> ScoredEach | None:
        """Exact for any numbers of each item."""
        return ScoredEach(self, batch, known, rng) if evidence is None else None


def ordered(items: Items, layout: Mixed) -> list[Tensor]:
    """The rank of every category of every column, (values,): categories have no order, so they get that of the first principal component of all parts."""
    points = points_of(items, layout)
    points = points - points.mean(0)
    points = points / points.std(0).clamp_min(1e-9)
    along = points @ torch.linalg.eigh(points.T @ points).eigenvectors[:, -1]
    found = []
    for codes, there, size in zip(items.codes.T, items.codes_there.T, layout.sizes, strict=True):
        count = torch.bincount(codes[there], minlength=size)
        found.append((torch.bincount(codes[there], along[there], minlength=size) / count.clamp_min(1)).argsort(stable=True).argsort())
    return found


def _rows(items: Items, rows: Tensor) -> Items:
    return replace(items, x=items.x[rows], x_there=items.x_there[rows], codes=items.codes[rows], codes_there=items.codes_there[rows], bits=items.bits[rows])


@dataclass(frozen=True, kw_only=True)
class Copula(Family):
    """A Gaussian copula (Sklar 1959): margins by smoothed ranks, correlations of their normal scores.

    `rounds` sweeps find the scores of whole numbers and missing parts; `draws` tighten the bound that the score then is; `shrinkage` rows
    without correlation and `smoothing` items spread over the values of a part count as seen.

    >>> body = Copula().build(Reals((2,)), Rng(0))
    >>> round(float(body.log_prob(Batch(torch.zeros(1, 2).double()))), 4)
    -1.8379
    """

    distribution = Joined
    rounds: Annotated[int, Interval(ge=1, le=10_000)] = 30
    draws: Annotated[int, Interval(ge=1, le=1000)] = 8
    shrinkage: Annotated[float, Interval(ge=0, le=1_000_000), Tried(0.1, 1.0, 10.0)] = 1.0
    smoothing: Annotated[float, Interval(gt=0, le=1000)] = 0.5

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals, or a Row of Reals and Discrete parts."""
        return Mixed.refuses(space) if isinstance(space, Reals | Row) else "takes Reals, or a Row of Reals and Discrete parts"

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Joined:
        """Exact over numbers alone, else with a bound."""
        if why := self.refuses(space):
            raise UsageError(f"Copula {why}; got {space}", code="SPACE")
        if about:
            raise UsageError(f"Copula {self.refuses_context(about)}", code="CONTEXT")
        parts = space.parts.values() if isinstance(space, Row) else [space]
        numbers = all(isinstance(part, Reals) and not isinstance(part, Maybe) for part in parts)
        return (JoinedExact if numbers else JoinedBound)(self, space, rng, {})
