"""Gaussian mixture: soft clusters of rows or arrays, exact likelihood, exact conditioning, missing values welcome."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import log
from typing import Annotated, Any, Literal

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import embedding_bag

from ilk.batch import Batch, Source
from ilk.distribution import Distribution, Family, How
from ilk.errors import ModelError
from ilk.families._em import CHUNK, Climb, adapt, climb, prepared, total
from ilk.families._gaussians import Diagonal, Full, Gaussians, Moments, shrunk
from ilk.families._gmm_each import GaussianCompletion
from ilk.families._mixed import Items, Mixed, scales
from ilk.families._mixture_given import Asked, MixturePosterior, asked
from ilk.given import Evidence
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Space
from ilk.store import State

SELECT = 20_000
KS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True, kw_only=True)
class Law:
    """Per component: a weight, a Gaussian of the numbers, a law per category column, a chance of presence per Maybe."""

    log_weight: Tensor
    gauss: Gaussians
    tables: tuple[Tensor, ...]
    log_there: Tensor
    log_gone: Tensor

    def joint(self, items: Items) -> Tensor:
        """log p(component, item), (K, n), of the standardised items."""
        out = self.log_weight[:, None] + self.gauss.log_density(items.x, items.mask)
        if self.tables:
            every, first = torch.cat(self.tables, 1).T.contiguous(), torch.tensor([0, *(t.shape[1] for t in self.tables)]).cumsum(0)[:-1]
            out += embedding_bag(items.codes + first, every, mode="sum", per_sample_weights=items.codes_there.double()).T
        if items.bits.shape[1]:
            bits = items.bits.double().T
            out += self.log_there @ bits + self.log_gone @ (1 - bits)
        return out


class GaussianMixture(Distribution["GMM"]):
    """Exact density, exact samples, exact conditioning; learns from sums."""

    def __init__(self, family: GMM, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        self.layout = Mixed(space)
        self.center = torch.zeros(self.layout.width, dtype=torch.float64)
        self.scale = torch.ones(self.layout.width, dtype=torch.float64)
        self.law = self._blank(family.components or 1)

    def _blank(self, k: int) -> Law:
        d, many = self.layout.width, self.layout.bits
        mean = torch.zeros(k, d, dtype=torch.float64)
        full = self.family.covariance in ("full", "tied")
        gauss: Gaussians = Full(mean, torch.eye(d, dtype=torch.float64).repeat(k, 1, 1)) if full else Diagonal(mean, torch.ones_like(mean))
        tables = tuple(torch.full((k, s), -log(s), dtype=torch.float64) for s in self.layout.sizes)
        half = torch.full((k, many), log(0.5), dtype=torch.float64)
        return Law(log_weight=torch.full((k,), -log(k), dtype=torch.float64), gauss=gauss, tables=tables, log_there=half, log_gone=half.clone())

    # learning

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Expectation-maximisation from k-means++ (Arthur & Vassilvitskii 2007); the number of components by BIC unless given."""
        items = cache(lambda: self.prepared(data))
        climb(self, lambda: self._begin(data, run), lambda: total(self, map(self.expected, items())), run, Climb("gmm", self.family.rounds, self.family.tolerance))

    def adapt(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Goes on from the law that there is."""
        adapt(self, data, run, valid, Climb("gmm", self.family.rounds, self.family.tolerance))

    def _begin(self, data: Source, run: Run) -> None:
        from ilk.families._mixture_fit import choose_components, seeded

        self.standardise(data)
        self.absorb(seeded(self, data, self.family.components or choose_components(self, data, run, KS, SELECT), run.rng))

    def standardise(self, data: Source) -> None:
        """Centre and scale of every number, from all items."""
        self.center, self.scale = scales(self.layout, data.chunks(CHUNK))

    def items(self, batch: Batch) -> Items:
        """A batch as standardised items."""
        raw = self.layout.split(batch)
        return replace(raw, x=((raw.x - self.center) / self.scale).where(raw.x_there, 0.0))

    def prepared(self, data: Source) -> Iterable[Items]:
        """All items standardised: once for all rounds where they take at most 1 GiB, else anew in each."""
        return prepared(data, 9 * self.layout.width + 9 * len(self.layout.sizes) + self.layout.bits, self.items)

    def statistics(self, batch: Batch) -> State:
        """The E-step: expected counts and moments under the law of now. They add up over batches."""
        return self.expected(self.items(batch))

    def expected(self, items: Items) -> State:
        """The E-step over standardised items."""
        simple = not self.layout.sizes and not self.layout.bits and items.weight is None
        if simple and isinstance(self.law.gauss, Full):
            nats, moments = self.law.gauss.joint(items.x, self.law.log_weight)
            return self._sums(nats, torch.tensor(float(len(items))).double(), moments, (), torch.zeros(len(moments.count), 0).double())
        joint = self.law.joint(items)
        each = joint.logsumexp(0)
        share = (joint - each).exp_()
        if items.weight is not None:
            share, each = share * items.weight, each * items.weight
        return self.summed(items, share, each.sum())

    def summed(self, items: Items, share: Tensor, nats: Tensor) -> State:
        """Sums over items weighted by shares (K, n)."""
        moments = self._moments(items, share)
        tables, by_item = [], share.T.contiguous() if self.layout.sizes else share
        for j, size in enumerate(self.layout.sizes):
            here = by_item * items.codes_there[:, j, None]
            tables.append(torch.zeros(size, len(share), dtype=torch.float64).index_add_(0, items.codes[:, j], here).T.contiguous())
        return self._sums(nats, share.sum(), moments, tuple(tables), share @ items.bits.double())

    def _moments(self, items: Items, share: Tensor) -> Moments:
        gauss = self.law.gauss if len(self.law.gauss.mean) == len(share) else self._blank(len(share)).gauss
        return gauss.moments(items.x, share, items.mask)

    @staticmethod
    def _sums(nats: Tensor, items: Tensor, moments: Moments, tables: tuple[Tensor, ...], bits: Tensor) -> State:
        named = {f"table.{j}": t for j, t in enumerate(tables)}
        return State({"nats": nats, "items": items, "count": moments.count, "first": moments.first,
                      "second": moments.second, "bits": bits, **named})

    def add(self, one: State, other: State) -> State:
        """Sums of two batches."""
        return State({k: t + other.tensors[k] for k, t in one.tensors.items()})

    def absorb(self, state: State) -> None:
        """The M-step. A component that has lost all its items keeps its place and vanishing weight."""
        s, f = state.tensors, self.family
        count = s["count"]
        safe = count.clamp_min(1e-10)
        mean = s["first"] / safe[:, None]
        gauss: Gaussians
        if f.covariance in ("full", "tied"):
            cov = s["second"] / safe[:, None, None] - mean[:, :, None] * mean[:, None]
            if f.covariance == "tied":
                cov = (cov * (count / count.sum())[:, None, None]).sum(0, keepdim=True).expand_as(cov).contiguous()
            gauss = Full(mean, shrunk(cov, count.sum() if f.covariance == "tied" else count) + f.ridge * torch.eye(cov.shape[-1], dtype=torch.float64))
        else:
            var = (s["second"] / safe[:, None] - mean.square()).clamp_min(0)
            gauss = Diagonal(mean, (var if f.covariance == "diag" else var.mean(1, keepdim=True).expand_as(var)) + f.ridge)
        tables = tuple(((t + f.smoothing / t.shape[1]) / (t + f.smoothing / t.shape[1]).sum(1, keepdim=True)).log()
                       for t in (s[f"table.{j}"] for j in range(len(self.layout.sizes))))
        there = (s["bits"] + f.smoothing / 2) / (safe[:, None] + f.smoothing)
        there = there.clamp(1e-300, 1)
        self.law = Law(log_weight=(safe / safe.sum()).log(), gauss=gauss, tables=tables, log_there=there.log(), log_gone=(1 - there).clamp_min(1e-300).log())

    # the law

    def log_prob(self, batch: Batch) -> Tensor:
        """Log density, (n,)."""
        items = self.items(batch)
        return self.law.joint(items).logsumexp(0) - items.x_there.double() @ self.scale.log()

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Draws of a component, then of its parts."""
        return MixturePosterior(self, Asked(), rng).sample(n, rng, how)

    def given(self, evidence: Evidence, rng: Rng) -> MixturePosterior | None:
        """Exact for any categories, presences and kept numbers, and for ranges of one number (any, if diagonal); else an estimate."""
        said = asked(self, evidence)
        return None if said is None else MixturePosterior(self, said, rng)

    def given_each(self, batch: Batch, known: Tensor, evidence: Evidence | None, rng: Rng) -> GaussianCompletion | None:
        """Exact for any places of each item, and weights of categories and presences besides."""
        said = Asked() if evidence is None else asked(self, evidence)
        return None if said is None or said.fixed or said.ranges else GaussianCompletion(self, batch, known, said, rng)

    def parameters(self) -> int:
        """How many free numbers the law has: what BIC counts."""
        k, d = self.law.gauss.mean.shape
        spread = {"full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": k * d, "spherical": k * min(1, d)}[self.family.covariance]
        return k - 1 + k * d + spread + k * sum(s - 1 for s in self.layout.sizes) + k * self.layout.bits

    def bic(self, data: Source) -> float:
        """Bayesian information criterion in nats: -2 log-likelihood + parameters x log n (Schwarz 1978); low is good."""
        nats = sum(float(self.log_prob(chunk).sum()) for chunk in data.chunks(CHUNK))
        return -2 * nats + self.parameters() * log(len(data))

    def copy(self, components: int) -> GaussianMixture:
        """An unfitted one of so many components that shares the scales."""
        other = GaussianMixture(replace(self.family, components=components), self.space, Rng(0), self.about)
        other.center, other.scale = self.center, self.scale
        return other

    def state(self) -> State:
        """Weights, means, covariances, tables, chances of presence, scales."""
        law = self.law
        return State({"log_weight": law.log_weight, "mean": law.gauss.mean, "cov": law.gauss.cov, "log_there": law.log_there, "log_gone": law.log_gone,
                      "center": self.center, "scale": self.scale, **{f"table.{j}": t for j, t in enumerate(law.tables)}})

    def restore(self, state: State) -> None:
        """Takes them back."""
        t: dict[str, Any] = dict(state.tensors)
        k = len(t["log_weight"]) if "log_weight" in t else 0
        want = {**{name: tensor.shape for name, tensor in State(self._with(self._blank(max(1, k)))).tensors.items()}}
        if k == 0 or {n: x.shape for n, x in t.items()} != want or any(x.dtype != torch.float64 for x in t.values()):
            raise ModelError("the tensors do not fit a mixture over this space", code="WEIGHTS_SHAPE")
        gauss = Full(t["mean"], t["cov"]) if self.family.covariance in ("full", "tied") else Diagonal(t["mean"], t["cov"])
        self.center, self.scale = t["center"], t["scale"]
        self.law = Law(log_weight=t["log_weight"], gauss=gauss, tables=tuple(t[f"table.{j}"] for j in range(len(self.layout.sizes))),
                       log_there=t["log_there"], log_gone=t["log_gone"])

    def _with(self, law: Law) -> Mapping[str, Tensor]:
        before, self.law = self.law, law
        found, self.law = self.state().tensors, before
        return found


@dataclass(frozen=True, kw_only=True)
class GMM(Family):
    """Gaussian mixture (McLachlan & Peel 2000): Gaussians for numbers, a law per category, a chance of presence.

    Within a component the parts of a Row other than numbers are independent; numbers have a full covariance unless
    `covariance` says otherwise. `components` None chooses their number by BIC. `ridge` is added to variances, in units
    of each number's own variance; a covariance of no more items than numbers is drawn towards its diagonal besides.

    >>> import torch
    >>> from ilk.batch import Batch, Memory
    >>> from ilk.run import Run
    >>> from ilk.space import Reals
    >>> x = Rng(0).normal(500, 2)
    >>> model = GMM(components=1).build(Reals((2,)), Rng(0))
    >>> model.fit(Memory(Batch(x)), Run())
    >>> round(float(model.log_prob(Batch(x)).mean()), 1)
    -2.8
    """

    distribution = GaussianMixture
    components: Annotated[int, Interval(ge=1, le=4096)] | None = None
    covariance: Annotated[Literal["full", "tied", "diag", "spherical"], Tried("full", "diag", "tied")] = "full"
    rounds: Annotated[int, Interval(ge=1, le=100_000)] = 200
    tolerance: Annotated[float, Interval(ge=0, le=1)] = 1e-4
    ridge: Annotated[float, Interval(ge=0, le=10)] = 1e-6
    smoothing: Annotated[float, Interval(ge=0, le=1000)] = 0.5

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Reals, rows of atoms, or records of few values a place."""
        return Mixed.refuses(space)
