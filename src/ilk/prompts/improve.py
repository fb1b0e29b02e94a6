"""A search for a better prompt: typed edits, chosen on one part of the questions, judged on another."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log2
from typing import Annotated, Any

from annotated_types import Interval

from ilk.backend import DEFAULT
from ilk.chat import Want
from ilk.errors import DataError, UsageError
from ilk.prompts.asking import ask
from ilk.prompts.outputs import Invalid
from ilk.prompts.strategies import ZeroShot
from ilk.prompts.template import Example, Template
from ilk.prompts.trial import Row, Rules, Trial, checked, questions, trial
from ilk.prompts.variables import Variable
from ilk.rng import Rng
from ilk.run import Began, Ended, Listener, Progress, Run

SHARES, FEWEST, FIRST = (0.2, 0.4), 30, 8   # of questions to take examples from and to choose on (the rest judge); questions in all; in the first round at least
WRITER = Template(
    name="writer", system="You write instructions for a language model. You answer with the instruction and nothing else.",
    body="Now the instruction is:\n\n{{instruction}}\n\nThese questions are put to the model, with the right answers:\n\n{% for one in shown %}\n{{one}}\n\n{% endfor %}\n"
         "Write another instruction, under which it would answer better.",
    variables={"instruction": Variable(default="Answer the question."), "shown": Variable(type="array")}, want=Want(temperature=1.0, most=200))


@dataclass(frozen=True)
class Instruction:
    """The system's turn says something else."""

    text: str

    def of(self, prompt: Template) -> Template:
        """The prompt with it."""
        return replace(prompt, system=self.text)

    def __str__(self) -> str:
        return f"instruction: {' '.join(self.text.split())[:100]}"


@dataclass(frozen=True)
class Shown:
    """These examples are shown."""

    examples: tuple[Example, ...]

    def of(self, prompt: Template) -> Template:
        """The prompt with them in the place of its own."""
        return replace(prompt, examples=self.examples)

    def __str__(self) -> str:
        return f"{len(self.examples)} examples of the training part"


@dataclass(frozen=True)
class Reordered:
    """Its own examples in another order."""

    order: tuple[int, ...]

    def of(self, prompt: Template) -> Template:
        """The prompt with that order."""
        return replace(prompt, examples=tuple(prompt.examples[i] for i in self.order))

    def __str__(self) -> str:
        return f"examples in the order {', '.join(str(i + 1) for i in self.order)}"


Edit = Instruction | Shown | Reordered


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is tried: instructions of a list, some more that the model writes, at most so many examples, and how many candidates in all."""

    instructions: tuple[str, ...] = ()
    write: Annotated[int, Interval(ge=0, le=100)] = 0
    shots: Annotated[int, Interval(ge=0, le=64)] = 4
    tries: Annotated[int, Interval(ge=2, le=1000)] = 16

    def __post_init__(self) -> None:
        for name, value, low, high in (("write", self.write, 0, 100), ("shots", self.shots, 0, 64), ("tries", self.tries, 2, 1000)):
            if not low <= value <= high:
                raise UsageError(f"{name} is {value}", code="OPTION", param=name, remedy=f"{low} to {high}")


@dataclass(frozen=True)
class Improved:
    """The prompt that was chosen, the edits that make it, and how it does beside the old one on questions that took no part in the choice.

    How it did on those that it was chosen on is not told: the best of many is best by luck too.
    """

    best: Template
    edits: tuple[str, ...]
    test: Trial
    tried: int
    chosen_on: int

    @property
    def changed(self) -> bool:
        """Whether anything did better than the prompt as it was."""
        return bool(self.edits)

    def __repr__(self) -> str:
        head = f"{self.tried} candidates, chosen on {self.chosen_on} questions; on {len(self.test.rows)} others, which took no part in the choice:"
        what = "; ".join(self.edits) if self.edits else "none did better than the prompt as it is"
        return f"{head}\n{self.test!r}\n{what}"


def improve(prompt: Template, data: Any, model: Any = DEFAULT, search: Search | None = None, rules: Rules | None = None,
            listeners: Sequence[Listener] = ()) -> Improved:
    """Edits a prompt at random, halves the candidates on ever more validation questions (Jamieson & Talwalkar 2016), and judges the last one on test questions."""
    search, rules = search or Search(), rules or Rules()
    rng, run = Rng(rules.seed).child("improve"), Run(listeners=tuple(listeners))
    rows = questions(data)
    checked(prompt, rows, rules)
    train, valid, test = _parts(prompt, rows, rng.child("parts"))
    candidates = _candidates(prompt, _examples(prompt, train, rules), model, search, rng)
    chosen = _halved([(), *candidates], prompt, valid, model, rules, run)
    best = _edited(prompt, chosen)
    best = replace(best, version=prompt.version + 1) if chosen else prompt
    judged = trial((prompt, best) if chosen else prompt, test, model, rules, listeners)
    return Improved(best, tuple(map(str, chosen)), judged, 1 + len(candidates), len(valid))


def _parts(prompt: Template, rows: Sequence[Row], rng: Rng) -> tuple[list[Row], list[Row], list[Row]]:
    """Training, validation and test questions; equal ones are in one part."""
    keys = [json.dumps([row.get(name) for name in prompt.variables], default=str) for row in rows]
    names = list(dict.fromkeys(keys))
    if len(names) < FEWEST:
        raise DataError(f"{len(names)} different questions", code="TOO_FEW", remedy=f"{FEWEST} at least; 200 tell more")
    place = dict(zip(names, rng.shuffle(len(names)).argsort().tolist(), strict=True))
    ends = [round(SHARES[0] * len(names)), round(sum(SHARES) * len(names))]
    parts: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
    for row, key in sorted(zip(rows, keys, strict=True), key=lambda pair: place[pair[1]]):
        parts[sum(place[key] >= end for end in ends)].append(row)
    return parts


def _examples(prompt: Template, rows: Sequence[Row], rules: Rules) -> list[Example]:
    """Training questions with their answers, those that the prompt's output allows."""
    found = []
    for row in rows:
        answer = row.get(rules.expected)
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)
        try:
            prompt.output.parse(text)
        except Invalid:
            continue
        if answer is not None:
            found.append(Example({k: v for k, v in row.items() if k in prompt.variables and v is not None}, text))
    return found


def _candidates(prompt: Template, examples: Sequence[Example], model: Any, search: Search, rng: Rng) -> list[tuple[Edit, ...]]:
    """Different prompts: every instruction by itself, then instructions with examples at random."""
    written = _written(prompt, examples, model, search.write, rng.child("write"))
    instructions: list[tuple[Edit, ...]] = [(), *((Instruction(text),) for text in dict.fromkeys((*search.instructions, *written)))]
    made: dict[str, tuple[Edit, ...]] = {}
    for i in range(20 * search.tries):
        edits = instructions[i + 1] if i + 1 < len(instructions) else (*instructions[_one(rng.child("instruction", i), len(instructions))],
                                                                      *_drawn(prompt, examples, search.shots, rng.child("examples", i)))
        edited = _edited(prompt, edits)
        if edited.fingerprint != prompt.fingerprint:
            made.setdefault(edited.fingerprint, edits)
        if len(made) == search.tries - 1:
            break
    return list(made.values())


def _one(rng: Rng, below: int) -> int:
    return int(rng.integers(1, below)[0])


def _drawn(prompt: Template, examples: Sequence[Example], most: int, rng: Rng) -> tuple[Edit, ...]:
    """Examples of the training part in a random order, or the prompt's own in another."""
    many = len(prompt.examples)
    if many > 1 and (not examples or not most or _one(rng.child("which"), 2)):
        return (Reordered(tuple(rng.child("order").shuffle(many).tolist())),)
    k = min(len(examples), 1 + _one(rng.child("k"), most)) if most else 0
    return (Shown(tuple(examples[i] for i in rng.child("draw").shuffle(len(examples))[:k].tolist())),) if k else ()


def _written(prompt: Template, examples: Sequence[Example], model: Any, many: int, rng: Rng) -> list[str]:
    """Instructions by the model itself. One that looks like a template is left out: what a model writes is data."""
    found = []
    for i in range(many):
        some = [examples[j] for j in rng.child(i).shuffle(len(examples))[:3].tolist()]
        shown = [f"{prompt.asked(e.values)}\n{e.answer}" for e in some]
        said = ask(WRITER, {"shown": shown, **({"instruction": prompt.system} if prompt.system else {})}, model, ZeroShot(), seed=rng.child(i, "seed").key() % 2**62)
        if said.value and not any(mark in said.value for mark in ("{{", "{%", "{#")):
            found.append(said.value)
    return found


def _edited(prompt: Template, edits: Sequence[Edit]) -> Template:
    for edit in edits:
        prompt = edit.of(prompt)
    return prompt


def _halved(candidates: Sequence[tuple[Edit, ...]], prompt: Template, rows: Sequence[Row], model: Any, rules: Rules, run: Run) -> tuple[Edit, ...]:
    """The best candidate on validation questions, no edit at all unless it is beaten. The first candidate is the prompt as it is, which stays to the end."""
    rounds = max(1, ceil(log2(max(2, len(candidates)))))
    left, scores = list(range(len(candidates))), [list[float]() for _ in candidates]
    run.emit(Began(f"search from {prompt}", rounds))
    for k in range(rounds):
        many = min(len(rows), max(FIRST, ceil(len(rows) / 2 ** (rounds - 1 - k))))
        for c in left:
            if more := rows[len(scores[c]):many]:
                scores[c] += trial(_edited(prompt, candidates[c]), more, model, rules).sides[0].scores
        order = sorted(left[1:], key=lambda c: -sum(scores[c]))
        left = [0, *order[:max(1, len(left) // 2 - 1)]]
        run.emit(Progress(k + 1, (k + 1) / rounds))
    run.emit(Ended("search", rounds, 0.0))
    return candidates[max(left, key=lambda c: (sum(scores[c]), -c))]
