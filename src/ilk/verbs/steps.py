"""steps: items while they are made, to look at, stop, branch and steer."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ilk.distribution import How, Unfinished, Unfolds
from ilk.errors import UsageError
from ilk.given import Given
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import Value
from ilk.verbs.condition import BLOCK, given
from ilk.verbs.sample import bound, drawn


@dataclass(frozen=True, eq=False)
class Step:
    """Some items after `step` of at most `of` steps: `items` as they look now, in the form that people hold them in."""

    items: Any
    step: int
    of: int
    going: Going = field(repr=False)
    state: Unfinished | None = field(repr=False)   # None where items come at once
    ends: Callable[[], None] = field(repr=False)

    def stop(self) -> Any:
        """The items as they are now; whoever goes through the steps gets no more of them."""
        self.ends()
        return self.items

    def branch(self, n: int, seed: int = 0) -> Step:
        """n continuations of each item, side by side: the same up to here, from here on draws of their own. At step 0 nothing is decided yet."""
        if not 1 <= n * len(self.items) <= BLOCK:
            raise UsageError(f"{n} branches of {len(self.items)} items", code="OPTION", param="n", remedy=f"1 to {BLOCK} in all")
        going, rows = replace(self.going, seed=seed), torch.arange(len(self.items)).repeat_interleave(n)
        if self.state is not None and not self.step:
            return next(going.steps(len(rows)))
        state = None if self.state is None else self.state.take(rows).freed(branched=True)
        return replace(self, items=going.model.modality.take(self.items, rows), going=going, state=state)

    def steer(self, *asked: str | Mapping[str, Value] | Given, how: How | None = None) -> Step:
        """The same items, to go on with more given, or by another way of drawing. UsageError where that can only be asked from the start."""
        if self.state is None or self.step >= self.of:
            raise UsageError("these items are done: there is nothing left to steer", code="STEER", remedy="steer an earlier step, or edit the items")
        model = self.going.model
        for one in asked:
            model = given(model, one)
        going = Going(model, self.going.seed, self.going.how if how is None else bound(model, how))
        if going.body is None:
            raise UsageError("what is asked is met only by looking at whole items", code="STEER", param="given", remedy="give it to the model from the start")
        return replace(self, going=going, state=self.state.freed(branched=False))

    def steps(self) -> Unfolding:
        """The steps after this one."""
        return Unfolding(self.going.steps(len(self.items), self))

    def finish(self) -> Any:
        """The items as they are at the end."""
        last = self
        for last in self.steps():  # noqa: B007
            pass
        return last.items


class Unfolding(Iterator[Step]):
    """Unfolding, one after the other, until the items are done or somebody stops."""

    def __init__(self, steps: Iterator[Step]) -> None:
        self.rest, self.over = steps, False

    def stop(self) -> None:
        """No more steps."""
        self.over = True

    def __next__(self) -> Step:
        if self.over:
            raise StopIteration
        return replace(next(self.rest), ends=self.stop)


def steps(model: Model, n: int = 1, seed: int = 0, how: How | None = None) -> Unfolding:
    """What `sample` makes, while it is made: from step 0, where nothing is decided, to the items that `sample` gives for this seed.

    Families that make items at once have one step. Each step can `stop`, `branch`, `steer` and `finish`.

    >>> import ilk
    >>> model = ilk.fit(["abab", "abba", "baab"] * 9, ilk.NGram(order=3))
    >>> [s.items[0] for s in ilk.steps(model, seed=2)][-1] == model.sample(1, seed=2)[0]
    True
    """
    if not 1 <= n <= BLOCK:
        raise UsageError(f"n is {n}", remedy=f"1 to {BLOCK} items", code="OPTION", param="n")
    return Unfolding(Going(model, seed, bound(model, how)).steps(n))


@dataclass(frozen=True, eq=False)
class Going:
    """How items are gone on with: by which model, whose noise, in what way."""

    model: Model
    seed: int
    how: How | None

    @property
    def body(self) -> Unfolds | None:
        """What makes items step by step, if something does."""
        found = self.model.met.scorer
        return None if self.model.met.picky or not isinstance(found, Unfolds) else found

    def steps(self, n: int, since: Step | None = None) -> Iterator[Step]:
        """The steps of n items, or those after one."""
        rng, body = Rng(self.seed).child("sample"), self.body
        if since is not None and (since.state is None or since.step >= since.of):
            return
        if body is None:
            yield Step(drawn(self.model, n, rng, self.how), 1, 1, self, None, _nothing)
            return
        for state in body.unfold(n, rng.child("code"), self.how, None if since is None else since.state):
            items = self.model.met.codec.decode(self.model.lift.decode(state.items), rng.child("raw"))
            yield Step(items, state.step, state.of, self, state, _nothing)


def _nothing() -> None:
    """Ends nothing."""
