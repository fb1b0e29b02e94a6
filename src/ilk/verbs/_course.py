"""What a race is laid out as: who runs, the data cut to be judged, and the folder that keeps it all."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ilk import __version__, registry
from ilk.dataset import Dataset
from ilk.errors import UsageError
from ilk.files import atomic
from ilk.machine import machine
from ilk.run import Budget, Seconds, Steps
from ilk.store import parse_json
from ilk.verbs._entrants import Entrant, entrants
from ilk.verbs._heat import JUDGES
from ilk.verbs._kept import hashed, keep, kept

LEAST = 60.0            # seconds of a heat from which presets take part too
PIECES, LETTERS = 60, 4000   # into how many pieces of how many characters a whole text is cut to be judged
HOUR = 3600.0           # a heat's limit where the budget is a number of steps


@dataclass(frozen=True, kw_only=True)
class RaceRules:
    """How a race goes: one budget for all (seconds are divided evenly among all fits), bytes of memory for each, seeds and trials of the finalists.

    `judged` items of the validation and of the test set judge, at most.
    """

    budget: Budget = field(default_factory=lambda: Seconds(600))
    memory: int = 8 << 30
    seed: int = 0
    seeds: int = 3
    trials: int = 2
    finalists: int = 3
    judged: int = 1000
    threads: int = 1

    def __post_init__(self) -> None:
        for name, least, most in (("seeds", 1, 100), ("trials", 0, 1000), ("finalists", 0, 1000), ("judged", 20, 10**6), ("memory", 1 << 20, 1 << 60), ("threads", 1, 1024)):
            if not least <= getattr(self, name) <= most:
                raise UsageError(f"{name} is {getattr(self, name)}", remedy=f"{least} to {most}", code="OPTION", param=name)

    def seconds(self, runners: int, jobs: int) -> float:
        """The wall-clock limit of every heat."""
        if isinstance(self.budget, Steps):
            return HOUR
        return self.budget.count * jobs / (runners + min(runners, self.finalists) * (self.trials + self.seeds - 1))


def line(data: Dataset[Any], asked: Sequence[str], rules: RaceRules, jobs: int) -> tuple[list[Entrant], dict[str, str]]:
    """Who runs; presets only if all have time enough then."""
    families, absent = entrants(data, asked)
    if asked or isinstance(rules.budget, Steps):
        return families, absent
    everyone, out = entrants(data, asked, True)
    if rules.seconds(len(everyone), jobs) >= LEAST:
        return everyone, out
    return families, absent | {e.name: "the budget leaves no time for presets" for e in everyone if e.kind == "preset"}


def settled(folder: Path, data: Dataset[Any], runners: Sequence[Entrant], absent: Mapping[str, str], rules: RaceRules, jobs: int) -> dict[str, Any]:
    """What the race is, written down; of a folder with a race in it, that it is the same."""
    limit = rules.seconds(len(runners), jobs)
    kind = registry.name_of("modalities", data.modality)
    facts = {"ilk": __version__, "modality": kind, "data": data.origin.name, "sha": hashed(data.modality, data.items),
             "sizes": {k: len(v) for k, v in data.splits.items()}, "runners": {e.name: {"kind": e.kind, "recipe": e.recipe} for e in runners}, "absent": dict(absent),
             "budget": {type(rules.budget).__name__.lower(): rules.budget.count}, "seconds": limit,
             "judges": list(JUDGES.get(kind, ())), **{k: getattr(rules, k) for k in ("memory", "seed", "seeds", "trials", "finalists", "judged", "threads")}}
    place = folder / "race.json"
    if place.exists():
        before = parse_json(place.read_bytes(), "race.json")
        if differ := [k for k, v in json.loads(json.dumps(facts)).items() if before.get(k) != v and k not in ("ilk", "seconds")]:
            raise UsageError(f"{folder} holds another race ({', '.join(differ)} differ)", code="OUT", param="out",
                             remedy="another folder, or the same data, budget and families")
        kept(folder / "data")
        return {**facts, "machine": before["machine"], "seconds": before["seconds"]}
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is there already and is not a race", remedy="choose another name", code="OUT", param="out")
    keep(replace(data, captions=None, beside={}), folder / "data")
    facts = {**facts, "machine": machine()}
    with atomic(place) as file:
        file.write(json.dumps(facts, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return facts


def pieces(data: Dataset[Any]) -> Dataset[Any]:
    """A whole text cut into pieces where it judges, so that there is an error; what is learned from stays whole."""
    if getattr(data.modality, "per", "") != "whole":
        return data
    parts = {name: [text for whole in data.split(name) for text in (_cut(whole) if name != "train" else [whole])] for name in data.splits}
    ends = torch.tensor([0, *map(len, parts.values())]).cumsum(0).tolist()
    index = {name: torch.arange(a, b) for name, a, b in zip(parts, ends, ends[1:], strict=False)}
    return replace(data, items=[t for some in parts.values() for t in some], splits=index)


def _cut(text: str) -> list[str]:
    size = max(1, min(LETTERS, -(-len(text) // PIECES)))
    return [text[i:i + size] for i in range(0, len(text), size)][:PIECES]
