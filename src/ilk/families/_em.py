"""Expectation-maximisation (Dempster, Laird & Rubin 1977): one loop for every family that learns from sums."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ilk.errors import TrainingError
from ilk.run import Began, Ended, Progress, Run
from ilk.store import State


class Learner(Protocol):
    """What the loop needs: sums that add up, among them `nats` (log-likelihood in all) and `items`, and a step that takes them in."""

    def add(self, one: State, other: State) -> State: ...
    def absorb(self, state: State) -> None: ...
    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...


@dataclass(frozen=True)
class Climb:
    """At most so many rounds; it ends when one gains less than `tolerance` nats an item."""

    name: str
    rounds: int
    tolerance: float


def total(body: Learner, parts: Iterable[State]) -> State:
    """The sum of the statistics of parts; TrainingError if there are none."""
    sums: State | None = None
    for part in parts:
        sums = part if sums is None else body.add(sums, part)
    if sums is None:
        raise TrainingError("there are no items to learn from", code="EMPTY")
    return sums


def climb(body: Learner, begin: Callable[[], None], sums: Callable[[], State], run: Run, how: Climb) -> float:
    """Rounds of statistics and absorbing from where `begin` or a checkpoint puts it; log-likelihood in nats an item before the last."""
    saved, start, before = run.saved(), 0, -float("inf")
    if saved is None:
        begin()
    else:
        body.restore(saved)
        start, before = int(saved.facts["round"]), float(saved.facts["before"])
    rounds, done, now = run.steps(how.rounds), start, before
    run.emit(Began(how.name, rounds))
    for done in range(start + 1, rounds + 1):
        found = sums()
        now = float(found.tensors["nats"]) / float(found.tensors["items"])
        if not now > -float("inf"):
            raise TrainingError(f"the likelihood became {now} in round {done}", remedy="a larger --ridge or --smoothing")
        body.absorb(found)
        facts = {"round": done, "before": now}
        run.tick(lambda: _marked(body.state(), facts))  # noqa: B023
        run.emit(Progress(done, done / rounds, -now))
        if now - before < how.tolerance:
            break
        before = now
    run.emit(Ended(how.name, done, 0.0))
    return now


def _marked(state: State, facts: Mapping[str, float]) -> State:
    return replace(state, facts={**state.facts, **facts})


def least(tried: Iterable[int], cost: Callable[[int], float], gain: float = 0.0) -> tuple[int, float]:
    """The number of least cost, and its cost; they are tried in order until two on end are not better by the gain than the best."""
    best, found, worse = float("inf"), 1, 0
    for k in tried:
        now = cost(k)
        best, found, worse = (now, k, 0) if now < best - gain else (best, found, worse + 1)
        if worse == 2:
            break
    return found, best
