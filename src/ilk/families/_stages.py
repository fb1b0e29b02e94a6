"""Distributions that learn one after the other and are kept together, and items seen through a function."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Distribution
from ilk.errors import ModelError
from ilk.rng import Rng
from ilk.run import Run
from ilk.store import State


@dataclass(frozen=True, eq=False)
class Stages:
    """Parts by name in the order in which they learn, each with its share of the budget."""

    parts: Mapping[str, Distribution[Any]]
    shares: Mapping[str, float]

    def fit(self, run: Run, learn: Callable[[str, Run], None]) -> None:
        """`learn(name, stage)` fits a part; a fit that was stopped goes on in the part where it stood."""
        saved, names = run.saved(), list(self.parts)
        first = int(saved.facts["done"]) if saved else 0
        if saved:
            self._take(saved, first)
        for i, name in enumerate(names[first:], first):
            now = State(under(saved.tensors, "now"), saved.facts["now"]) if saved and i == first else None
            learn(name, run.stage(name, self.shares[name], lambda state, i=i: self._state(i, state), now))  # type: ignore[misc]

    def state(self) -> State:
        """That of every part."""
        return self._state(len(self.parts), State())

    def _state(self, done: int, now: State) -> State:
        """That of the parts that are done, and of the one at work."""
        states = [body.state() for body in list(self.parts.values())[:done]]
        tensors = {f"{i}/{k}": t for i, s in enumerate(states) for k, t in s.tensors.items()} | {f"now/{k}": t for k, t in now.tensors.items()}
        return State(tensors, {"done": done, "now": dict(now.facts), "facts": [dict(s.facts) for s in states]})

    def restore(self, state: State) -> None:
        """Takes them back; ModelError if they are not of these parts."""
        if state.facts.get("done") != len(self.parts):
            raise ModelError(f"{len(self.parts)} parts need as many states", code="WEIGHTS_SHAPE")
        self._take(state, len(self.parts))

    def _take(self, state: State, done: int) -> None:
        for i, body in enumerate(list(self.parts.values())[:done]):
            body.restore(State(under(state.tensors, str(i)), state.facts["facts"][i]))


@dataclass(frozen=True, eq=False)
class View:
    """A Source seen through a function of its items; what is random in it depends on where an item stands."""

    items: Source
    seen: Callable[[Batch, Rng], Batch]
    rng: Rng

    def __len__(self) -> int:
        return len(self.items)

    def take(self, index: Tensor) -> Batch:
        """The items at an index, seen so."""
        return self.seen(self.items.take(index), self.rng)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All items, `size` at a time."""
        for i, chunk in enumerate(self.items.chunks(size)):
            yield self.seen(chunk, self.rng.at(i * size))

    def resident(self) -> Batch | None:
        """All items, where these are at hand."""
        whole = self.items.resident()
        return None if whole is None else self.seen(whole, self.rng)


@dataclass(frozen=True, eq=False)
class Fresh(View):
    """A View that is never looked at as a whole: what is random differs from one time that items are taken to the next."""

    def take(self, index: Tensor) -> Batch:
        """The items at an index, seen with noise that depends on which are taken together."""
        return self.seen(self.items.take(index), self.rng.child("taken", blake2b(index.numpy().tobytes(), digest_size=8).hexdigest()))

    def resident(self) -> None:
        """Nothing: they are never the same twice."""


def under(tensors: Mapping[str, Tensor], first: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a folder's, by the rest of their names."""
    return {k[len(first) + 1:]: t for k, t in tensors.items() if k.partition("/")[0] == first}
