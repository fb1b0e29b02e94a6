"""A model of sequences with something known: the context, how the item begins, or both. Exact."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..batch import Batch
from ..decoding._contract import Searches
from ..distribution import How, Met, Unfinished
from ..errors import UsageError
from ..given import About, Begin, Evidence
from ..rng import Rng

if TYPE_CHECKING:
    from ._sequence import Sequences


class Told:
    """Items of one context (or of labels by their law, if none is given) that begin with a prefix."""

    def __init__(self, whole: Sequences[Any], context: Mapping[str, Batch], prefix: Tensor) -> None:
        if bool(((prefix < 0) | (prefix >= whole.size)).any()):
            raise UsageError(f"a prefix holds tokens from 0 to {whole.size - 1}", code="GIVEN")
        self.whole, self.context, self.prefix = whole, context, prefix
        alone = Batch(Batch(prefix), length=torch.tensor([len(prefix)]))
        self.met = Met("exact", float(whole.log_prob_from(self._said(alone), 0, end=False)) if len(prefix) else 0.0)

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """The same with a context, or with a beginning that goes on from this one."""
        if isinstance(evidence, About):
            return Told(self.whole, evidence.context, self.prefix)
        return Told(self.whole, self.context, evidence.elements) if isinstance(evidence, Begin) else None

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """The prefix, then token by token; labels by their law given the prefix."""
        self._fits()
        return self.whole.drawing(self.prefix, self._contexts(n, rng, how)).items(n, rng, how)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, token by token; `since` keeps its contexts where none is given."""
        self._fits()
        context = self._contexts(n, rng, how) if since is None or self.context else since.items.context
        return self.whole.drawing(self.prefix, context).states(n, rng, how, context, since)

    def _fits(self) -> None:
        if len(self.prefix) > self.whole.at_most:
            raise UsageError(f"a prefix of {len(self.prefix)} elements; items have at most {self.whole.at_most}", code="GIVEN")

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) - log p(prefix), (B,); -inf for items that begin otherwise."""
        length = batch.lengths
        agrees = length >= len(self.prefix)
        begins = (length.cumsum(0) - length)[agrees, None] + torch.arange(len(self.prefix))
        agrees[agrees.nonzero()[:, 0]] = (batch.elements.tensor[begins] == self.prefix).all(1)
        return self.whole.log_prob_from(self._said(batch), len(self.prefix)).where(agrees, -torch.inf)

    def _said(self, batch: Batch) -> Batch:
        rows = torch.zeros(len(batch), dtype=torch.long)
        return replace(batch, context={k: b.take(rows) for k, b in self.context.items()} or batch.context)

    def _contexts(self, n: int, rng: Rng, how: How | None) -> Mapping[str, Batch]:
        known = self.whole.beside
        if self.context or known is None or self.whole.untold:
            return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}
        if isinstance(how, Searches):
            raise UsageError("a search finds items of one context, not of several", code="HOW", param="how", remedy="give one")
        if not len(self.prefix):
            return known.draw(n, rng)
        law = self.whole.by_label(Batch(Batch(self.prefix), length=torch.tensor([len(self.prefix)])), 0, end=False)[:, 0]
        return known.labels(rng.child("label").pick(law, n))
