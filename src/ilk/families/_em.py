"""Expectation-maximisation (Dempster, Laird & Rubin 1977): one loop for every family that learns from sums."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from ilk.batch import Batch, Memory, Source
from ilk.errors import TrainingError
from ilk.rng import Rng
from ilk.run import Began, Ended, Progress, Run, Validated
from ilk.store import State

T = TypeVar("T")
CHUNK, PREPARED = 1 << 16, 1 << 30   # items at once, bytes kept for all rounds
BEST, SUMS = "best.", "sums."        # what a checkpoint calls tensors of the best round, and sums of the last
OWN, MOST, FEW = (0, 64, 16, 4, 1), 100_000, 1 << 12   # items of its own for each to be adapted to (0: it stays as it was), in all, and at once
FOLDS, ENOUGH = 5, 500
QUICK, AHEAD = 6, 6.0                # rounds that forget, and how many times its share a batch counts in the first of them
FACTS = ("round", "before", "best", "best_round")


class Learner(Protocol):
    """What the loop needs: sums that add up, among them `nats` (log-likelihood in all) and `items`, and a step that takes them in."""

    def add(self, one: State, other: State) -> State: ...
    def absorb(self, state: State) -> None: ...
    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...


class Adapting(Learner, Protocol):
    """A learner of items that can be sampled and scored."""

    def statistics(self, batch: Batch) -> State: ...
    def log_prob(self, batch: Batch) -> Tensor: ...
    def sample(self, n: int, rng: Rng) -> Batch: ...


@dataclass(frozen=True)
class Climb:
    """At most so many rounds and, unless a budget says so, no fewer than `least`.

    It ends when one gains less than `tolerance` nats an item, or, if there are validation items, `patience` of them no more than that there.
    """

    name: str
    rounds: int
    tolerance: float
    patience: int = 5
    least: int = 0


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


@dataclass
class Stepwise(Generic[T]):
    """A learner that in its first rounds takes in every batch at once and forgets what is old (Cappe & Moulines 2009); from then on rounds are plain ones.

    Its sums are of as many items as there are, whatever the batch.
    """

    body: Learner
    expected: Callable[[T], State]
    sums: State = field(default_factory=State)
    rounds: int = -1

    def round(self, batches: Iterable[T]) -> State:
        """The sums of all batches: under one law, or in the first rounds under laws that follow them."""
        if self.rounds >= QUICK:
            return total(self.body, map(self.expected, batches))
        sums, items = self.sums, float(self.sums.tensors["items"])
        nats = 0.0
        for batch in batches:
            new = self.expected(batch)
            share = float(new.tensors["items"]) / items
            ahead = AHEAD / (1 + self.rounds) if share * AHEAD < 1 + self.rounds else 1 / share
            sums = self.body.add(_times(sums, 1 - share * ahead), _times(new, ahead))
            self.body.absorb(sums)
            nats += float(new.tensors["nats"])
        return State({**sums.tensors, "nats": sums.tensors["nats"].new_tensor(nats)})

    def add(self, one: State, other: State) -> State:
        """Sums of both."""
        return self.body.add(one, other)

    def absorb(self, state: State) -> None:
        """Becomes what the sums of a round say, and keeps them for the next."""
        self.sums, self.rounds = state, self.rounds + 1
        self.body.absorb(state)

    def state(self) -> State:
        """All that was learned, the sums, and how many rounds they are of."""
        sums = {"rounds": torch.tensor(self.rounds), **(self.sums.tensors if self.rounds < QUICK else {})}
        return State({**self.body.state().tensors, **{SUMS + k: t for k, t in sums.items()}})

    def restore(self, state: State) -> None:
        """Takes them back."""
        sums = {k.removeprefix(SUMS): t for k, t in state.tensors.items() if k.startswith(SUMS)}
        self.rounds, self.sums = int(sums.pop("rounds")), State(sums)
        self.body.restore(State({k: t for k, t in state.tensors.items() if not k.startswith(SUMS)}))


def _times(sums: State, by: float) -> State:
    return State({k: t * by for k, t in sums.tensors.items()})


def climb(body: Learner, begin: Callable[[], None], sums: Callable[[], State], run: Run, how: Climb, judge: Callable[[], float] | None = None) -> float:
    """Rounds of statistics and absorbing from where `begin` or a checkpoint puts it; log-likelihood in nats an item before the last.

    With `judge`, the validation items' nats an item, the best round is what remains.
    """
    since = time.monotonic()
    start, before, best = _started(body, begin, run)
    rounds, done, now = run.rounds(how.rounds), start, before
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
        stalled = now - before < how.tolerance if judge is None else done - best.round >= how.patience
        if (stalled and done >= how.least) or run.spent(since):
            break
        before = now
    if best.tensors:
        body.restore(State(best.tensors, body.state().facts))
    run.emit(Ended(how.name, done, 0.0))
    return now


def adapt(body: Adapting, data: Source, run: Run, valid: Source | None, how: Climb) -> None:
    """Maximum a posteriori from the law that there is (Gauvain & Lee 1994): what it expects of items of its own counts beside those of the data.

    How many items of its own, for each of the data, is chosen by held-out items; if none of that is better there than the law as it was, it stays.
    """
    run.saved()   # nothing to go on from, but a checkpoint of another fit is refused
    quiet, start = replace(run, checkpoint=None, listeners=()), body.state()

    def become(own: int, items: Source, run: Run) -> None:
        body.restore(start)
        if own:
            prior = body.statistics(body.sample(min(MOST, own * len(items)), run.rng.child("own")))
            climb(body, _stay, lambda: total(body, (prior, *map(body.statistics, items.chunks(FEW)))), run, how)

    def cost(own: int) -> float:
        found = 0.0
        for learn, held in _folds(data, valid):
            become(own, learn, quiet)
            found -= sum(float(body.log_prob(chunk).sum()) for chunk in held.chunks(FEW))
        return found

    become(min(OWN, key=cost), data, replace(run, checkpoint=None))
    run.tick(body.state)


def _folds(data: Source, valid: Source | None) -> list[tuple[Source, Source]]:
    """What chooses: the validation items where they are many, else every fifth of the data in turn."""
    if valid is not None and len(valid) >= ENOUGH:
        return [(data, valid)]
    fold = torch.arange(len(data)) % min(FOLDS, len(data))
    return [(Memory(data.take(fold != i)), Memory(data.take(fold == i))) for i in range(int(fold.max()) + 1)]


def _stay() -> None:
    """Where expectation-maximisation starts that is to go on."""


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
