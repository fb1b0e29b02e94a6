"""A PixelCNN with something known: the context, and what the first pixels may be. Exact, by the list of what is allowed."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met, Unfinished
from ilk.errors import UsageError
from ilk.given import About, Evidence, Held, Weigh
from ilk.rng import Rng, choose

if TYPE_CHECKING:
    from ilk.families.pixelcnn import PixelCnn

ENUMERABLE = 1_000_000  # numbers of all beginnings that are listed

Known = Mapping[str, Batch]


class Told:
    """p(x | context, log weights of values): every beginning that may be, up to the last number anything is said of, with its log weight."""

    def __init__(self, whole: PixelCnn, context: Known, tables: Mapping[int, Tensor], starts: Tensor) -> None:
        self.whole, self.context, self.tables, self.starts = whole, context, tables, starts
        many = len(starts)
        told = [(self._said(many), 0.0)] if context or not whole.about or whole.context.sizes is None else whole.context.every(many)
        self.log_weight = torch.stack([share + self._weight(said) for said, share in told])
        self.met = Met("exact", float(self.log_weight.flatten().logsumexp(0)) if starts.shape[1] else 0.0)

    @classmethod
    def of(cls, whole: PixelCnn, context: Known, tables: Mapping[int, Tensor]) -> Told | None:
        """None if the beginnings are too many to list. Tables are by place in the space."""
        rank = whole.order.argsort()
        last = max((int(rank[place]) + 1 for place in tables), default=0)
        every = torch.arange(whole.levels)
        allowed = [every[tables[place] > -torch.inf] if place in tables else every for place in whole.order[:last].tolist()]
        many = prod(len(a) for a in allowed)
        if many * len(rank) > ENUMERABLE:
            return None
        starts = torch.cartesian_prod(*allowed).reshape(many, last) if last else torch.zeros(1, 0, dtype=torch.long)
        return cls(whole, context, tables, starts)

    @torch.no_grad()
    def _weight(self, said: Known) -> Tensor:
        """Log mass of each beginning and what is said of it, (starts,)."""
        whole, (many, last) = self.whole, self.starts.shape
        if not last:
            return torch.zeros(many, dtype=torch.float64)
        x = torch.zeros(many, prod(whole.shape), dtype=torch.long)
        x[:, whole.order[:last]] = self.starts
        parts = whole._parts(Batch(x, context=said))
        return torch.cat([torch.zeros(0, dtype=torch.float64), *(whole.laws(part)[:, :last].double().sum(1) for part in parts)]) + self._tables(x)

    def _tables(self, x: Tensor) -> Tensor:
        """Log weights of what is said, of flat items."""
        total = torch.zeros(len(x), dtype=torch.float64)
        for place, table in self.tables.items():
            total += table.double()[x[:, place]]
        return total

    def _said(self, n: int) -> Known:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """The same with a context, or with more said of the first numbers."""
        if isinstance(evidence, About):
            return Told.of(self.whole, evidence.context, self.tables)
        if isinstance(evidence, Held):
            where = evidence.mask.flatten().nonzero()[:, 0].tolist()
            evidence = Weigh({i: fix(self.whole.levels, int(evidence.values.flatten()[i])) for i in where})
        if not isinstance(evidence, Weigh):
            return None
        return Told.of(self.whole, self.context, {**self.tables, **{i: t + self.tables[i] if i in self.tables else t for i, t in evidence.tables.items()}})

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A label and a beginning by their weights, the rest pixel by pixel."""
        return self.whole.filled(*self._begun(n, rng))

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, row by row; rows that are there have to begin as is given."""
        if since is None:
            start, rng, context = self._begun(n, rng)
            return self.whole.grown(start, rng, context, first=True)
        there, wanted = self.whole.there(since), self.starts
        if there.shape[1] < wanted.shape[1] or not all(bool((row[:wanted.shape[1]] == wanted).all(1).any()) for row in there):
            raise UsageError("the rows that are there are not as is given", code="GIVEN", param="given", remedy="give it from the start")
        return self.whole.grown(there, rng, self._said(n) or since.items.context)

    def _begun(self, n: int, rng: Rng) -> tuple[Tensor, Rng, Known]:
        """Beginnings, the noise of the rest, contexts."""
        which = choose(self.log_weight.flatten(), rng.child("start").uniform(n))
        label, start = which // len(self.starts), which % len(self.starts)
        return self.starts[start], rng, self.whole.context.labels(label) if len(self.log_weight) > 1 else self._said(n)

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) + log weight - log mass, (B,)."""
        said = replace(batch, context=self._said(len(batch)) or batch.context)
        return self.whole.log_prob(said) + self._tables(batch.tensor.flatten(1)) - self.met.log_mass


def fix(size: int, value: int) -> Tensor:
    """Log weights that keep one value."""
    return torch.full((size,), -torch.inf, dtype=torch.float64).index_fill(0, torch.tensor(value), 0.0)
