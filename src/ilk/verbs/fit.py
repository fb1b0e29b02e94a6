"""fit: data and a recipe become a model."""
from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import torch

from ilk import recipe, registry
from ilk.dataset import Coded, Dataset, split_dataset
from ilk.distribution import Family
from ilk.errors import DataError, UsageError
from ilk.lift import LIFTS, Lift
from ilk.modality import Codec
from ilk.model import Model
from ilk.rng import Rng
from ilk.run import Budget, Ended, Event, Run, Seconds, Steps, Validated, budget
from ilk.verbs._start import fitting
from ilk.verbs.read import read

LEARN_FROM = 1_000_000
POINTS = 200  # of a history that a card keeps, at most


@dataclass
class History:
    """Listens to a fit: the loss on held-out items by step, and how many steps (of its last stage) there were."""

    points: list[list[float]] = field(default_factory=list)
    steps: int = 0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Validated) and isfinite(event.loss):
            point = [event.step, float(f"{event.loss:.6g}")]
            self.points += [point] if self.points[-1:] != [point] else []  # the last step may be told twice
        if isinstance(event, Ended):
            self.steps = event.steps

    def facts(self) -> dict[str, Any]:
        """What a card says of it: points spread evenly, the first and the last among them; nothing if there were none."""
        last = len(self.points) - 1
        kept = sorted({round(i * last / (POINTS - 1)) for i in range(POINTS)}) if last >= POINTS else range(last + 1)
        return {"history": [self.points[i] for i in kept]} if self.points else {}


def stages(points: Sequence[Sequence[float]]) -> list[list[Sequence[float]]]:
    """The points of a history by stage of the fit: steps begin anew in each.

    >>> [len(stage) for stage in stages([[100, 2.0], [200, 1.5], [100, 3.0]])]
    [2, 1]
    """
    found: list[list[Sequence[float]]] = []
    for point in points:
        if not found or point[0] <= found[-1][-1][0]:
            found.append([])
        found[-1].append(point)
    return found


def fit(data: Any, family: Family | None = None, *, seed: int = 0, budget: str | float | Budget | None = None, run: Run | None = None,
        like: Model | None = None, start: Model | None = None) -> Model:
    """The model of the family over the first codec and lift whose space it takes; None picks a family by the data.

    `budget` is "60s", "10m", seconds, or ilk.Steps(n); None lets the family decide. A full `run` says everything else.
    `like` codes the data as another model does, by default with its family too, so that the two can be compared and added.
    `start` is a model of related data to go on from, in its coding and with its recipe, instead of from nothing.

    >>> import ilk, polars as pl
    >>> ilk.fit(pl.DataFrame({"a": [1.5, 2.25, 3.125] * 20}), ilk.GMM(components=1))
    <ilk gmm of table>
    """
    run = run or Run(seed=seed, budget=_budget(budget))
    if start is not None:
        return adapted(data, start, family, run, like)
    if run.budget == Steps(0):
        raise UsageError("a budget of 0 steps", remedy="1 to 1000000000 steps", param="steps")
    data = split_dataset(data if isinstance(data, Dataset) else read(data, like.modality if like else None))
    if len(data.index("train")) < (1 if getattr(data.modality, "per", "") == "whole" else 2):   # one text without end is enough
        raise DataError(f"{len(data.index('train'))} items to learn from", code="TOO_FEW", remedy="at least 2 different items")
    family = recipe.checked(family or (like.body.family if like else default_family(data)))
    if like is not None and (why := family.refuses(like.lift.space)):
        raise UsageError(f"{type(family).__name__} {why}", code="SPACE", param="like")
    codec, lift = (like.codec, like.lift) if like else route(data, family, Rng(run.seed))
    data = replace(data, modality=like.modality) if like else data
    return _audited(fitted(data, family, codec, lift, run), data, run)


def _audited(model: Model, data: Dataset[Any], run: Run) -> Model:
    """The model, its card saying what a quick look at leaks found."""
    from ilk.verbs._quick import quick  # not above: it takes in attacks, which take in verbs

    return replace(model, card={**model.card, **quick(model, data, run)})


def adapted(data: Any, start: Model, family: Family | None, run: Run, like: Model | None) -> Model:
    """A model that goes on from another: its weights in its recipe and coding, then a fit; UsageError where that has no meaning."""
    found, digest = fitting(data, start, family, like)
    made = fitted(found, start.body.family, start.codec, start.lift, replace(run, facts={**run.facts, "start": digest}), start)
    return _audited(replace(made, card={**made.card, "start": str(start.card.get("data", "")), "start_sha256": digest}), found, run)


def fitted(data: Dataset[Any], family: Family, codec: Codec[Any], lift: Lift, run: Run, begin: Model | None = None) -> Model:
    """The model over a way that is already chosen; of a family that adapts, it goes on from where another stands."""
    start = time.monotonic()
    about = {name: space for name, space in data.about.items() if family.refuses_context({name: space}) is None}
    body = family.build(lift.space, run.rng.child("build"), about)
    history = History()
    labels = data.labels.names if data.labels is not None and "label" in about else ()
    words = data.captions.vocabulary.words if data.captions is not None and "caption" in about else ()
    learning = Model(data.modality, codec, lift, body, (), labels, words)
    seen = tuple(watch(learning, run.emit) for watch in run.watches)
    run = replace(run, facts={**fingerprint(data, family), "seed": run.seed, **run.facts}, listeners=(*run.listeners, history, *seen))
    train, valid = (Coded(data, s, codec, lift, run.rng.child("encode", s), tuple(about)) if len(data.index(s)) else None for s in ("train", "valid"))
    if train is None:
        raise DataError("there are no items to learn from", code="TOO_FEW")
    with run.opened("fit", _asked(data, run, codec, lift)):
        if begin is None:
            body.fit(train, run, valid)
        else:
            body.restore(begin.body.state())
            body.adapt(train, run, valid)   # type: ignore[attr-defined]
    card = {"data": data.origin.name, "notes": "; ".join(data.origin.notes), "licence": data.origin.licence, "items": len(train), "seed": run.seed,
            "seconds": round(time.monotonic() - start, 2), "data_sha256": run.facts["data"], "steps": history.steps,
            **_counts(data, labels), **_said(run), **history.facts()}
    return replace(learning, card=card)


def _asked(data: Dataset[Any], run: Run, codec: Codec[Any], lift: Lift) -> dict[str, Any]:
    """What listeners are told of a fit: of what, on which data, how it shall go."""
    sizes = {name: len(data.index(name)) for name in data.splits}
    more = {"start": run.facts["start"]} if "start" in run.facts else {}
    return {"family": run.facts["family"], "data": {"name": data.origin.name, "sha256": run.facts["data"], **sizes},
            "modality": registry.name_of("modalities", data.modality), "codec": type(codec).__name__, "lift": type(lift).__name__,
            "run": {"seed": run.seed, **_said(run).get("run", {}), "device": run.device, "precision": run.precision}, **more}


def _counts(data: Dataset[Any], labels: Sequence[int | str]) -> dict[str, Any]:
    """How many items learned from have each label; nothing for a model without."""
    return {"label_counts": torch.bincount(data.labels.codes[data.index("train")], minlength=len(labels)).tolist()} if labels and data.labels is not None else {}


def _said(run: Run) -> dict[str, Any]:
    """What a card says of how the fit was asked to go, by the names of the flags; nothing if nothing was."""
    steps, seconds = (run.budget.count if isinstance(run.budget, kind) else None for kind in (Steps, Seconds))
    asked = {name: value for name, value in (("steps", steps), ("budget", seconds), ("batch", run.batch), ("rate", run.rate)) if value is not None}
    return {"run": asked} if asked else {}


_budget = budget


def default_family(data: Dataset[Any]) -> Family:
    """What fits this kind of data when nobody says: the modality's own choice."""
    name = {"table": "made", "text": "ngram", "image": "diffusion"}.get(registry.name_of("modalities", data.modality), "gmm")
    made: Family = registry.get("families", name)()
    return made


def route(data: Dataset[Any], family: Family, rng: Rng) -> tuple[Codec[Any], Lift]:
    """The way from raw items to a space the family takes; UsageError listing every way that was tried."""
    train = data.sample("train", LEARN_FROM, rng.child("learn"))
    reasons = []
    for kind in data.modality.codecs():
        codec = kind.learned(data.modality, train)
        for lift in (cls(codec.space) for cls in LIFTS if cls.takes(codec.space)):
            why = family.refuses(lift.space)
            if why is None:
                return codec, lift
            reasons.append(f"{kind.__name__} + {type(lift).__name__}: {type(family).__name__} {why}")
    raise UsageError(f"no way from these data to this family: {'; '.join(reasons)}", code="SPACE",
                     remedy=f"families that fit: {', '.join(_fitting(data, rng)) or 'none'}")


def _fitting(data: Dataset[Any], rng: Rng) -> Sequence[str]:
    few = data.sample("train", 1000, rng.child("learn"))
    spaces = [c.learned(data.modality, few).space for c in data.modality.codecs()]
    lifted = [cls(s).space for s in spaces for cls in LIFTS if cls.takes(s)]
    return [n for n in registry.names("families") if any(registry.get("families", n)().refuses(s) is None for s in lifted)]


def fingerprint(data: Dataset[Any], family: Family) -> dict[str, Any]:
    """What a checkpoint must agree with: the data (a hash of some items, of all if few), the family and its options."""
    index = data.index("train")
    some = data.modality.keys(data.modality.take(data.items, index[:: max(1, len(index) // 10_000)]))
    digest = hashlib.sha256(repr((len(index), list(some))).encode("utf-8", "surrogatepass")).hexdigest()
    return {"data": digest, "family": recipe.facts("families", family)}
