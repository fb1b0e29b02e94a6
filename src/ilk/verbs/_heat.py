"""One heat of a race, in a process of its own: fit, score, judge, and leave a folder. `python -m ilk.verbs._heat SPEC`."""
from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ilk import recipe, registry
from ilk.dataset import Dataset
from ilk.distribution import Family
from ilk.errors import IlkError
from ilk.machine import Meter
from ilk.metric import Case, Metric, Reading, measured
from ilk.metrics._likelihood import scored
from ilk.model import Model
from ilk.rng import Rng
from ilk.run import Event, Progress, Run, Seconds, Steps, Validated
from ilk.store import parse_json, tensors_to_bytes, write_folder
from ilk.verbs._cheats import cheat
from ilk.verbs._kept import kept
from ilk.verbs.fit import fit
from ilk.verbs.sample import sample
from ilk.verbs.score import Score

JUDGES: Mapping[str, tuple[str, ...]] = {"table": ("column_shapes", "pair_trends", "c2st", "auc_gap"), "text": ("distinct_n", "self_bleu"),
                                         "image": ("frechet", "c2st", "density", "coverage"), "array": ("c2st", "energy_distance", "density", "coverage")}
CLOSE = ("dcr_share", "near_train_share")   # whether made items are copies
EQUAL = ("equal_to_train", "real_equal_to_train")   # shares of made items, and of judged ones
SPLITS, MANY = ("valid", "test"), 300   # at least so many items are made, so that copies show


class Told:
    """Tells how far a fit is and its loss on held-out items, as lines of JSON for whoever waits, and keeps that."""

    def __init__(self) -> None:
        self.fraction, self.curve = 0.0, list[tuple[float, float]]()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.fraction = event.fraction
        if isinstance(event, Validated) and isfinite(event.loss):
            self.curve.append((round(self.fraction, 4), float(f"{event.loss:.6g}")))
            sys.stdout.write(json.dumps({"fraction": self.fraction, "loss": event.loss}) + "\n")
            sys.stdout.flush()


@dataclass(frozen=True)
class Spec:
    """What a heat is told: the race's folder, who runs, with which seed, how long it may learn, and how many items judge."""

    folder: str
    key: str
    name: str
    kind: str
    recipe: Mapping[str, Any] | None
    seed: int
    seconds: float | None
    steps: int | None
    judged: int
    threads: int = 1

    @property
    def to(self) -> Path:
        """Where its result goes."""
        return Path(self.folder) / "heats" / self.key

    def run(self, told: Told) -> Run:
        """How its fit goes."""
        budget = Steps(self.steps) if self.steps is not None else None if self.seconds is None else Seconds(self.seconds)
        return Run(seed=self.seed, budget=budget, listeners=(told,))


@dataclass(frozen=True)
class Result:
    """How a heat ended. `nats` and `error` by split, per item; `figures` by split and name: value and standard error."""

    key: str
    name: str
    kind: str
    seed: int
    status: str = "done"
    why: str = ""
    recipe: Mapping[str, Any] | None = None
    fit_seconds: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak: int | None = None
    joules: float = 0.0
    how: str = ""
    numbers: int = 0
    rate: float | None = None
    sort: str = ""
    measure: str = ""
    nats: Mapping[str, float] = field(default_factory=dict)
    error: Mapping[str, float] = field(default_factory=dict)
    per: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, tuple[float, float | None]]] = field(default_factory=dict)
    refused: str = ""
    curve: Sequence[Sequence[float]] = field(default_factory=list)


def heat(spec: Spec) -> None:
    """Runs and leaves the folder: result.json, the nats of every judged item, and the model."""
    torch.set_num_threads(spec.threads)
    data = kept(Path(spec.folder) / "data")
    with Meter() as meter:
        found, tensors, model = _ran(spec, data)
    found = replace(found, **meter.facts())
    if model is not None:
        model.save(spec.to / "model")
    files = {"result.json": json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False).encode(), "nats.safetensors": tensors_to_bytes(tensors)}
    write_folder(spec.to / "result", files)


def _ran(spec: Spec, data: Dataset[Any]) -> tuple[Result, dict[str, Tensor], Model | None]:
    begun = Result(spec.key, spec.name, spec.kind, spec.seed, recipe=spec.recipe)
    try:
        return _judged(begun, spec, data)
    except IlkError as why:
        return replace(begun, status="refused", why=str(why)[:500]), {}, None


def _judged(found: Result, spec: Spec, data: Dataset[Any]) -> tuple[Result, dict[str, Tensor], Model | None]:
    start, told = time.monotonic(), Told()
    model = _learned(spec, data, told)
    found = replace(found, fit_seconds=round(time.monotonic() - start, 3), curve=told.curve)
    tensors: dict[str, Tensor] = {}
    for split in SPLITS:
        here = judged(data, split, spec.judged)
        rng = Rng(spec.seed).child("race", split)
        if model is not None and spec.kind != "cheat":
            found, each = _scored(found, split, scored(model, here.test, rng.child("score")))
            tensors |= {} if each is None else {split: each}
        found = _figures(found, split, here, model, rng)
    saved = model if spec.kind not in ("cheat", "real") else None
    numbers = 0 if saved is None else sum(t.numel() for t in saved.body.state().tensors.values())
    return replace(found, numbers=numbers), tensors, saved


def _learned(spec: Spec, data: Dataset[Any], told: Told) -> Model | None:
    """The model of who runs; of real items there is none."""
    if spec.kind == "real":
        return None
    if spec.kind == "cheat":
        return cheat(spec.name == "noisy_copies", data)
    family: Family = recipe.from_facts("families", spec.recipe or {})
    return fit(replace(data, labels=None, captions=None, beside={}), family, run=spec.run(told))


def judged(data: Dataset[Any], split: str, most: int) -> Dataset[Any]:
    """The data with some items of a split as the test items."""
    index = data.index(split)
    return replace(data, splits={"train": data.index("train"), "test": data.some(split, most, Rng(0).child("judged", split)) if len(index) else index})


def _scored(found: Result, split: str, score: Score | Any) -> tuple[Result, Tensor | None]:
    if not isinstance(score, Score):
        return replace(found, refused=score.reason), None
    if not isfinite(score.mean):
        return replace(found, refused=f"it gives some {split} items no chance at all"), None
    return replace(found, sort=score.sort, measure=score.measure, nats={**found.nats, split: score.mean}, error={**found.error, split: score.error},
                   per=dict(score.per)), score.nats


def _figures(found: Result, split: str, here: Dataset[Any], model: Model | None, rng: Rng) -> Result:
    """What made items are like, beside the judged ones; of whole texts, which have no end, nothing."""
    kind = registry.name_of("modalities", here.modality)
    if getattr(here.modality, "per", "") == "whole":
        return found
    n, start = max(MANY, len(here.index("test"))), time.monotonic()
    made = here.sample("train", n, rng.child("real")) if model is None else sample(model, n, int(rng.child("made").key() % 2**31)).items
    rate = None if model is None else n / max(1e-6, time.monotonic() - start)
    train = here.some("train", 20_000, rng.child("train"))
    labels = None if here.labels is None else here.labels.codes[train]
    items = here.modality.take(here.items, train)
    case = Case(model=model, made=made, train=items, test=here.test, holdout=here.test, train_labels=labels)
    names = [n for n in JUDGES.get(kind, ()) + (CLOSE if model is not None else ()) if n in registry.names("metrics")]
    figures = {name: value for name in names if (value := _figure(name, kind, case, rng.child(name))) is not None}
    return replace(found, rate=rate, figures={**found.figures, split: {**figures, **_equal(here, made, items)}})


def _figure(name: str, kind: str, case: Case, rng: Rng) -> tuple[float, float | None] | None:
    metric: Metric = registry.get("metrics", name)()
    if metric.modalities and kind not in metric.modalities:
        return None
    got = measured(metric, case, rng)
    return (got.value, got.error) if isinstance(got, Reading) and isfinite(got.value) else None


def _equal(here: Dataset[Any], made: Any, train: Any) -> dict[str, tuple[float, float | None]]:
    """The shares of made items, and of judged ones, that equal a training item."""
    known = set(map(_hashable, here.modality.keys(train)))
    shares: list[tuple[float, float | None]] = []
    for items in (made, here.test):
        hits: Sequence[bool] = [_hashable(k) in known for k in here.modality.keys(items)]
        share = sum(hits) / max(1, len(hits))
        shares.append((share, (max(share * (1 - share), 1 / max(1, len(hits))) / max(1, len(hits))) ** 0.5))
    return dict(zip(EQUAL, shares, strict=True))


def _hashable(key: Any) -> Any:
    return key.item() if hasattr(key, "item") else key


def main(argv: Sequence[str]) -> int:
    """The process."""
    heat(Spec(**parse_json(Path(argv[0]).read_bytes(), "spec.json")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
