"""A circuit where every item has known places of its own: likelihoods up the tree once, states down it for every draw."""
from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Marginal
from ilk.families._circuit_given import CircuitPosterior, Known, known
from ilk.families._completed import Normals
from ilk.given import Evidence
from ilk.rng import Rng

if TYPE_CHECKING:
    from ilk.families.circuit import HiddenTree


class CircuitCompletion:
    """p(unknown | known) of each item: leaves of unknown columns are summed out (Darwiche 2003)."""

    ess = None

    def __init__(self, said: CircuitPosterior, batch: Batch, places: Tensor) -> None:
        self.said, self.whole = said, said.whole
        numbers, codes = self.whole.columns.mixed.known(places)
        self.known = torch.cat([codes, numbers], 1).T
        self.items, cells = self.whole.columns.mixed.split(batch), self.whole.cells(batch)
        self.codes, self.there = cells.codes - self.whole.columns.first, cells.there
        own, log_mass = said.likelihood(cells, self.known)
        self.below = own[self.whole.tree.order]
        self.told, nats = self.whole.tree.upward(self.whole.move, self.below)
        total = log_mass + nats - self.whole.scale.log() @ (cells.there & numbers.T).double()
        self.log_mass = total.where(~total.isnan(), -inf)   # no state explains what is known

    def draw(self, rng: Rng) -> Batch:
        """States from the root down, each by what hangs under it, then what they say of unknown columns."""
        whole, many = self.whole, len(self.codes)
        n = self.known.shape[1]
        state = torch.empty(len(self.known), n, dtype=torch.long)
        state[whole.tree.order] = whole.tree.walk(whole.move, rng.child("states").uniform(n, len(state)), self.below)
        codes, x, there = self.said.cells(state, rng)
        kept = self.known[many:]
        return whole.columns.join(self.codes.where(self.known[:many], codes), self.items.x.T.where(kept, x), self.there.where(kept, there))

    def marginals(self) -> list[Marginal]:
        """Tables of categories, missing being the last value where it is one, and mixtures of the Gaussians of all states."""
        whole, many = self.whole, len(self.codes)
        share = torch.empty_like(self.below)
        share[whole.tree.order], _ = whole.tree.downward(whole.move, self.below, self.told, None)
        found: list[Marginal] = []
        for number, c in whole.columns.mixed.places():
            column = many + c if number else c
            weight = share[column][~self.known[column]]
            if number:
                leaves = whole.leaves
                law = Normals(weight, leaves.mean[c].expand_as(weight), leaves.var[c].sqrt().expand_as(weight))
                found.append(law.scaled(whole.center[c], whole.scale[c]))
            else:
                found.append((weight @ self.said.table[whole.columns.span(c)].softmax(0).T).log())
        return found


def completed(whole: HiddenTree, batch: Batch, places: Tensor, evidence: Evidence | None) -> CircuitCompletion | None:
    """Exact for weights of categories and presences besides; None for ranges and values of numbers."""
    said = Known() if evidence is None else known(whole.columns, evidence)
    if said is None or any(t != replace(t, low=-inf, high=inf) for t in said.numbers.values()):
        return None
    return CircuitCompletion(CircuitPosterior(whole, said), batch, places)
