"""race: every family that fits the data under one budget, judged alike, on one page: who wins, why, and what it costs."""
from __future__ import annotations

import shutil
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

from torch import Tensor

from ilk import registry
from ilk.dataset import Dataset, split_dataset
from ilk.errors import DataError, UsageError
from ilk.model import Model, load
from ilk.run import Began, Budget, Ended, Listener, Noted, Progress, Run, Steps, budget
from ilk.store import read_folder, tensors_from_bytes
from ilk.verbs._course import RaceRules, line, pieces, settled
from ilk.verbs._crews import Crew, Limits, Processes, Task
from ilk.verbs._entrants import Entrant
from ilk.verbs._heat import Result, Spec
from ilk.verbs._race_words import reason
from ilk.verbs._standings import Row, Scale, front, ranked, recommended, row, worth
from ilk.verbs._tuning import Tuning
from ilk.verbs.read import read

By = Literal["likelihood", "quality"]
START, LEARNING = 3.0, 0.6   # seconds in which a process begins; what part of the rest a heat learns, before it is scored and judged


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
        found = recommended(self.rows, self.decides)[0]
        if found is None:
            raise DataError(self.why, code="NO_WINNER", remedy="a longer budget or more memory")
        return found

    @property
    def why(self) -> str:
        """The reason."""
        return reason(self.rows, self.decides)

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


def race(data: Any, budget: str | float | Budget | None = None, families: Sequence[str] = (), *, rules: RaceRules | None = None, crew: Crew | None = None,
         out: str | Path | None = None, listeners: tuple[Listener, ...] = ()) -> Race:
    """Every family (and, with time for it, preset) that fits the data learns from the same items within the same limits, and is judged alike.

    `budget` is "10m" for all together, or ilk.Steps(n) for each fit, which gives the same race every time. The best few are tuned and repeated from other
    seeds. A floor (independent parts), two cheats (copies of the training items) and real items run too. `out` is a folder that keeps all; the same call
    goes on with it where it was interrupted. Without, all is gone with the Race.
    """
    rules = _rules(rules, budget)
    found = pieces(split_dataset(data if isinstance(data, Dataset) else read(data)))
    if min(len(found.index(s)) for s in ("valid", "test")) < 2:
        raise DataError("a race needs at least 2 items to choose by and 2 to judge by", code="TOO_FEW")
    crew = crew or Processes()
    runners, absent = line(found, families, rules, crew.jobs)
    folder = Path(out) if out is not None else Path(mkdtemp(prefix="ilk-race-"))
    facts = settled(folder, found, runners, absent, rules, crew.jobs)
    track = Track(folder, found, rules, crew, Run(listeners=listeners), facts["seconds"])
    results = track.run(runners)
    rows = standing(folder, results, track.scale, track.decides)
    made = Race(folder, rows, track.scale, absent, track.decides, facts)
    if out is None:
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def standing(folder: Path, results: Sequence[Result], scale: Scale, by: By) -> tuple[Row, ...]:
    """A row for each that took part."""
    names = sorted({r.name for r in results})
    rows = []
    for name in names:
        mine = [r for r in results if r.name == name]
        good = [r for r in mine if r.status == "done" and not r.key.rpartition("-")[2].startswith("seed")]
        best = max(good, key=lambda r: _chosen(r, scale, by)) if good else mine[0]
        rows.append(row(mine, best, scale, nats(folder, best)))
    return tuple(rows)


def _chosen(result: Result, scale: Scale, by: By) -> float:
    """What says which of its options one takes: what decides, else the likelihood."""
    found = [v for v in (worth(result, scale, by), worth(result, scale, "likelihood")) if v is not None]
    return found[0] if found else -float("inf")


def nats(folder: Path, result: Result) -> dict[str, Tensor]:
    """The nats of every judged item of a heat, by split."""
    if result.status != "done":
        return {}
    return tensors_from_bytes(read_folder(folder / "heats" / result.key / "result", ("nats.safetensors",))["nats.safetensors"])


@dataclass
class Track:
    """A race under way: heats of all, then the finals of the best."""

    folder: Path
    data: Dataset[Any]
    rules: RaceRules
    crew: Crew
    told: Run
    limit: float
    results: list[Result] = field(default_factory=list)

    def run(self, runners: Sequence[Entrant]) -> list[Result]:
        """All results, in an order that depends on nothing."""
        total = len(runners) + self.rules.finalists * (self.rules.trials + self.rules.seeds - 1)
        start = time.monotonic()
        self.told.emit(Began("race", total))
        self._go([self._heat(e) for e in runners], total)
        self._go([self._final(e) for e in self._finalists(runners)], total)
        self.told.emit(Ended("race", len(self.results), time.monotonic() - start))
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
            self.told.emit(Noted(said))
            self.told.emit(Progress(len(self.results), min(1.0, len(self.results) / total)))

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
        order = [r.name for _, r in ranked(standing(self.folder, self.results, self.scale, self.decides), self.decides) if r.runs]
        best = order[:self.rules.finalists]
        return [e for e in runners if e.name in best]


def _rules(rules: RaceRules | None, asked: str | float | Budget | None) -> RaceRules:
    rules = rules or RaceRules()
    found = budget(asked)
    if found is not None and found.count <= 0:
        raise UsageError(f"a budget of {asked}", remedy="10m, or ilk.Steps(500)", param="budget")
    return rules if found is None else replace(rules, budget=found)
