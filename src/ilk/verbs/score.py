"""score: nats per raw item, and of what sort the number is."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp, log, prod
from typing import Any

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.dataset import Dataset
from ilk.distribution import HasBound, HasEstimate, HasLogProb, Sort, sort_of, weakest
from ilk.errors import UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs.condition import Conditioned, flat, never
from ilk.verbs.read import native

DRAWS, CHUNK = 16, 4096
FEW, LEAST, NUMBERS = 256, 64, 1 << 20  # items of which a bound is soon worked out, and fewer of large ones


@dataclass(frozen=True, eq=False)
class Score:
    """Nats per item against the base measure; `mass_error` is the standard error that all items share (of log p(given), of log Z).

    `per` are mean nats per character, byte or whatever else the items are made of.
    """

    nats: Tensor
    sort: Sort
    measure: str
    mass_error: float = 0.0
    per: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean nats per item."""
        return float(self.nats.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean over items, and of what they share."""
        own = float(self.nats.std()) / len(self.nats) ** 0.5 if len(self.nats) > 1 else 0.0
        return float((own**2 + self.mass_error**2) ** 0.5)

    def bits(self, unit: str) -> float:
        """Bits per dimension, character or whatever else `per` counts; UsageError for a unit that it does not."""
        return -self._each(unit) / log(2)

    def perplexity(self, unit: str) -> float:
        """How many equally likely values one character, token or dimension is like."""
        return exp(-self._each(unit))

    def _each(self, unit: str) -> float:
        if unit not in self.per:
            raise UsageError(f"these items are not counted by {unit!r}", code="UNIT", param="unit", remedy=f"one of: {', '.join(self.per) or 'none'}")
        return self.per[unit]

    def minus(self, other: Score) -> tuple[float, float]:
        """How many nats an item one model gives more than another to the same items, and the standard error of that, item by item.

        UsageError if the two can't be compared: other items, another base measure, or a bound against what is none.
        """
        if len(self.nats) != len(other.nats):
            raise UsageError(f"{len(self.nats)} items against {len(other.nats)}", code="UNLIKE", remedy="score the same items with both models")
        if self.measure != other.measure:
            raise UsageError(f"densities against different measures: {self.measure}; {other.measure}", code="UNLIKE", remedy="score both models on data read alike")
        if (self.sort == "bound") != (other.sort == "bound"):
            raise UsageError(f"{self.sort} against {other.sort}: the difference has no meaning", code="UNLIKE", remedy="compare by samples (ilk evaluate), or bound both")
        gap = self.nats - other.nats
        own = float(gap.std()) / len(gap) ** 0.5 if len(gap) > 1 else 0.0
        return float(gap.mean()), float((own**2 + self.mass_error**2 + other.mass_error**2) ** 0.5)

    def __repr__(self) -> str:
        sign = {"exact": "", "bound": "at least ", "estimate": "about "}[self.sort]
        more = "".join(f", {v:z.4f} a {k}" for k, v in self.per.items())
        return f"{sign}{self.mean:z.4f} +- {self.error:.4f} nats an item (n={len(self.nats)}{more}; {self.sort}; {self.measure})"


def score(model: Model, items: Any, seed: int = 0, draws: int | None = None) -> Score:
    """log p(item | given) in nats, with everything the codec and lift add; UsageError for a model without a likelihood.

    `draws` are of the noise: 16 of a codec's under an exact density (their mean before the log), one of a bound (a mean of nats, since
    the log of a mean of noisy bounds is none). A Dataset is scored on its test items, with what the model knows beside them.
    """
    about: Mapping[str, Batch] = {}
    if isinstance(items, Dataset):
        about, items = model.told(items, items.index("test")), items.test
    items = native(model.modality, items)
    if len(items) == 0:
        raise UsageError("there are no items to score", code="EMPTY")
    met = model.met
    scorer, sort = _scorer(met)[0], sort_said(model)
    exact = isinstance(met.scorer, HasLogProb)
    times = DRAWS if exact and "refines" in (met.codec.keeps, model.lift.keeps) else 1
    parts = []
    for start in range(0, len(items), CHUNK):
        rows = torch.arange(start, min(start + CHUNK, len(items)))
        context = {k: b.take(rows) for k, b in about.items()}
        parts.append(_scored(model, met, scorer, model.modality.take(items, rows), context, Rng(seed).child("score").at(start), draws or times))
    nats = torch.cat(parts)
    per = {unit: float(nats.sum() / counts.sum()) for unit, counts in model.modality.lengths(items).items() if float(counts.sum()) > 0}
    shared = (met.met.log_mass_error**2 + (met.tilt.error**2 if met.tilt else 0.0) + (scorer.error**2 if isinstance(scorer, _Estimates) else 0.0)) ** 0.5
    return Score(nats, sort, model.modality.measure, shared, per)


def sort_said(model: Model) -> Sort:
    """Of what sort its scores are, without scoring anything; UsageError for a model without a likelihood."""
    met = model.met
    known = met.tilt is None and (met.met.sort == "exact" or met.met.log_mass_error == 0)
    return weakest(_scorer(met)[1], sort_of(met.codec.keeps), sort_of(model.lift.keeps), "exact" if known else "estimate")


def affordable(model: Model, items: Any) -> int:
    """How many of some items a score is soon worked out for: all if it is exact, some if it takes many network calls each."""
    size = prod(getattr(items, "shape", (1,))[1:])
    return len(items) if isinstance(model.body, HasLogProb) else min(FEW, max(LEAST, NUMBERS // max(1, size)), len(items))


def _scorer(met: Conditioned) -> tuple[Any, Sort]:
    """What to ask of the distribution, best first."""
    body = met.scorer
    if isinstance(body, HasLogProb):
        return (lambda batch, rng: body.log_prob(batch)), "exact"
    if isinstance(body, HasBound):
        return body.log_prob_bound, "bound"
    if isinstance(body, HasEstimate):
        return _Estimates(body), "estimate"
    raise UsageError(f"{type(body).__name__} has no likelihood: it lacks HasLogProb, HasBound and HasEstimate", code="NO_SCORE",
                     remedy="compare it by its samples: ilk evaluate")


class _Estimates:
    """Estimates of log p, and how far off they are, which is taken to be the same way for all items, as an error of log Z is."""

    def __init__(self, body: HasEstimate) -> None:
        self.body, self.errors = body, list[Tensor]()

    def __call__(self, batch: Batch, rng: Rng) -> Tensor:
        nats, error = self.body.log_prob_estimate(batch, rng)
        self.errors.append(error.double())
        return nats

    @property
    def error(self) -> float:
        """The mean standard error of an item."""
        return float(torch.cat(self.errors).mean())


def _scored(model: Model, met: Conditioned, scorer: Any, items: Any, context: Mapping[str, Batch], rng: Rng, draws: int) -> Tensor:
    found = []
    for k in range(draws):
        here = rng.child(k)
        batch = replace(flat(model, items, here), context=context)
        found.append(scorer(batch, here.child("body")).double() + model.lift.log_volume(batch) + met.codec.log_volume(items, here.child("codec")))
    each = torch.stack(found)
    nats = each.logsumexp(0) - log(draws) if isinstance(met.scorer, HasLogProb) else each.mean(0)
    if met.rest or met.never:
        nats = never(nats - (met.met.log_mass - met.kept_mass), met.obeys(items))
    return nats if met.tilt is None else nats + met.tilt.nats(items) - met.tilt.log_mean


def evidence(model: Model) -> float:
    """Nats of what is given: log p(kept part), or the log probability that the rule holds."""
    return model.met.met.log_mass
