"""steer: more is given while items are made. {"n", "seed", "given", "turns": [{"step", "given"}], "stream"} -> pieces {"step", "of", "items"}, the whole last."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ilk.errors import UsageError
from ilk.serve.ops._asked import model_of, way_of, whole
from ilk.serve.ops._worked import made
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.steps import Step, steps

MOST, SHOWN = 64, 20   # turns of a request; states that are shown


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """Step by step; at the step of a turn what it gives is given besides."""
    model, turns = model_of(held, ask.body), turns_of(ask.body.get("turns"))
    going: Iterator[Step] = steps(model, whole(ask.body, "n", 1, 1, 1024), whole(ask.body, "seed", 0, -(2**63), 2**63 - 1), way_of(model, ask.body))
    last: Step | None = None
    shown = -1
    while (state := next(going, None)) is not None:
        last = state
        if turns and state.step >= turns[0][0]:
            going = state.steer(*turns.pop(0)[1]).steps()
        place = SHOWN * state.step // max(1, state.of)
        if ask.body.get("stream") and place > shown and state.step < state.of:
            shown = place
            yield made(model, state.items, step=state.step, of=state.of)
        else:
            yield None
    if last is None or turns:
        raise UsageError(f"there is no step {turns[0][0] if turns else 0}", code="STEER", param="turns", remedy="an earlier step")
    yield made(model, last.items, step=last.step, of=last.of)


def turns_of(said: Any) -> list[tuple[int, list[Any]]]:
    """Steps and what is given there, in order; UsageError for anything else."""
    if not isinstance(said, list) or len(said) > MOST:
        raise UsageError("turns are a list", code="STEER", param="turns", remedy='[{"step": 4, "given": ["age > 60"]}]')
    found: dict[int, list[Any]] = {}
    for turn in said:
        step, rules = (turn.get("step"), turn.get("given")) if isinstance(turn, Mapping) else (None, None)
        if not isinstance(step, int) or isinstance(step, bool) or step < 0 or not isinstance(rules, list) or not rules or not all(isinstance(r, str | dict) for r in rules):
            raise UsageError("a turn is a step and what is given there", code="STEER", param="turns", remedy='[{"step": 4, "given": ["age > 60"]}]')
        found.setdefault(step, []).extend(rules)
    return sorted(found.items())
