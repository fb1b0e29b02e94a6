"""Insertion with something known: the context, and stretches that stay where anything may be between."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import How, Met, Unfinished
from ..errors import UsageError
from ..given import About, Begin, Between, Evidence
from ..rng import Rng
from ._insertion_draft import Draft

if TYPE_CHECKING:
    from .insertion import Inserting


class Told:
    """Items of one context (or of labels by their shares) that grow from these stretches: the slots within them are closed."""

    def __init__(self, whole: Inserting, context: Mapping[str, Batch], stretches: Sequence[Tensor]) -> None:
        tokens = torch.cat(list(stretches))
        if bool(((tokens < 0) | (tokens >= whole.size)).any()):
            raise UsageError(f"tokens are from 0 to {whole.size - 1}", code="GIVEN", param="given")
        if len(tokens) > int(whole.reach):
            raise UsageError(f"{len(tokens)} tokens are to stay; items have at most {int(whole.reach)}", code="GIVEN", param="given")
        self.whole, self.context, self.stretches = whole, context, stretches
        self.met = Met("guided" if len(tokens) else "exact")

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """The same with a context, or with other stretches."""
        match evidence:
            case About(context=context):
                return Told(self.whole, context, self.stretches)
            case Begin(elements=elements):
                return Told(self.whole, self.context, (elements, elements[:0]))
            case Between(stretches=stretches) if len(stretches) > 1:
                return Told(self.whole, self.context, stretches)
            case _:
                return None

    def _said(self, n: int) -> Mapping[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Insertions between the stretches."""
        return self.whole.filled(self.stretches, n, rng, self._contexts(n, rng), how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, draft by draft; those of `since` hold what stays, or are refused."""
        if since is None:
            return self.whole.grown(Draft.between(self.stretches, n), rng, self._contexts(n, rng), how)
        draft = Draft(since.way["tokens"], since.way["length"], since.way["open"])
        if not all(_holds(row[:long].tolist(), [s.tolist() for s in self.stretches]) for row, long in zip(draft.tokens, draft.length.tolist(), strict=True)):
            raise UsageError("what is made so far lacks what is to stay", code="GIVEN", param="given", remedy="ask for it from the start")
        states = self.whole.grown(draft, rng, self._said(n) if self.context else since.items.context, how, since.step)
        return (replace(state, branched=since.branched) for state in islice(states, 1, None))

    def _contexts(self, n: int, rng: Rng) -> Mapping[str, Batch]:
        known = self.whole.beside
        return known.draw(n, rng) if known is not None and not self.context else self._said(n)

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Bound on log p(x | context), whatever stays."""
        return self.whole.log_prob_bound(replace(batch, context=self._said(len(batch)) or batch.context), rng)


def _holds(tokens: list[int], stretches: list[list[int]]) -> bool:
    """Whether the tokens begin with the first stretch, end with the last, and have the others between, in this order."""
    first, *between, last = stretches
    if tokens[:len(first)] != first or tokens[len(tokens) - len(last):] != last:
        return False
    at, stop = len(first), len(tokens) - len(last)
    for one in between:
        found = next((i for i in range(at, stop - len(one) + 1) if tokens[i:i + len(one)] == one), None)
        if found is None:
            return False
        at = found + len(one)
    return at <= stop
