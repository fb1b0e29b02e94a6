"""detect: which items are not like those that a model learned from, at a stated rate of false alarms."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor

from ilk import registry
from ilk.batch import Batch
from ilk.dataset import Dataset
from ilk.distribution import Conditions, Encodes, HasBound, HasEstimate, HasLogProb, Samples, sort_of, weakest
from ilk.errors import DataError, UsageError
from ilk.given import Keep
from ilk.modality import HasParts
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Many
from ilk.verbs._nearby import points
from ilk.verbs.condition import flat, given
from ilk.verbs.read import alone, native
from ilk.verbs.sample import sample
from ilk.verbs.score import score

MADE, CHUNK, DRAWS, INSIDE = 5000, 1024, 200, 0.9


@dataclass(frozen=True, eq=False)
class Detected:
    """p-values of items, (n,): how often a normal one is as strange. Alarm is given where p is at most `false_alarm`.

    `by` says what is strange: "exact", "bound" or "estimate" for a low density of that sort, "reconstruction", or "distance" to made items.
    `rate` are bounds between which the rate of false alarms lies with the chance .9, by how many normal items were held out.
    `surprises` are, per item with an alarm, the p-values of its parts given the others, the strangest first.
    """

    p: Tensor
    strangeness: Tensor
    false_alarm: float
    by: str
    held: int
    rate: tuple[float, float]
    surprises: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    @property
    def alarm(self) -> Tensor:
        """Which items are anomalies, (n,) of bool."""
        return self.p <= self.false_alarm

    def __repr__(self) -> str:
        low, high = self.rate
        return (f"{int(self.alarm.sum())} of {len(self.p)} items are anomalies at {self.false_alarm:.3g} false alarms (by {self.by}; {self.held} normal items held out, "
                f"so that the rate is {low:.3g} to {high:.3g})")


def detect(model: Model, items: Any, held: Any, false_alarm: float = 0.01, parts: bool = False, seed: int = 0) -> Detected:
    """The p-value of every item, by the rank of its strangeness among normal items that were `held` out of the fit (a Dataset: its test items).

    If the item is one more of those, p <= a has a chance of at most a, whatever the model (Vovk et al. 2005; Laxhammar & Falkman 2010).
    Strange is what has a low density; without one, what an autoencoder reconstructs badly, or what is far from all made items.
    `parts` looks in items with an alarm for the parts that are strange given the others, where the family knows its conditionals.

    >>> import ilk, numpy as np
    >>> x = np.random.default_rng(0).standard_normal((400, 2))
    >>> detect(ilk.fit(x[:200], ilk.GMM(components=1)), np.array([[0.0, 0.1], [7.0, 7.0]]), x[200:]).alarm.tolist()
    [False, True]
    """
    normal = held.test if isinstance(held, Dataset) else native(model.modality, held)
    judged = items.test if isinstance(items, Dataset) else native(model.modality, items)
    least = ceil(1 / false_alarm) - 1 if 0 < false_alarm < 1 else 0
    if not least:
        raise UsageError(f"a rate of false alarms of {false_alarm}", code="OPTION", param="false_alarm", remedy="above 0, below 1")
    if len(normal) < least:
        raise DataError(f"{len(normal)} normal items are too few for a rate of {false_alarm:g}", code="TOO_FEW", remedy=f"{least} of them, or more false alarms")
    if not len(judged):
        raise DataError("there are no items", code="EMPTY")
    by, strange = _measure(model, Rng(seed).child("detect"))
    known, found = strange(normal, seed), strange(judged, seed + 1)
    as_strange = len(known) - torch.searchsorted(known.sort().values, found)   # ties count against an alarm
    done = Detected((as_strange + 1).double() / (len(known) + 1), found, false_alarm, by, len(known), _rate(len(known), false_alarm))
    return replace(done, surprises={i: surprises(model, _one(model, judged, i), seed) for i in done.alarm.nonzero()[:, 0].tolist()}) if parts else done


def _rate(held: int, false_alarm: float) -> tuple[float, float]:
    """Between what bounds the rate lies for held-out items such as these: it is Beta(k, held + 1 - k) for k = floor(false_alarm (held + 1)) (Vovk 2012)."""
    from scipy.stats import beta

    k = floor(false_alarm * (held + 1) + 1e-9)
    low, high = beta(k, held + 1 - k).interval(INSIDE)
    return float(low), float(high)


Strange = Callable[[Any, int], Tensor]


def _measure(model: Model, rng: Rng) -> tuple[str, Strange]:
    """How strange items are, (n,), in the best way that the family knows, and its name."""
    body = model.met.scorer if isinstance(model.body, Samples) else model.body
    for kind, sort in ((HasLogProb, "exact"), (HasBound, "bound"), (HasEstimate, "estimate")):
        if isinstance(body, kind):
            return weakest(sort, sort_of(model.codec.keeps), sort_of(model.lift.keeps)), lambda items, seed: -score(model, items, seed).nats   # type: ignore[arg-type]
    if isinstance(model.body, Encodes) and not isinstance(model.lift.space, Many):
        return "reconstruction", lambda items, seed: _lost(model, model.body, items, rng.child(seed))
    if isinstance(model.body, Samples):
        made = sample(model, MADE, int(rng.key() % 2**31)).items
        if points(model, [made, made, made]) is not None:
            return "distance", lambda items, seed: _far(model, items, made)
    raise UsageError(f"{registry.name_of('families', model.body.family)} can't tell what is strange: it has no density, no codes, and no items at a distance "
                     "(it lacks HasLogProb, HasBound, HasEstimate, Encodes and Samples)", code="CAPABILITY", remedy="gmm and circuit for tables, vae or flow for pictures")


def _lost(model: Model, body: Encodes, items: Any, rng: Rng) -> Tensor:
    """The squared distance of an item from what its code decodes to."""
    found = []
    for start in range(0, len(items), CHUNK):
        batch = flat(model, model.modality.take(items, torch.arange(start, min(start + CHUNK, len(items)))), rng.at(start))
        again = body.decode(body.encode(batch))
        found.append(_numbers(batch).sub(_numbers(again)).square().sum(1))
    return torch.cat(found)


def _numbers(batch: Batch) -> Tensor:
    """All numbers of the items, (n, width)."""
    pieces = [part.tensor for part in batch.parts.values()] if not isinstance(batch.x, Tensor) else [batch.x]
    return torch.cat([p.reshape(len(batch), -1).double() for p in pieces], 1)


def _far(model: Model, items: Any, made: Any) -> Tensor:
    """The distance to the nearest made item."""
    from ilk.metrics._nearest import nearest

    found = points(model, [items, made, made])
    if found is None:
        raise DataError("these items are not of the shape of those that the model makes", code="SHAPE")
    (mine, known, _), _ = found
    return nearest(mine, known)[0].double()


def surprises(model: Model, item: Any, seed: int = 0) -> dict[str, float]:
    """The p-value of every part of one item given its other parts, the least first: how often the model itself would put something as unlikely there.

    Empty where the items have no parts, or the family no conditionals but by rejection.
    """
    if not isinstance(model.modality, HasParts) or not isinstance(model.body, Conditions) or not isinstance(model.met.scorer, HasLogProb):
        return {}
    apart = alone(model.modality)
    whole = {name: value for name, value in model.modality.parts(item).items() if name not in apart}
    here = float(score(model, item, seed).nats)
    found = {name: p for name in whole if (p := _surprise(model, whole, name, here, seed)) is not None}
    return dict(sorted(found.items(), key=lambda one: one[1]))


def _surprise(model: Model, whole: Mapping[str, Any], name: str, here: float, seed: int) -> float | None:
    others = {k: v for k, v in whole.items() if k != name}
    known = given(model, Keep(others)) if others else model
    if known.met.met.sort not in ("exact", "estimate"):
        return None
    nats = score(model, sample(known, DRAWS, seed).items, seed).nats
    return (1 + int((nats <= here + 1e-9).sum())) / (DRAWS + 1)


def _one(model: Model, items: Any, i: int) -> Any:
    return model.modality.take(items, torch.tensor([i]))
