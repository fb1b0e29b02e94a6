"""Insertion with something known: the context, and stretches that stay where anything may be between."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import How, Met
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
        *_, last = self.stream(n, rng, how)
        return last

    def stream(self, n: int, rng: Rng, how: How | None = None) -> Iterator[Batch]:
        """The same, draft by draft."""
        known = self.whole.beside
        context = known.draw(n, rng) if known is not None and not self.context else self._said(n)
        yield from self.whole.unfold(Draft.between(self.stretches, n), rng, context, how)

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Bound on log p(x | context), whatever stays."""
        return self.whole.log_prob_bound(replace(batch, context=self._said(len(batch)) or batch.context), rng)
