"""How often the embedded model's answers to tasks pass their checks: at once, and after being told what was wrong."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import ilk
from benchmarks.figures.task_checks import PASSAGES
from ilk.backend import DEFAULT, chat_at
from ilk.checked import Task
from ilk.tasks._program import Problem
from ilk.tasks.code import Code
from ilk.tasks.extraction import Extraction
from ilk.tasks.quiz import Quiz
from ilk.tasks.summary import Summary
from ilk.verbs.task import ONE

PROBLEMS = (Problem("add(a, b), the sum of two numbers", ("assert add(1, 2) == 3", "assert add(-1, 1) == 0")),
            Problem("even(n), whether a whole number is even", ("assert even(4) is True", "assert even(7) is False")),
            Problem("longest(words), the longest of some words", ("assert longest(['a', 'abc', 'ab']) == 'abc'",)),
            Problem("squares(n), a list of the squares of 1 to n", ("assert squares(3) == [1, 4, 9]",)))
TRIES, TOKENS = 3, 160


def figure(seed: int) -> dict[str, Any]:
    """`value` is the share that passed within three answers, `first` with the first one; each task by itself beside."""
    english = [text for text, _, _ in PASSAGES[:4]]
    jobs: list[tuple[Task[Any, Any], Any]] = [(Extraction(fields={"number": "number", "name": "text"}), t) for t in english]
    jobs += [(Summary(ratio=0.6), t) for t in english] + [(Quiz(questions=1), t) for t in english] + [(Code(), p) for p in PROBLEMS]
    model = chat_at(DEFAULT)
    done = [(type(job).__name__.lower(), ilk.task(job, given, model, tries=TRIES, want=replace(ONE, most=TOKENS, seed=seed))) for job, given in jobs]
    each = {name: f"{sum(d.passed for n, d in done if n == name)} of {sum(n == name for n, _ in done)}" for name in dict.fromkeys(n for n, _ in done)}
    return {"value": sum(d.passed for _, d in done) / len(done), "first": sum(not d.attempts[0].findings for _, d in done) / len(done), "n": len(done), "unit": "share passed",
            "floor": 0.0, "ceiling": 1.0, "published": None, **each, "tokens": sum(d.tokens for _, d in done),
            "failed": [[name, sorted({f.code for f in d.findings})] for name, d in done if not d.passed],
            "protocol": f"{model.name}, temperature {ONE.temperature}, at most {TOKENS} tokens an answer, {TRIES} answers at most; passed says that no check failed, not that the answer is right"}
