"""Planted faults are named, and things without are left in peace."""
from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.doctor import cases

import ilk
from ilk import registry
from ilk.dataset import Labels, split_dataset
from ilk.errors import DataError
from ilk.fault import Figure, Figures, Installation, Record
from ilk.progress import Log
from ilk.verbs._checkup import figures_of, installation, record_of

NAMED, ALARMS = 0.9, 0.02


@cache
def faults() -> tuple[Any, ...]:
    return tuple(registry.get("faults", name)() for name in registry.names("faults"))


def found(thing: Any) -> list[Any]:
    """What is found in a thing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [one for fault in faults() if isinstance(thing, fault.looks_at) for one in fault.find(thing)]


@cache
def looked(which: str) -> list[tuple[str, set[str]]]:
    """The names of what is found in each thing, those of data that are not here left out."""
    told = []
    for name, make in getattr(cases, which):
        try:
            told.append((name, {one.fault for one in found(make())}))
        except DataError as why:
            if why.code != "DATA_MISSING":
                raise
    return told


def test_planted_faults_are_named() -> None:
    told = looked("FAULTY")
    missed = [name for name, names in told if name not in names]
    assert len(told) >= 25 and len(missed) <= (1 - NAMED) * len(told), missed


def test_things_without_are_left_in_peace() -> None:
    told = looked("CLEAN")
    alarms = [(label, names - set(cases.TRUE[label])) for label, names in told if names - set(cases.TRUE[label])]
    assert len(told) >= 25 and len(alarms) <= ALARMS * len(told), alarms


def test_what_real_data_truly_have_is_found() -> None:
    told = [(label, names) for label, names in looked("CLEAN") if cases.TRUE[label]]
    assert all(names >= set(cases.TRUE[label]) for label, names in told)


def test_every_fault_is_planted_and_says_where_why_and_what_to_do() -> None:
    mine = {registry.name_of("faults", fault) for fault in faults() if fault.looks_at in (ilk.Dataset, Record, Figures, Installation)}
    assert {name for name, _ in cases.FAULTY} == mine
    for name, make in cases.FAULTY[40:50]:
        one = next(one for one in found(make()) if one.fault == name)
        assert one.where and any(c.isdigit() for c in one.why) and one.remedy and one.page == f"docs/en/doctor.md#{name}"


def test_a_records_events_come_from_a_card_a_log_and_a_strange_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    data = np.random.default_rng(0).normal(size=(300, 3))
    with Log(log) as listener:
        model = ilk.fit(data, ilk.Flow(), run=ilk.Run(budget=ilk.Steps(120), listeners=(listener,)))
    kept, told = (record_of(thing) for thing in (model.save(tmp_path / "m.ilk"), log))
    losses = [[e["loss"] for e in record.events if e["event"] == "validated"] for record in (kept, told)]
    assert losses[0] and losses[0] == pytest.approx(losses[1][: len(losses[0])], rel=1e-5) and kept.facts["steps"] == 120
    log.write_text(json.dumps({"epoch": 3, "train_loss": 2.0, "val_loss": 2.5, "kl": 0.1}) + "\n{\"half", encoding="utf-8")
    assert list(record_of(log).events) == [{"event": "progress", "epoch": 3, "kl": 0.1, "step": 3, "loss": 2.0}, {"event": "validated", "step": 3, "loss": 2.5}]


@pytest.mark.parametrize("text", ["", "no json", "[1, 2]\n3", "\x00\x01"])
def test_what_is_no_log_is_refused(text: str, tmp_path: Path) -> None:
    at = tmp_path / "log.jsonl"
    at.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="holds no events"):
        record_of(at)
    with pytest.raises(DataError, match="there is no file"):
        record_of(tmp_path / "none.jsonl")


def test_figures_of_an_evaluation() -> None:
    frame = cases.people(400, 1).drop("since")
    data = split_dataset(ilk.read(frame))
    models = {"one": ilk.fit(data, ilk.GMM(components=1)), "two": ilk.fit(data, ilk.GMM(components=2))}
    several = {name: ilk.evaluate(model, data, n=60, only=("nats", "c2st")) for name, model in models.items()}
    told = figures_of(several, data, seeds=1)
    assert {f.model for f in told.figures} == {"one", "two"} and told.facts == {"made": 40, "kind": "table", "test": 40, "seeds": 1}
    assert {one.fault for one in found(told)} >= {"one_seed", "too_few_samples"}


def test_a_step_told_twice_is_one_point() -> None:
    losses = [3.0, 2.0, 1.5, 1.6, 2.4, 2.8]
    events = [{"event": "validated", "step": 10 * i, "loss": loss} for i, loss in enumerate(losses, 1)]
    one = next(one for one in found(Record([*events, events[-1]])) if one.fault == "over_fitting")
    assert "step 30" in one.where and "until step 60" in one.why


def halves(items: Any, labels: Any = None) -> Any:
    data = ilk.read(items)
    known = None if labels is None else Labels(torch.as_tensor(labels), tuple(range(int(max(labels)) + 1)))
    return replace(data, splits={"train": torch.arange(60), "test": torch.arange(60, len(data))}, labels=known)


ODD: dict[str, Any] = {
    "two rows": lambda: ilk.read({"a": [1, 2]}),
    "no cells": lambda: ilk.read({"a": [None] * 30, "b": ["x"] * 30}),
    "a label alone": lambda: ilk.read({"label": ["u", "v"] * 50}),
    "empty texts": lambda: halves([""] * 100),
    "one text": lambda: ilk.read(["x" * 100_000]),
    "numbers without places": lambda: ilk.read(np.zeros(5)),
    "nothing but zeros": lambda: halves(np.zeros((100, 4)), [0, 1] * 50),
    "black pictures": lambda: ilk.read(np.zeros((40, 12, 12, 3), np.uint8)),
    "a class for each": lambda: halves(np.random.default_rng(0).normal(size=(100, 3)), list(range(100))),
    "no test items": lambda: replace(halves(np.zeros((60, 2))), labels=None),
    "no events": lambda: Record([]),
    "events of nothing": lambda: Record([{}, {"event": "noted"}, {"event": "progress", "step": None, "loss": 1.0}, {"event": "validated", "loss": "x"}]),
    "the same step": lambda: Record([{"event": "validated", "step": 0, "loss": 0.0}] * 30),
    "huge losses": lambda: Record([{"event": "progress", "loss": 1e308 * (-1) ** i} for i in range(20)]),
    "no figures": lambda: Figures([]),
    "figures of nothing": lambda: Figures([Figure("fid", math.nan, math.nan, 0, math.nan, math.nan, "higher"),
                                           Figure("nats", -math.inf, None, None, -math.inf, math.inf, "higher")]),
    "no machine": lambda: Installation({}, {}),
    "a strange machine": lambda: Installation({"torch": "odd"}, {"threads": {"OMP_NUM_THREADS": "-1"}, "cores": None, "modules": [".py"], "files": [1], "features": None}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_things_are_looked_at_without_an_error(name: str) -> None:
    assert all(one.where is not None and one.why and one.remedy for one in found(ODD[name]()))


def test_this_machine_is_looked_at() -> None:
    here = installation()
    assert here.versions["torch"] and here.machine["cores"] >= 1 and isinstance(here.machine["cache_writable"], bool)
    assert all(one.remedy for one in found(here))
