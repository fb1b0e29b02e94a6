"""Expectation-maximisation (Dempster, Laird & Rubin 1977): one loop for every family that learns from sums."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from ilk.batch import Batch, Source
from ilk.errors import TrainingError
from ilk.run import Began, Ended, Progress, Run, Validated
from ilk.store import State

T = TypeVar("T")
CHUNK, PREPARED, BEST = 1 << 16, 1 << 30, "best."   # items at once, bytes kept for all rounds, what a checkpoint calls the best round's tensors
FACTS = ("round", "before", "best", "best_round")


class Learner(Protocol):
    """What the loop needs: sums that add up, among them `nats` (log-likelihood in all) and `items`, and a step that takes them in."""

    def add(self, one: State, other: State) -> State: ...
    def absorb(self, state: State) -> None: ...
    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...


@dataclass(frozen=True)
class Climb:
    """At most so many rounds; it ends when one gains less than `tolerance` nats an item, or `patience` of them no more than that on validation items."""

    name: str
    rounds: int
    tolerance: float
    patience: int = 5


@dataclass
class Best:
    """The round that explains the validation items best."""

    nats: float = -float("inf")
    round: int = 0
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Anew(Generic[T]):
    """An iterable that is made again each time."""

    make: Callable[[], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        return self.make()


def prepared(data: Source, item_bytes: int, make: Callable[[Batch], T]) -> Iterable[T]:
    """All items made ready: once for all rounds where they take at most 1 GiB, else anew in each."""
    if len(data) * item_bytes <= PREPARED:
        return [make(chunk) for chunk in data.chunks(CHUNK)]
    return Anew(lambda: map(make, data.chunks(CHUNK)))


def total(body: Learner, parts: Iterable[State]) -> State:
    """The sum of the statistics of parts; TrainingError if there are none."""
    sums: State | None = None
    for part in parts:
        sums = part if sums is None else body.add(sums, part)
    if sums is None:
        raise TrainingError("there are no items to learn from", code="EMPTY")
    return sums


def climb(body: Learner, begin: Callable[[], None], sums: Callable[[], State], run: Run, how: Climb, judge: Callable[[], float] | None = None) -> float:
    """Rounds of statistics and absorbing from where `begin` or a checkpoint puts it; log-likelihood in nats an item before the last.

    With `judge`, the validation items' nats an item, the best round is what remains.
    """
    start, before, best = _started(body, begin, run)
    rounds, done, now = run.steps(how.rounds), start, before
    run.emit(Began(how.name, rounds))
    for done in range(start + 1, rounds + 1):
        found = sums()
        now = float(found.tensors["nats"]) / float(found.tensors["items"])
        if not now > -float("inf"):
            raise TrainingError(f"the likelihood became {now} in round {done}", remedy="a larger --ridge or --smoothing")
        body.absorb(found)
        if judge is not None:
            held = judge()
            better = held > best.nats + how.tolerance
            run.emit(Validated(done, -held, better))
            best = Best(held, done, body.state().tensors) if better else best
        run.tick(lambda: _checkpoint(body, done, now, best))  # noqa: B023
        run.emit(Progress(done, done / rounds, -now))
        if now - before < how.tolerance or (judge is not None and done - best.round >= how.patience):
            break
        before = now
    if best.tensors:
        body.restore(State(best.tensors, body.state().facts))
    run.emit(Ended(how.name, done, 0.0))
    return now


def least(tried: Iterable[int], cost: Callable[[int], float], gain: float = 0.0) -> tuple[int, float]:
    """The number of least cost, and its cost; they are tried in order until two on end are not better by the gain than the best."""
    best, found, worse = float("inf"), 1, 0
    for k in tried:
        now = cost(k)
        best, found, worse = (now, k, 0) if now < best - gain else (best, found, worse + 1)
        if worse == 2:
            break
    return found, best


def _started(body: Learner, begin: Callable[[], None], run: Run) -> tuple[int, float, Best]:
    saved = run.saved()
    if saved is None:
        begin()
        return 0, -float("inf"), Best()
    own = {k: v for k, v in saved.facts.items() if k not in FACTS}
    body.restore(State({k: t for k, t in saved.tensors.items() if not k.startswith(BEST)}, own))
    best = {k.removeprefix(BEST): t for k, t in saved.tensors.items() if k.startswith(BEST)}
    return int(saved.facts["round"]), float(saved.facts["before"]), Best(float(saved.facts.get("best", 0)), int(saved.facts.get("best_round", 0)), best)


def _checkpoint(body: Learner, done: int, now: float, best: Best) -> State:
    state, marks = body.state(), {"best": best.nats, "best_round": best.round} if best.tensors else {}
    return State({**state.tensors, **{BEST + k: t for k, t in best.tensors.items()}}, {**state.facts, "round": done, "before": now, **marks})
