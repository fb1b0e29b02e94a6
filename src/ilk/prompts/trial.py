"""A trial: one or two prompts over questions with known answers, how good each is, and whether they can be told apart."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ilk.backend import DEFAULT
from ilk.errors import DataError, UsageError, nearest
from ilk.modalities._reading import from_memory, read_file
from ilk.modality import Limits
from ilk.prompts.asking import AS_WRITTEN, Asked, ask
from ilk.prompts.measures import measure, scored
from ilk.prompts.paired import Paired, mean_interval, paired
from ilk.prompts.strategies import Strategy
from ilk.prompts.template import Template
from ilk.rng import Rng
from ilk.run import Began, Ended, Listener, Progress, Run

MOST = 1_000_000
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a trial goes: the way of asking, the metric, the column of right answers, how often invalid answers are asked for again."""

    strategy: Strategy = AS_WRITTEN
    metric: str = "exact"
    expected: str = "expected"
    retries: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        measure(self.metric)
        if not 0 <= self.retries <= 100:
            raise UsageError(f"{self.retries} retries", code="OPTION", param="retries", remedy="0 to 100")


@dataclass(frozen=True)
class Side:
    """What one prompt came to: its answers and their scores, question by question; the mean with its 95 % interval."""

    prompt: Template
    answers: tuple[Asked, ...]
    scores: tuple[float, ...]
    low: float
    high: float

    @property
    def score(self) -> float:
        """The mean."""
        return sum(self.scores) / len(self.scores)

    @property
    def invalid(self) -> int:
        """How many questions got no valid answer; they count as wrong."""
        return sum(not a.valid for a in self.answers)

    def total(self, what: str) -> int:
        """The sum over answers of `read`, `made` or `cut`."""
        return sum(getattr(a, what) for a in self.answers)


@dataclass(frozen=True)
class Trial:
    """One or two sides, the questions they answered, and the comparison of the two."""

    sides: tuple[Side, ...]
    rows: tuple[Row, ...]
    rules: Rules
    compared: Paired | None

    @property
    def verdict(self) -> str:
        """The comparison in words; "" of one side."""
        return "" if self.compared is None else verdict(self.compared, *(str(s.prompt) for s in self.sides))

    def __repr__(self) -> str:
        return "\n".join(filter(None, (*(_line(s, self.rules.metric) for s in self.sides), self.verdict)))


def verdict(found: Paired, first: str, second: str) -> str:
    """A comparison in words.

    >>> verdict(Paired(0.02, -0.03, 0.07, 0.5, 5, 3, 100, "mcnemar"), "a@1", "a@2")
    "difference +0.0200 (95 % -0.0300 to +0.0700): they can't be told apart (p = 0.5, McNemar's exact test; better with a@2 5, with a@1 3 of 100)"
    """
    name = {"second": f"{second} is better", "first": f"{first} is better", None: "they can't be told apart"}[found.better]
    test = "McNemar's exact test" if found.test == "mcnemar" else "permutation test"
    return (f"difference {found.difference:+.4f} (95 % {found.low:+.4f} to {found.high:+.4f}): {name} (p = {found.p:.3g}, {test}; "
            f"better with {second} {found.won}, with {first} {found.lost} of {found.n})")


def _line(side: Side, metric: str) -> str:
    counts = ((side.invalid, "invalid"), (sum(bool(a.tied) for a in side.answers), "tied votes"), (side.total("cut"), "cut off at the limit"))
    more = [f"{n} {words}" for n, words in counts if n]
    return ", ".join([f"{side.prompt}: {metric} {side.score:.4f} (95 % {side.low:.4f} to {side.high:.4f}, n={len(side.scores)})", *more,
                      f"{side.total('read')} tokens read, {side.total('made')} made"])


def trial(prompts: Template | Sequence[Template], data: Any, model: Any = DEFAULT, rules: Rules | None = None, listeners: Sequence[Listener] = ()) -> Trial:
    """Asks one or two prompts every question of a table, whose columns hold the variables and the right answers.

    Scores are means from 0 to 1; an answer that is not valid counts 0. Two prompts are compared pair by pair: right or wrong answers by McNemar's exact test, graded ones
    by a permutation test. A `Kept` model is asked nothing twice, so that a trial that was stopped goes on.

    >>> from ilk.prompts import Variable
    >>> same = Template(name="same", body="{{text}}", variables={"text": Variable()})
    >>> trial(same, {"text": ["yes", "no"], "expected": ["Yes", "maybe"]}, "echo:")
    same@1: exact 0.5000 (95 % 0.0945 to 0.9055, n=2), 4 tokens read, 2 made
    """
    rules = rules or Rules()
    sides = (prompts,) if isinstance(prompts, Template) else tuple(prompts)
    if not 1 <= len(sides) <= 2:
        raise UsageError(f"{len(sides)} prompts", code="PROMPT", param="against", remedy="one, or two to compare")
    some = questions(data)
    values = [checked(prompt, some, rules) for prompt in sides]
    run, rng = Run(listeners=tuple(listeners)), Rng(rules.seed).child("trial")
    run.emit(Began(f"trial of {' and '.join(map(str, sides))}", len(some)))
    asked: list[list[Asked]] = [[] for _ in sides]
    for i, _ in enumerate(some):
        for prompt, known, into in zip(sides, values, asked, strict=True):
            into.append(_asked(prompt, known[i], model, rules, rng.child("question", i).key() % 2**62))
        run.emit(Progress(i + 1, (i + 1) / len(some)))
    run.emit(Ended("trial", len(some), 0.0))
    made = tuple(_side(prompt, into, some, rules) for prompt, into in zip(sides, asked, strict=True))
    return Trial(made, tuple(some), rules, compared(*made, rules) if len(made) == 2 else None)


def compared(first: Side, second: Side, rules: Rules) -> Paired:
    """Two sides over the same questions."""
    return paired(first.scores, second.scores, measure(rules.metric).graded, Rng(rules.seed).child("paired"))


def questions(data: Any) -> list[Row]:
    """The rows of a table: a file of CSV, JSONL, Parquet ..., a frame, a mapping of columns, or a list of mappings. Cells of a CSV stay texts as they are."""
    if isinstance(data, list | tuple) and all(isinstance(row, Mapping) for row in data):
        rows = [dict(row) for row in data]
    else:
        frame: Any = (read_file(Path(data), None, None, Limits()) if isinstance(data, str | Path) else from_memory(data)).frame
        rows = frame.to_dicts() if isinstance(frame, pl.DataFrame) else []
        if not isinstance(frame, pl.DataFrame):
            raise DataError(f"{data} is larger than a trial takes", code="TOO_LARGE", remedy="fewer questions")
    if not rows:
        raise DataError("there are no questions", code="EMPTY", remedy="a row for each, with a column for every variable and one of right answers")
    if len(rows) > MOST:
        raise DataError(f"{len(rows)} questions; the limit is {MOST}", code="TOO_LARGE")
    return rows


def checked(prompt: Template, rows: Sequence[Row], rules: Rules) -> list[Row]:
    """The values of every row for a prompt, all checked before anything is asked; DataError names the row and what is wrong with it."""
    columns = list(dict.fromkeys(k for row in rows for k in row))
    needs = [name for name, variable in prompt.variables.items() if variable.default is None]
    for name in [*needs, *([rules.expected] if measure(rules.metric).needs else [])]:
        if name not in columns:
            raise DataError(f"there is no column {name!r}" + (" of right answers" if name == rules.expected else f", which {prompt} needs"), code="COLUMN",
                            remedy=nearest(name, columns) + (" (--expected COLUMN)" if name == rules.expected else ""))
    found = []
    for number, row in enumerate(rows, 1):
        if measure(rules.metric).needs and row.get(rules.expected) is None:
            raise DataError(f"row {number} has no {rules.expected!r}", code="VALUE", remedy="fill it, or leave the row out")
        try:
            found.append(prompt.filled({k: v for k, v in row.items() if k in prompt.variables}))
        except UsageError as why:
            raise DataError(f"row {number}: {why.message}", code="VALUE", remedy=why.remedy) from None
    return found


def _asked(prompt: Template, values: Row, model: Any, rules: Rules, seed: int) -> Asked:
    """One answer; a question that does not fit the model's window has none, and the trial goes on."""
    try:
        return ask(prompt, values, model, rules.strategy, seed=seed, retries=rules.retries)
    except UsageError as why:
        if why.code != "CONTEXT":
            raise
        return Asked(None, "", (), (why.message,), 0.0)


def _side(prompt: Template, asked: Sequence[Asked], rows: Sequence[Row], rules: Rules) -> Side:
    scores = tuple(scored(rules.metric, one, _text(row.get(rules.expected))) for one, row in zip(asked, rows, strict=True))
    low, high = mean_interval(scores, measure(rules.metric).graded, Rng(rules.seed).child("interval"))
    return Side(prompt, tuple(asked), scores, low, high)


def _text(value: Any) -> str:
    """A right answer as a text: what is none is written as JSON has it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
