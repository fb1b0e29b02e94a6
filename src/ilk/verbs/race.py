"""race: every family that fits the data under one budget, judged alike, on one page: who wins, why, and what it costs."""
from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

import torch

from ilk import __version__, registry
from ilk.dataset import Dataset, split_dataset
from ilk.errors import DataError, UsageError
from ilk.files import atomic
from ilk.machine import machine
from ilk.model import Model, load
from ilk.run import Began, Budget, Ended, Listener, Noted, Progress, Run, Seconds, Steps, budget
from ilk.store import parse_json
from ilk.verbs._crews import Crew, Limits, Processes, Task
from ilk.verbs._entrants import Entrant, entrants
from ilk.verbs._heat import JUDGES, Result, Spec
from ilk.verbs._kept import hashed, keep, kept
from ilk.verbs._standings import Row, Scale, front, ranked, recommended, row, worth
from ilk.verbs._tuning import Tuning
from ilk.verbs.read import read

By = Literal["likelihood", "quality"]
START, LEARNING = 3.0, 0.6   # seconds in which a process begins; what part of the rest a heat learns, before it is scored and judged
LEAST = 15.0            # seconds of a heat from which presets take part too
PIECES, LETTERS = 60, 4000   # into how many pieces of how many characters a whole text is cut to be judged
HOUR = 3600.0           # a heat's limit where the budget is a number of steps


@dataclass(frozen=True, kw_only=True)
class Rules:
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


@dataclass(frozen=True, eq=False)
class Race:
    """What a race came to: `rows` by name, who did not take part and why, and whom to take.

    `decides` is what chooses: the likelihood of texts, else the quality of samples.
    """

    folder: Path
    rows: tuple[Row, ...]
    scale: Scale
    out: Mapping[str, str]
    decides: By
    facts: Mapping[str, Any]

    def ranking(self, by: By | None = None) -> list[tuple[int, str]]:
        """Ranks and names, the best first; those that can't be told apart share a rank."""
        return [(rank, r.name) for rank, r in ranked(self.rows, by or self.decides)]

    @cached_property
    def winner(self) -> Row:
        """Whom to take; DataError if nobody came to an end."""
        found, why = recommended(self.rows, self.decides)
        if found is None:
            raise DataError(why, code="NO_WINNER", remedy="a longer budget or more memory")
        return found

    @property
    def why(self) -> str:
        """The reason."""
        return recommended(self.rows, self.decides)[1]

    def by(self, name: str) -> Row:
        """One that took part."""
        for one in self.rows:
            if one.name == name:
                return one
        raise UsageError(f"{name!r} took no part: {self.out.get(name, 'there is no such family')}", code="NAME")

    def best(self) -> Model:
        """The model of the winner."""
        return load(self.folder / "heats" / self.winner.best.key / "model")

    def front(self) -> list[str]:
        """Those that nobody beats in both time and what decides."""
        return [r.name for r in front(self.rows, self.decides)]

    def __repr__(self) -> str:
        from ilk.verbs._race_text import text

        return text(self)


def race(data: Any, budget: str | float | Budget | None = None, families: Sequence[str] = (), *, rules: Rules | None = None, crew: Crew | None = None,
         out: str | Path | None = None, listeners: tuple[Listener, ...] = ()) -> Race:
    """Every family (and, with time for it, preset) that fits the data learns from the same items within the same limits, and is judged alike.

    `budget` is "10m" for all together, or ilk.Steps(n) for each fit, which gives the same race every time. The best few are tuned and repeated from other
    seeds. A floor (independent parts), two cheats (copies of the training items) and real items run too. `out` is a folder that keeps all; the same call
    goes on with it where it was interrupted.
    """
    rules = _rules(rules, budget)
    found = _pieces(split_dataset(data if isinstance(data, Dataset) else read(data)))
    if min(len(found.index(s)) for s in ("train", "valid", "test")) < 2:
        raise DataError("a race needs at least 2 items to learn from, to choose by and to judge by", code="TOO_FEW")
    crew = crew or Processes()
    runners, absent = _line(found, families, rules, crew.jobs)
    folder = Path(out) if out is not None else Path(mkdtemp(prefix="ilk-race-"))
    facts = _settled(folder, found, runners, absent, rules, crew.jobs)
    track = Track(folder, found, rules, crew, Run(listeners=listeners), facts["seconds"])
    results = track.run(runners)
    rows = standing(results, track.scale, track.decides)
    return Race(folder, rows, track.scale, absent, track.decides, facts)


def standing(results: Sequence[Result], scale: Scale, by: By) -> tuple[Row, ...]:
    """A row for each that took part."""
    names = sorted({r.name for r in results})
    rows = []
    for name in names:
        mine = [r for r in results if r.name == name]
        good = [r for r in mine if r.status == "done" and not r.key.rpartition("-")[2].startswith("seed")]
        best = max(good, key=lambda r: worth(r, scale, by) or worth(r, scale, "likelihood") or -1e300) if good else mine[0]
        rows.append(row(mine, best, scale))
    return tuple(rows)


@dataclass
class Track:
    """A race under way: heats of all, then the finals of the best."""

    folder: Path
    data: Dataset[Any]
    rules: Rules
    crew: Crew
    run_: Run
    limit: float
    results: list[Result] = field(default_factory=list)

    def run(self, runners: Sequence[Entrant]) -> list[Result]:
        """All results, in an order that depends on nothing."""
        total = len(runners) + self.rules.finalists * (self.rules.trials + self.rules.seeds - 1)
        start = time.monotonic()
        self.run_.emit(Began("race", total))
        self._go([self._heat(e) for e in runners], total)
        self._go([self._final(e) for e in self._finalists(runners)], total)
        self.run_.emit(Ended("race", len(self.results), time.monotonic() - start))
        return sorted(self.results, key=lambda r: r.key)

    @property
    def scale(self) -> Scale:
        """What figures are measured by."""
        return Scale.of(self.results)

    @cached_property
    def decides(self) -> By:
        """What chooses."""
        return "likelihood" if registry.name_of("modalities", self.data.modality) == "text" or not self.scale.real.get("valid") else "quality"

    def _go(self, tasks: Sequence[Task], total: int) -> None:
        for result in self.crew.run(tasks):
            self.results.append(result)
            said = f"{result.key}: {result.status}{f' ({result.why})' if result.why else ''}, {result.seconds:.1f} s"
            self.run_.emit(Noted(said))
            self.run_.emit(Progress(len(self.results), min(1.0, len(self.results) / total)))

    def _spec(self, entrant: Entrant) -> Spec:
        steps = self.rules.budget.count if isinstance(self.rules.budget, Steps) else None
        seconds = None if steps is not None else max(1.0, LEARNING * (self.limit - START))
        return Spec(str(self.folder), entrant.name, entrant.name, entrant.kind, entrant.recipe, self.rules.seed, seconds, steps, self.rules.judged, self.rules.threads)

    @property
    def _limits(self) -> Limits:
        return Limits(self.limit, self.rules.memory)

    def _heat(self, entrant: Entrant) -> Task:
        spec = self._spec(entrant)
        return Task(entrant.name, self._limits, lambda found: None if found else spec)

    def _final(self, entrant: Entrant) -> Task:
        first = next(r for r in self.results if r.key == entrant.name)
        tuning = Tuning(entrant, first, self._spec(entrant), self.rules.trials, self.rules.seeds, lambda r: worth(r, self.scale, self.decides))
        return Task(entrant.name, self._limits, tuning.then, tuning.watch)

    def _finalists(self, runners: Sequence[Entrant]) -> list[Entrant]:
        order = [r.name for _, r in ranked(standing(self.results, self.scale, self.decides), self.decides) if r.runs]
        best = order[:self.rules.finalists]
        return [e for e in runners if e.name in best]


def _rules(rules: Rules | None, asked: str | float | Budget | None) -> Rules:
    rules = rules or Rules()
    found = budget(asked)
    if found is not None and found.count <= 0:
        raise UsageError(f"a budget of {asked}", remedy="10m, or ilk.Steps(500)", param="budget")
    return rules if found is None else replace(rules, budget=found)


def _line(data: Dataset[Any], asked: Sequence[str], rules: Rules, jobs: int) -> tuple[list[Entrant], dict[str, str]]:
    """Who runs; presets only if all have time enough then."""
    families, absent = entrants(data, asked)
    if asked or isinstance(rules.budget, Steps):
        return families, absent
    everyone, out = entrants(data, asked, True)
    if rules.seconds(len(everyone), jobs) >= LEAST:
        return everyone, out
    return families, absent | {e.name: "the budget leaves no time for presets" for e in everyone if e.kind == "preset"}


def _settled(folder: Path, data: Dataset[Any], runners: Sequence[Entrant], absent: Mapping[str, str], rules: Rules, jobs: int) -> dict[str, Any]:
    """What the race is, written down; of a folder with a race in it, that it is the same."""
    limit = rules.seconds(len(runners), jobs)
    facts = {"ilk": __version__, "modality": registry.name_of("modalities", data.modality), "data": data.origin.name, "sha": hashed(data.modality, data.items),
             "sizes": {k: len(v) for k, v in data.splits.items()}, "runners": {e.name: {"kind": e.kind, "recipe": e.recipe} for e in runners}, "absent": dict(absent),
             "budget": {type(rules.budget).__name__.lower(): rules.budget.count}, "seconds": limit, "judges": list(JUDGES.get(registry.name_of("modalities", data.modality), ())),
             **{k: getattr(rules, k) for k in ("memory", "seed", "seeds", "trials", "finalists", "judged", "threads")}}
    place = folder / "race.json"
    if place.exists():
        before = parse_json(place.read_bytes(), "race.json")
        if differ := [k for k, v in json.loads(json.dumps(facts)).items() if before.get(k) != v and k not in ("ilk", "seconds")]:
            raise UsageError(f"{folder} holds another race ({', '.join(differ)} differ)", code="OUT", param="out", remedy="another folder, or the same data, budget and families")
        kept(folder / "data")
        return {**facts, "machine": before["machine"], "seconds": before["seconds"]}
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is there already and is not a race", remedy="choose another name", code="OUT", param="out")
    keep(replace(data, captions=None, beside={}), folder / "data")
    facts = {**facts, "machine": machine()}
    with atomic(place) as file:
        file.write(json.dumps(facts, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return facts


def _pieces(data: Dataset[Any]) -> Dataset[Any]:
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
