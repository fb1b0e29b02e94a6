"""Modified interpolated Kneser-Ney n-gram: counts of what follows what, the yardstick of every sequence model."""
from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from annotated_types import Interval
from torch import Tensor

from ..batch import Batch, Source
from ..decoding._draw import Drawing
from ..distribution import Distribution, Family, How, Met, Unfinished
from ..errors import DataError, UsageError
from ..given import Begin, Evidence
from ..recipe import Tried
from ..rng import Rng
from ..run import Began, Ended, Noted, Progress, Run, Seconds
from ..space import Discrete, Many, Space
from ..store import State
from ._sequence import NOTHING, refuses_sequence
from ._trie import Counts, Real, Small, Tally, Trie, counted, merged
from ._windows import Place, counts_of, place_of, smallest, state_of, windows_of

_CHUNK, _PIECE = 4096, 1 << 20  # items read at once, positions counted or scored at once
_COUNTING = "counting windows"


class NGrams(Distribution["NGram"]):
    """Counts of windows of tokens and the law they give. Token `size` ends an item, `size + 1` stands before its first.

    Reference: Chen and Goodman (1998), An empirical study of smoothing techniques for language modeling.

    >>> items = Batch(Batch(torch.tensor([0, 1, 0, 1, 1])), length=torch.tensor([2, 3]))
    >>> model = NGram(order=2).build(Many(Discrete(2), 3), Rng(0))
    >>> model.absorb(model.statistics(items))
    >>> model.step(model.begin(items), None).exp().sum(1)
    tensor([1.0000, 1.0000], dtype=torch.float64)
    """

    def __init__(self, family: NGram, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        if not isinstance(space, Many) or not isinstance(space.of, Discrete):
            raise TypeError("NGrams models a Many of Discrete")
        self.size, self.at_most, self.fixed, self.order = space.of.each[0], space.at_most, space.fixed, family.order
        self._become(self._tally().total(), 0)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Counts once over the data; a budget in seconds may end it early. Nothing is chosen, so `valid` is not used."""
        began, saved, seen, tally = time.monotonic(), run.saved(), 0, self._tally()
        before, done = (None, 0) if saved is None else counts_of(saved, self.size, self.order)
        if before is not None:
            tally.push(before)
        run.emit(Began(_COUNTING, len(data)))
        for step, batch in enumerate(data.chunks(_CHUNK), 1):
            seen += len(batch)
            if seen <= done:
                continue
            self._count(batch, tally)
            spent = time.monotonic() - began
            run.emit(Progress(step, seen / len(data), seconds=spent))
            run.tick(_So(tally, seen))
            if isinstance(run.budget, Seconds) and spent > run.budget.count and seen < len(data):
                run.emit(Noted(f"the budget of {run.budget.count:g} s ended after {seen} of {len(data)} items"))
                break
        self._become(tally.total(), seen)
        run.emit(Ended(_COUNTING, seen, time.monotonic() - began))

    def statistics(self, batch: Batch) -> State:
        """The distinct windows of some items, sorted, and how often each was seen."""
        tally = self._tally()
        self._count(batch, tally)
        return state_of(tally.total(), len(batch))

    def add(self, one: State, other: State) -> State:
        """The statistics of both."""
        (a, n), (b, m) = (counts_of(state, self.size, self.order) for state in (one, other))
        return state_of(merged([a, b], self.size + 2), n + m)

    def counted(self) -> State:
        """The statistics of all items."""
        return self.state()

    def less(self, whole: State, part: State) -> State:
        """The statistics of the others; DataError if some window would come less than never."""
        (a, n), (b, m) = (counts_of(state, self.size, self.order) for state in (whole, part))
        left = merged([a, Counts(b.windows, -b.times)], self.size + 2)
        if n < m or bool((left.times < 0).any()):
            raise DataError("some of these items were never learned: they hold what does not come so often", code="NOT_LEARNED", remedy="leave them out")
        return state_of(Counts(left.windows[left.times > 0], left.times[left.times > 0]), n - m)

    def absorb(self, state: State) -> None:
        """Becomes what these statistics say; ModelError if they are of another order or space."""
        self._become(*counts_of(state, self.size, self.order))

    def state(self) -> State:
        """The statistics: everything else follows from them."""
        return state_of(self.counts, self.items)

    def restore(self, state: State) -> None:
        """Takes the statistics back."""
        self.absorb(state)

    def log_prob(self, batch: Batch) -> Tensor:
        """Log mass of whole items, their end included, (B,); -inf for those longer than `at_most`."""
        return self.log_prob_from(batch, 0)

    def log_prob_from(self, batch: Batch, first: int, end: bool = True) -> Tensor:
        """Log mass of each item from its element `first` on, given those before, (B,)."""
        windows, length = windows_of(batch, self.size, self.order), batch.lengths.numpy()
        asked = np.flatnonzero((windows.place >= first) & (end | (windows.place < length[windows.item])))
        total = np.zeros(len(batch))
        for start in range(0, len(asked), _PIECE):
            piece = asked[start:start + _PIECE]
            law = np.log(self._goes_on(windows.at(piece)))
            law[windows.place[piece] >= self.at_most] = 0.0
            total += np.bincount(windows.item[piece], law, len(batch))
        possible = (length <= self.at_most) & ((length == self.at_most) | (not end or not self.fixed))
        return torch.from_numpy(np.where(possible, total, -np.inf))

    def _goes_on(self, windows: Small) -> Real:
        """The mass of the last token of each window; nobody ends by choice where all items have one length."""
        mass = self.trie.of_windows(windows)
        if self.fixed:
            ends = windows.copy()
            ends[:, -1] = self.size
            mass = mass / (1 - self.trie.of_windows(ends))
        return mass

    def begin(self, prompt: Batch) -> Place:
        """Where sequences that begin so stand."""
        return place_of(prompt, self.size, self.order)

    def step(self, cache: Place, token: Tensor | None) -> Tensor:
        """Log law of the next token, (B, size + 1), after taking one in; the end is certain once there are `at_most`."""
        if token is not None:
            cache.push(token.numpy())
        law = self.trie.of_contexts(cache.context())
        if self.fixed:
            law[:, self.size] = 0.0
            law /= law.sum(1, keepdims=True)
        law[(cache.length >= self.at_most) | cache.ended(self.size)] = np.arange(self.size + 1) == self.size
        return torch.from_numpy(law).log()

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Token by token until all have ended."""
        return self.drawing(NOTHING).items(n, rng, how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, token by token."""
        return self.drawing(NOTHING).states(n, rng, how, {}, since)

    def given(self, evidence: Evidence, rng: Rng) -> Begun | None:
        """How an item begins is met exactly; nothing else is."""
        return Begun(self, evidence.elements) if isinstance(evidence, Begin) else None

    def drawing(self, prefix: Tensor) -> Drawing:
        """Items that begin with the prefix."""
        return Drawing(self, lambda a, b: self._after(prefix, b - a), prefix, self.at_most - len(prefix))

    def _after(self, prefix: Tensor, n: int) -> Place:
        """The place of n items after one prefix; only as much of it is held as the law looks at."""
        held = prefix[max(0, len(prefix) - self.order + 1):]
        one, gone = self.begin(Batch(Batch(held), length=torch.tensor([len(held)]))), len(prefix) - len(held)
        return Place(one.tokens.repeat(n, 0), one.length.repeat(n) + gone, one.pad, gone)

    def _count(self, batch: Batch, tally: Tally) -> None:
        if batch.weight is not None:
            raise UsageError("Kneser-Ney counts whole items: weights mean nothing to it", code="WEIGHTS")
        windows = windows_of(batch, self.size, self.order)
        for first in range(0, len(windows.item), _PIECE):
            tally.push(counted(windows.at(slice(first, first + _PIECE)), None, self.size + 2))

    def _tally(self) -> Tally:
        return Tally(self.order, self.size + 2, smallest(self.size + 1))

    def _become(self, counts: Counts, items: int) -> None:
        self.counts, self.items, self.trie = counts, items, Trie(counts, self.size)


@dataclass(frozen=True, eq=False)
class _So:
    """The statistics so far, worked out only if a checkpoint is due."""

    tally: Tally
    items: int

    def __call__(self) -> State:
        return state_of(self.tally.total(), self.items)


class Begun:
    """Items that begin with a prefix, as a distribution: exact."""

    def __init__(self, whole: NGrams, prefix: Tensor) -> None:
        if bool(((prefix < 0) | (prefix >= whole.size)).any()):
            raise UsageError(f"a prefix holds tokens from 0 to {whole.size - 1}", code="GIVEN")
        self.whole, self.prefix = whole, prefix
        alone = Batch(Batch(prefix), length=torch.tensor([len(prefix)]))
        self.met = Met("exact", float(whole.log_prob_from(alone, 0, end=False)))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """The prefix, then token by token."""
        if len(self.prefix) > self.whole.at_most:
            raise UsageError(f"a prefix of {len(self.prefix)} elements; items have at most {self.whole.at_most}", code="GIVEN")
        return self.whole.drawing(self.prefix).items(n, rng, how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, token by token."""
        return self.whole.drawing(self.prefix).states(n, rng, how, {}, since)

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) - log p(prefix), (B,); -inf for items that begin otherwise."""
        length = batch.lengths
        agrees = length >= len(self.prefix)
        begins = (length.cumsum(0) - length)[agrees, None] + torch.arange(len(self.prefix))
        agrees[agrees.nonzero()[:, 0]] = (batch.elements.tensor[begins] == self.prefix).all(1)
        return self.whole.log_prob_from(batch, len(self.prefix)).where(agrees, torch.tensor(-torch.inf, dtype=torch.float64))


@dataclass(frozen=True, kw_only=True)
class NGram(Family):
    """An n-gram of some order: a token depends on the `order` - 1 before it."""

    distribution: ClassVar[type[Distribution[Any]]] = NGrams
    order: Annotated[int, Interval(ge=1, le=10), Tried(2, 3, 4, 5, 6, 7, 8)] = 6

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but a sequence of single whole numbers."""
        return refuses_sequence(space)
