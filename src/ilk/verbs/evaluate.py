"""evaluate: figures about a model, each beside its floor (a trivial model) and its ceiling (real against real)."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from ilk import recipe, registry
from ilk.dataset import Dataset, Labels, split_dataset
from ilk.distribution import Draws, Family, How
from ilk.errors import DataError, IlkError, UsageError
from ilk.given import Label
from ilk.lift import LIFTS
from ilk.metric import Case, Metric, NotApplicable, Reading, measured
from ilk.model import Model, identity
from ilk.rng import Rng
from ilk.run import Began, Ended, Listener, Measured, Progress, Run
from ilk.verbs.fit import LEARN_FROM, fitted
from ilk.verbs.read import native
from ilk.verbs.sample import bound, sample

MOST = 20_000
FLOORS: Mapping[str, tuple[str, Mapping[str, Any]]] = {"text": ("ngram", {"order": 1})}
FLOOR = ("gmm", {"components": 1, "covariance": "diag"})


@dataclass(frozen=True)
class Figure:
    """One metric of one model. `floor` is a trivial model's value, `ceiling` real data's; None where there is no such thing."""

    name: str
    value: float
    se: float | None
    n: int
    floor: float | None
    ceiling: float | None
    better: str
    parts: Mapping[str, float] = field(default_factory=dict)
    convention: str = ""


@dataclass(frozen=True)
class Evaluation:
    """All figures, and why others do not apply."""

    metrics: tuple[Figure, ...]
    skipped: Mapping[str, str]

    def __getitem__(self, name: str) -> Figure:
        for figure in self.metrics:
            if figure.name == name:
                return figure
        raise UsageError(f"no figure {name!r}: {self.skipped.get(name, 'there is no such metric')}", code="METRIC")

    def __repr__(self) -> str:
        rows = [("metric", "value", "+-", "floor", "ceiling", "better", "n")]
        rows += [(f.name, _text(f.value), _text(f.se), _text(f.floor), _text(f.ceiling), f.better, str(f.n)) for f in self.metrics]
        widths = [max(len(r[i]) for r in rows) for i in range(7)]
        lines = ["  ".join(cell.ljust(w) if i in (0, 5) else cell.rjust(w) for i, (cell, w) in enumerate(zip(r, widths, strict=True))) for r in rows]
        reasons: dict[str, list[str]] = {}
        for name, why in self.skipped.items():
            reasons.setdefault(why, []).append(name)
        return "\n".join([*lines, *(f"not applicable, {why}: {', '.join(names)}" for why, names in reasons.items())])

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(repr(self))}</pre>"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:z.4f}"


def evaluate(model: Model, against: Any, n: int | None = None, seed: int = 0, only: Sequence[str] = (), listeners: tuple[Listener, ...] = ()) -> Evaluation:
    """Every metric that applies, on the test items of a Dataset (or on items of its kind, given as they are).

    `n` items are made, as many as there are test items (at most 20,000) unless said; `only` names metrics.
    """
    for name in only:
        registry.check("metrics", name)
    against = against if isinstance(against, Dataset) else native(model.modality, against)
    data = against if isinstance(against, Dataset) else Dataset(model.modality, against, {"test": torch.arange(len(against))})
    data = data if "test" in data.splits and "train" not in data.splits else split_dataset(data)
    if not len(data.index("test")):
        raise DataError("there are no test items", code="EMPTY", remedy="name some with --against")
    run = Run(listeners=listeners)
    with run.opened("evaluate", _asked(model, data, n, seed) if listeners else {}):
        found = _measured(model, data, n, seed, only or registry.names("metrics"), run)
        run.emit(Measured({f.name: f.value for f in found.metrics}))
    return found


def _measured(model: Model, data: Dataset[Any], n: int | None, seed: int, names: Sequence[str], run: Run) -> Evaluation:
    rng = Rng(seed).child("evaluate")
    case, floor, real = _cases(model, data, n, rng)
    kind = registry.name_of("modalities", model.modality)
    figures, skipped = [], {}
    run.emit(Began("evaluate", len(names)))
    for i, name in enumerate(names):
        found = _figure(name, kind, case, floor, real, rng)
        run.emit(Progress(i + 1, (i + 1) / len(names)))
        if isinstance(found, Figure):
            figures.append(found)
        else:
            skipped[name] = found.reason
    run.emit(Ended("evaluate", len(names), 0.0))
    return Evaluation(tuple(figures), skipped)


def _asked(model: Model, data: Dataset[Any], n: int | None, seed: int) -> dict[str, Any]:
    """What listeners are told: which model, on which data, how it is judged."""
    return {"family": recipe.facts("families", model.body.family), "data": {"name": data.origin.name, "test": len(data.index("test"))},
            "modality": registry.name_of("modalities", model.modality), "model_sha256": identity(model), "run": {"seed": seed, "n": n}}


def _cases(model: Model, data: Dataset[Any], n: int | None, rng: Rng) -> tuple[Case, Case | None, Mapping[str, Any]]:
    """The model's case, the floor's, and real items to stand in for made ones: seen (from train) and unseen (from valid)."""
    chosen = data.some("test", MOST, rng.child("test"))
    test = data.modality.take(data.items, chosen)
    judge = None if data.labels is None else Labels(data.labels.codes[chosen], data.labels.names)
    n = n or len(test)
    said = _captions(data, chosen)
    made, asked, prompts = _made(model, data, chosen, n, int(rng.child("seed").key() % 2**31))
    if "train" not in data.splits or not len(data.index("train")):
        return Case(model=model, made=made, test=test, test_labels=judge), None, {}
    learned = data.some("train", MOST, rng.child("train"))
    train = data.modality.take(data.items, learned)
    labels = None if data.labels is None else data.labels.codes[learned]
    case = Case(model=model, made=made, train=train, test=test, holdout=test, train_labels=labels, made_labels=asked, test_labels=judge,
                train_captions=_captions(data, learned), made_captions=prompts, test_captions=said)
    floor = _floor(data, n, case, rng)
    real = {"seen": data.sample("train", n, rng.child("real"))}
    if len(data.index("valid")) >= 50:
        real["unseen"] = data.sample("valid", n, rng.child("real"))
    return case, floor, real


def _captions(data: Dataset[Any], index: Tensor) -> list[str] | None:
    return None if data.captions is None else [data.captions.texts[i] for i in index.tolist()]


def prompted(model: Model, data: Dataset[Any], index: Tensor, seed: int = 0, how: How | None = None) -> Any:
    """One item for what the data say beside each of some items, as far as the model was fitted with it; UsageError if it can't be told."""
    if not isinstance(model.body, Draws) or model.givens:
        raise UsageError(f"{type(model.body).__name__} does not make items each for a caption of its own", code="CAPABILITY")
    rng, way = Rng(seed).child("sample"), bound(model, how)
    codes = model.body.draw(len(index), rng.child("code"), model.told(data, index), way)
    return model.codec.decode(model.lift.decode(codes), rng.child("raw"))


def _made(model: Model, data: Dataset[Any], test: Tensor, n: int, seed: int) -> tuple[Any, Tensor | None, list[str] | None]:
    """n items of the model, the label and the caption that each was asked for: those of test items if the model knows them."""
    if model.vocabulary is not None and data.captions is not None and isinstance(model.body, Draws) and not model.givens:
        index = test[torch.arange(n) % len(test)]
        labels = data.labels.codes[index] if "label" in model.told(data, test[:1]) and data.labels is not None else None
        return prompted(model, data, index, seed), labels, _captions(data, index)
    return *_labelled(model, data, test, n, seed), None


def _labelled(model: Model, data: Dataset[Any], test: Tensor, n: int, seed: int) -> tuple[Any, Tensor | None]:
    """n items, and the label that each was asked for: as often as among the test items, if the model knows their labels."""
    if data.labels is None or not model.labels or any(isinstance(g, Label) for g in model.givens) or not set(data.labels.names) <= set(model.labels):
        return sample(model, n, seed).items, None
    count = torch.bincount(data.labels.codes[test], minlength=len(data.labels.names)).double()
    ends = (count.cumsum(0) / count.sum() * n).round().long()
    many = ends.diff(prepend=torch.zeros(1, dtype=torch.long)).tolist()
    parts = [sample(model.given(Label(name)), k, seed + i).items for i, (name, k) in enumerate(zip(data.labels.names, many, strict=True)) if k]
    return model.modality.join(parts), torch.arange(len(many)).repeat_interleave(torch.tensor(many))


def _floor(data: Dataset[Any], n: int, case: Case, rng: Rng) -> Case | None:
    """The same case for a trivial model: every part independent of the others, every character of the others."""
    name, options = FLOORS.get(registry.name_of("modalities", data.modality), FLOOR)
    family: Family = registry.get("families", name)(**options)
    train = data.sample("train", LEARN_FROM, rng.child("floor"))
    codecs = [kind.learned(data.modality, train) for kind in reversed(data.modality.codecs())]
    ways = [(codec, lift) for codec in codecs for lift in (cls(codec.space) for cls in LIFTS if cls.takes(codec.space)) if family.refuses(lift.space) is None]
    if not ways:
        return None
    model = fitted(data, family, *ways[0], Run(seed=rng.seed))
    return replace(case, model=model, made=sample(model, n, rng.seed).items, made_labels=None, made_captions=None)


def _figure(name: str, kind: str, case: Case, floor: Case | None, real: Mapping[str, Any], rng: Rng) -> Figure | NotApplicable:
    metric: Metric = registry.get("metrics", name)()
    if metric.modalities and kind not in metric.modalities:
        return NotApplicable(f"it is about {' and '.join(metric.modalities)}")
    here = rng.child(name)
    found = measured(metric, case, here)
    if isinstance(found, NotApplicable):
        return found
    low = found.parts.get("chance")
    if low is None and floor is not None:
        low = _value(metric, floor, here)
    stand_in = real.get("unseen" if "holdout" in metric.needs else "seen")
    high = found.parts.get("real")
    if high is None and "made" in metric.needs and stand_in is not None:
        high = _value(metric, replace(case, made=stand_in, made_labels=None, made_captions=None), here)
    return Figure(name, found.value, found.error, found.n, low, high, metric.better, found.parts, found.convention)


def _value(metric: Metric, case: Case, rng: Rng) -> float | None:
    try:
        found = measured(metric, replace(case, errors=False), rng)
    except IlkError:
        return None
    return found.value if isinstance(found, Reading) and isfinite(found.value) else None
