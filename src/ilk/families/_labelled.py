"""Latent-variable models that may be told labels (or numbers) beside the items: their bounds, draws and givens."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Family, How, Met, Neural
from ilk.families._searched import Search, Searched, searched
from ilk.given import About, Evidence
from ilk.nets._context import Context
from ilk.rng import Rng

CHUNK = 512
F = TypeVar("F", bound=Family)


class Bounded(Neural[F]):
    """A bound and draws for items that come with the context they were learned with, and for items that come without."""

    context: Context

    @abstractmethod
    def bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of at most CHUNK items with their context, (B,) float64."""

    @abstractmethod
    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""

    @torch.no_grad()
    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """A lower bound in nats, (B,). Items without labels are bounded by the sum over labels, each at its share."""
        if self.about and not batch.context:
            found = [self.log_prob_bound(replace(batch, context=said), rng) + share for said, share in self.context.every(len(batch))]
            return torch.stack(found).logsumexp(0)
        parts = [self.bound(batch.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(batch), CHUNK)]
        return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)

    def told(self, context: Mapping[str, Batch]) -> Tensor | None:
        """The context as vectors; None for a model that learned without."""
        return self.context(context) if self.about else None

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items; labels are drawn by their shares."""
        return self.draw(n, rng, self.unsaid(n, rng))

    def unsaid(self, n: int, rng: Rng) -> Mapping[str, Batch]:
        """The context of n items when nobody says it: labels by their shares."""
        return self.context.draw(n, rng) if self.about else {}

    def search(self) -> Search | None:
        """How codes are searched for a known part of an item, if they can be."""
        return None

    def given(self, evidence: Evidence, rng: Rng) -> Labelled | Searched | None:
        """p(x | context), met exactly; a known part, by searching codes that have it."""
        return Labelled(self, evidence.context) if isinstance(evidence, About) else searched(self.search(), evidence, self.space, self.unsaid)


class Labelled:
    """A model with its context known."""

    def __init__(self, whole: Bounded[Any], context: Mapping[str, Batch]) -> None:
        self.whole, self.context, self.met = whole, context, Met("exact")

    def _said(self, n: int, rng: Rng | None = None) -> dict[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def given(self, evidence: Evidence, rng: Rng) -> Searched | None:
        """A known part, too."""
        return searched(self.whole.search(), evidence, self.whole.space, self._said)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items of this context."""
        return self.whole.draw(n, rng, self._said(n))

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Bound on log p(x | context)."""
        return self.whole.log_prob_bound(replace(batch, context=self._said(len(batch))), rng)
