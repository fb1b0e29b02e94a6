"""Behind the commands: tasks checked by code, answers marked."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from ilk import recipe, registry
from ilk.backend import DEFAULT, chat_at
from ilk.chat import Want
from ilk.checked import Task
from ilk.commands._shared import OPTIONS
from ilk.console._shared import Answer
from ilk.errors import DataError
from ilk.files import plain
from ilk.verbs.mark import mark
from ilk.verbs.task import MANY, ONE, Done, passing, task


def wanted(temperature: float | None, tokens: int, seed: int, many: bool) -> Want:
    """How answers are made."""
    start = MANY if many else ONE
    options = {"temperature": start.temperature if temperature is None else temperature, "most": tokens, "seed": seed}
    return recipe.made(Want, options)


def task_command(name: str, inputs: Sequence[str], model: str | None, tries: int, want: Want) -> Answer:
    """Each input done, or not. `model` None is none, "" the embedded one."""
    job = _job(name)
    given = [job.read(word) for word in inputs]
    chat = None if model is None else chat_at(model or DEFAULT)
    done = [task(job, one, chat, tries=tries, want=want) for one in given]
    answer = {"task": name, "model": None if chat is None else chat.name, "seed": want.seed, "done": [_told(d) for d in done]}
    return answer, "\n\n".join(map(_shown, done))


def passing_command(name: str, inputs: Sequence[str], model: str | None, n: int, want: Want) -> Answer:
    """How many of n answers to each input pass."""
    job = _job(name)
    given = [job.read(word) for word in inputs]
    chat = chat_at(model or DEFAULT)
    found = [passing(job, one, chat, n, want) for one in given]
    ks = [k for k in (1, 2, 5, 10, 20, 50, 100) if k <= n]
    rows = [{"n": p.n, "right": p.right, "pass_at": {str(k): p.at(k) for k in ks}} for p in found]
    mean = {str(k): sum(p.at(k) for p in found) / len(found) for k in ks}
    lines = [f"{p.right} of {p.n} passed  {word[:60]}" for p, word in zip(found, inputs, strict=True)]
    answer = {"task": name, "model": chat.name, "seed": want.seed, "inputs": rows, "pass_at": mean}
    return answer, "\n".join([*lines, *(f"pass@{k}  {share:.3f}" for k, share in mean.items())])


def mark_command(keys: str, answers: str, tolerance: float, enough: float) -> Answer:
    """Marks line by line; DataError where there are not as many answers as keys."""
    wanted, said = _lines(keys), _lines(answers)
    if len(wanted) != len(said) or not wanted:
        raise DataError(f"{keys} has {len(wanted)} keys and {answers} {len(said)} answers", code="LINES", remedy="one on each line")
    marks = [mark(key, answer, tolerance=tolerance, enough=enough) for key, answer in zip(wanted, said, strict=True)]
    right = sum(m.right for m in marks)
    lines = [f"{'right' if m.right else 'wrong'}  {m.score:.2f}  {key}  <-  {answer}" for m, key, answer in zip(marks, wanted, said, strict=True)]
    return {"right": right, "of": len(marks), "marks": [asdict(m) for m in marks]}, "\n".join([*lines, f"{right} of {len(marks)} are right"])


def _job(name: str) -> Task[Any, Any]:
    job: Task[Any, Any] = recipe.made(registry.get("tasks", name), OPTIONS.get("tasks", {}))
    return job


def _lines(at: str) -> list[str]:
    try:
        return [line.strip() for line in Path(at).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as why:
        raise DataError(f"{at} can't be read: {why}", code="NOT_FOUND") from None


def _told(done: Done) -> dict[str, Any]:
    value = asdict(done.value) if is_dataclass(done.value) and not isinstance(done.value, type) else done.value
    attempts = [asdict(a) for a in done.attempts]
    return {"passed": done.passed, "value": _listed(value), "tokens": done.tokens, "attempts": plain(attempts)}


def _listed(value: Any) -> Any:
    """JSON, with sets as sorted lists."""
    if isinstance(value, dict):
        return {str(k): _listed(v) for k, v in value.items()}
    return [_listed(v) for v in (sorted(value) if isinstance(value, frozenset) else value)] if isinstance(value, list | tuple | frozenset) else value


def _shown(done: Done) -> str:
    if done.passed:
        return str(done.value)
    return "\n".join([f"not passed after {len(done.attempts)} answers; of the last one:", *(f"  {f.code}: {f.told}" for f in done.findings)])
