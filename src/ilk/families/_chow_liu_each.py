"""A tree where every record has known parts of its own: messages up it, parts and their laws down it."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Marginal
from ilk.rng import Rng, choose

if TYPE_CHECKING:
    from ilk.families.chow_liu import Tree


class TreeCompletion:
    """p(unknown | known) of each record (Pearl 1988)."""

    ess = None

    def __init__(self, whole: Tree, batch: Batch, known: Tensor, weights: Mapping[int, Tensor]) -> None:
        self.whole, self.law, self.known = whole, whole.law, known
        self.x = batch.tensor.reshape(len(batch), len(whole.sizes))
        below = [self._own(i, size) + weights.get(i, 0.0) for i, size in enumerate(whole.sizes)]
        for i in reversed(self.law.order):
            if self.law.parent[i] >= 0:
                below[self.law.parent[i]] = below[self.law.parent[i]] + _carried(below[i], self.law.tables[i].T)
        self.below, root = below, self.law.order[0]
        self.log_mass = (self.law.tables[root][0] + below[root]).logsumexp(1)

    def _own(self, i: int, size: int) -> Tensor:
        """Log weights of the values of a part, (n, size): 0 for the one that is known, or for all."""
        here = torch.arange(size) == self.x[:, i, None]
        return torch.zeros(here.shape, dtype=torch.float64).where(here | ~self.known[:, i, None], -torch.inf)

    def draw(self, rng: Rng) -> Batch:
        """The root, then every part given its parent and what hangs under it."""
        x, noise = self.x.clone(), rng.child("tree").uniform(*self.x.shape)
        for i in self.law.order:
            parent = self.law.parent[i]
            above = x[:, parent] if parent >= 0 else torch.zeros(len(x), dtype=torch.long)
            made = choose(self.law.tables[i][above] + self.below[i], noise[:, i])
            x[:, i] = self.x[:, i].where(self.known[:, i], made)
        return Batch(x.reshape(len(x), *self.whole.space.shape))  # type: ignore[union-attr]

    def marginals(self) -> list[Marginal]:
        """Tables of all parts, from the root down."""
        laws: dict[int, Tensor] = {}
        for i in self.law.order:
            table, parent = self.law.tables[i], self.law.parent[i]
            if parent < 0:
                laws[i] = (table[0] + self.below[i]).log_softmax(1)
                continue
            told = _carried(self.below[i], table.T)
            laws[i] = self.below[i] + _carried(laws[parent] - told.where(told > -torch.inf, 0.0), table)
        return [laws[i][~self.known[:, i]] for i in range(len(laws))]


def _carried(message: Tensor, table: Tensor) -> Tensor:
    """log of exp(message) @ exp(table), (n, values), scaled so that it neither over- nor underflows."""
    top = message.amax(1, keepdim=True)
    top = top.where(top > -torch.inf, 0.0)
    return ((message - top).exp() @ table.exp()).log() + top
