"""The doctor: the share of planted faults that are rightly named, and of things without faults that have an alarm."""
from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ilk
from ilk.errors import DataError

HERE = Path(__file__).parents[2] / "tests" / "doctor"
ARTICLES = {   # which names stand for the faults a, b, c ... of the program in each article
    "article_001": ("missing_import undefined_name", "non_scalar_backward", "detached_generator", "generator_sign", "missing_sigmoid", "swapped_labels noise_as_real unused_data",
                    "no_zero_grad needless_retain_graph optimizer_in_loop", "range_mismatch", "samples_printed"),
    "article_004": ("undefined_name", "whole_data_loss", "mean_in_elbo", "misnamed_loss", "single_example_batches", "linear_without_activation unused_layer", "reconstructions_as_samples")}


def figure(seed: int) -> dict[str, Any]:
    """The value is the share named of all planted faults; the floor is naming none, the ceiling all. Nothing is drawn, so every seed gives the same."""
    scripts = sorted((HERE / "scripts").rglob("*.py"))
    told = {at: _named(at) for at in scripts}
    planted = [(at.stem, fault, told[at]) for at in scripts for fault in _planted(at)]
    clean = [(at.stem, told[at]) for at in scripts if not _planted(at)]
    others, quiet = _cases()
    held = [(name, fault, found) for name, fault, found in planted if _held(scripts, name)]
    every, peaceful = [*planted, *others], [*clean, *quiet]
    named, alarms = _share(every), sum(bool(found) for _, found in peaceful) / len(peaceful)
    articles = {name: sum(set(group.split()) <= told[HERE / "scripts" / f"{name}.py"] for group in groups) for name, groups in ARTICLES.items()}
    return {"value": named, "named": named, "unit": "share of planted faults", "se": (named * (1 - named) / len(every)) ** 0.5, "sort": "count", "floor": 0.0, "ceiling": 1.0,
            "n": len(every), "false_alarms": alarms, "clean": len(peaceful),
            "scripts": {"named": _share(planted), "planted": len(planted), "held_back": _share(held), "clean": len(clean), "false_alarms": sum(bool(f) for _, f in clean) / len(clean)},
            "others": {"named": _share(others), "planted": len(others), "clean": len(quiet)}, "articles": {**articles, "of": {k: len(v) for k, v in ARTICLES.items()}},
            "missed": sorted(f"{name}: {fault}" for name, fault, found in every if fault not in found), "alarms": sorted(f"{name}: {', '.join(sorted(found))}" for name, found in peaceful if found),
            "protocol": "scripts with faults named in their first line, and things made by tests/doctor/cases.py; a fault counts as named if a finding has its name"}


def _planted(at: Path) -> list[str]:
    first = at.read_text(encoding="utf-8").split("\n")[0]
    return first.removeprefix("# fault: ").split(", ") if first.startswith("# fault: ") else []


def _held(scripts: list[Path], name: str) -> bool:
    return any(at.stem == name and "held" in at.parts for at in scripts)


def _named(thing: Any) -> set[str]:
    return {found.fault for found in ilk.doctor(thing).findings}


def _share(rows: list[tuple[str, str, set[str]]]) -> float:
    return sum(fault in found for _, fault, found in rows) / max(len(rows), 1)


def _cases() -> tuple[list[tuple[str, str, set[str]]], list[tuple[str, set[str]]]]:
    """Planted and healthy things that are no scripts; data that are not here are left out, and what healthy real data truly have is no alarm."""
    spec = importlib.util.spec_from_file_location("doctor_cases", HERE / "cases.py")
    if spec is None or spec.loader is None or not (HERE / "cases.py").exists():
        return [], []
    cases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cases)
    true = getattr(cases, "TRUE", {})
    planted = [(name, name, found) for name, found in _told(cases.FAULTY)]
    return planted, [(label, found - set(true.get(label, ()))) for label, found in _told(cases.CLEAN)]


def _told(makes: list[tuple[str, Any]]) -> Iterator[tuple[str, set[str]]]:
    for name, make in makes:
        try:
            yield name, _named(make())
        except DataError as why:
            if why.code != "DATA_MISSING":
                raise
