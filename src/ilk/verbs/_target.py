"""What attacks look at: items that a model learned from, as many that it did not, what it makes, and what it scores them."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ilk import registry
from ilk.attack import Shadows, Target
from ilk.dataset import Dataset
from ilk.distribution import HasBound, HasEstimate, HasLogProb, Samples
from ilk.errors import DataError, UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.run import Run, Seconds, Steps
from ilk.verbs._nearby import points
from ilk.verbs._shown import way
from ilk.verbs._sides import FEW, HELD, Sides, scored, sides
from ilk.verbs.evaluate import _made
from ilk.verbs.fit import fitted
from ilk.verbs.read import native
from ilk.verbs.sample import sample
from ilk.verbs.score import affordable

MADE, TEXTS = 1000, 200   # items that are made, and texts


def apart(data: Dataset[Any], both: Sides) -> None:
    """DataError where the held-out items are among the training items, beyond what equal items among these make likely: an audit by them would find nothing."""
    known, unseen = (list(data.modality.keys(side)) for side in (both.known, both.unseen))
    seen = set(known)
    again, usual = sum(key in seen for key in unseen) / len(unseen), 1 - len(seen) / len(known)
    looked = len(known) / len(data.index("train")) if both.index is not None else 1.0   # of many training items some are looked at
    if again > 2 * usual + max(0.05 * looked, 5 / len(unseen)):
        raise DataError(f"{again:.0%} of the held-out items are training items", code="HELD_OUT", remedy="hold out items that the model did not learn from")


def target(model: Model | None, data: Dataset[Any] | None, made: Any, shadows: int, rng: Rng) -> Target:
    """All that an attack may look at, worked out when it is asked for where that takes long."""
    of = model or data
    if of is None:
        raise UsageError("there is neither a model nor data", code="OPTION", param="data")
    kind, both = registry.name_of("modalities", of.modality), None if data is None else sides(data, rng)
    made = made if made is None else native(of.modality, made)
    if data is None or both is None:
        return Target(kind, model, made)
    apart(data, both)
    seen = data.modality.take(both.known, torch.arange(both.held))
    found = Target(kind, model, made, both.known, seen, both.unseen)
    if made is not None and kind != "text" and (placed := points(model, [made, both.known, both.unseen])) is not None:
        found = replace(found, points=tuple(placed[0]))
    if model is None or not isinstance(model.body, HasLogProb | HasBound | HasEstimate):
        return found
    if shadows and both.index is None:
        raise UsageError(f"shadow models are fitted on halves of the texts, which are fewer than {FEW}", code="TOO_FEW", param="shadows", remedy="shorter texts, one a line")
    many = affordable(model, both.unseen)
    found = replace(found, scores=lambda: scored(model, data, both, many))
    return found if not shadows else replace(found, shadows=lambda: shadowed(model, data, both, many, shadows, rng.child("shadows")))


def making(model: Model, data: Dataset[Any] | None, n: int | None, seed: int) -> Any:
    """Items for the audit, 1,000 to 2,000 unless said and of texts 200; None by a model that makes none."""
    if not isinstance(model.body, Samples):
        return None
    kind, test = registry.name_of("modalities", model.modality), None if data is None or "test" not in data.splits else data.index("test")
    many = n or (TEXTS if kind == "text" else MADE if test is None else min(HELD, max(MADE, len(test))))
    if data is None or test is None or not len(test) or way(model) is not None:
        return sample(model, many, seed, way(model)).items
    return _made(model, data, test, many, seed)[0]


def shadowed(model: Model, data: Dataset[Any], both: Sides, many: int, count: int, rng: Rng) -> Shadows:
    """Models of the same recipe and coding on random halves of training and held-out items, the second of each two on the other half, and what they score."""
    pool, valid = torch.cat([data.index("train"), data.index("test")]), data.splits.get("valid", torch.zeros(0, dtype=torch.long))
    mine = torch.cat([index[: min(many, both.held)] for index in both.index or ()])
    nats, member = [], []
    for k in range(count):
        order = rng.child(k // 2).shuffle(len(pool))
        half = pool[order[len(pool) // 2:] if k % 2 else order[: len(pool) // 2]].sort().values
        run = _as_before(model, int(rng.child("seed", k).key() % 2**31))
        shadow = fitted(replace(data, modality=model.modality, splits={"train": half, "valid": valid}), model.body.family, model.codec, model.lift, run)
        shadow = replace(shadow, labels=model.labels, words=model.words)
        nats.append(torch.cat(scored(shadow, data, both, many)))
        member.append(torch.isin(mine, half))
    return Shadows(torch.stack(nats), torch.stack(member))


def _as_before(model: Model, seed: int) -> Run:
    """How the fit was asked to go, as far as its card makes sense."""
    said = model.card.get("run")
    asked = {k: v for k, v in said.items() if isinstance(v, int | float)} if isinstance(said, Mapping) else {}
    budget = Steps(int(asked["steps"])) if "steps" in asked else Seconds(asked["budget"]) if "budget" in asked else None
    return Run(seed=seed, budget=budget, batch=int(asked["batch"]) if "batch" in asked else None, rate=asked.get("rate"))
