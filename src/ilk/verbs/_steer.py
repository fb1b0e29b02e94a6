"""Soft givens while items are made: of several candidates for each item, those that come out with more of what is asked go on."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met, Unfinished, Unfolds
from ilk.rng import Rng
from ilk.verbs._tilt import Tilt

if TYPE_CHECKING:
    from ilk.verbs.condition import Conditioned

PARTICLES, TIMES = 16, 10   # candidates of an item, and stretches of the way between which they are chosen from


class Steered:
    """A model that unfolds its items, tilted: sequential Monte Carlo with a filter of its own for every item (Wu et al. 2023; Singhal et al. 2025).

    Candidates are weighed as they look at each stop; weights telescope, so that with more candidates the law tends to the tilted one.
    """

    def __init__(self, found: Conditioned, tilt: Tilt) -> None:
        self.found, self.tilt, self.body = found, tilt, found.scorer
        self.met = Met("guided", ess=tilt.ess, cost=PARTICLES)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """One of the candidates of each item, drawn by their weights at the end."""
        states = self._unfold(n, rng.child("code"), how, None)
        weights = before = torch.zeros(n, PARTICLES, dtype=torch.double)
        state = next(states)
        while True:
            stop = state.step + max(1, state.of // TIMES)
            for state in states:
                if state.step == stop and state.step < state.of:
                    break
            else:
                last = self._nats(state, n)
                rows = _chosen(weights + last - before, 1, rng.child("last"))
                return state.items.take(rows[:, 0])
            now = self._nats(state, n)
            rows = _chosen(weights + now - before, PARTICLES, rng.child("choose", state.step))
            before, weights = now.reshape(-1)[rows], torch.zeros_like(weights)
            state = state.take(rows.reshape(-1)).freed(branched=True)
            states = self._unfold(n, rng.child("on", state.step), how, state)

    def _unfold(self, n: int, rng: Rng, how: How | None, since: Unfinished | None) -> Iterator[Unfinished]:
        if not isinstance(self.body, Unfolds):
            raise TypeError(f"{type(self.body).__name__} does not unfold")
        return iter(self.body.unfold(n * PARTICLES, rng, how, since))

    def _nats(self, state: Unfinished, n: int) -> Tensor:
        items = self.found.codec.decode(self.found.model.lift.decode(state.items), Rng(0).child("look"))
        return self.tilt.nats(items).reshape(n, PARTICLES)


def steers(found: Conditioned, tilt: Tilt) -> bool:
    """Whether steering costs less than keeping draws by their weight, and can be done."""
    return isinstance(found.scorer, Unfolds) and not found.picky and tilt.share * PARTICLES < 1


def _chosen(weights: Tensor, many: int, rng: Rng) -> Tensor:
    """Rows of `many` candidates for each item, (n, many), by their log weights (n, k): systematic resampling."""
    n, k = weights.shape
    ends = weights.softmax(1).cumsum(1)
    at = (torch.arange(many, dtype=torch.double) + rng.uniform(n)[:, None]) / many
    return torch.searchsorted(ends, at).clamp_max(k - 1) + torch.arange(n)[:, None] * k
