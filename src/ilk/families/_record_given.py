"""A masked network with log weights on some positions: exact by enumeration where the states are few, else by importance."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met
from ilk.nets._record import Record
from ilk.rng import Rng, choose

if TYPE_CHECKING:
    from ilk.families.made import Made

ENUMERABLE = 100_000


@dataclass(frozen=True, eq=False)
class Start:
    """One member's law of where to start, in its own order: rows filled up to a rank, and their log weights."""

    rows: Tensor
    log_weight: Tensor
    filled: int
    exact: bool


class RecordPosterior:
    """p(x | evidence): each member enumerates or samples what it must, and is drawn by its share of the mass."""

    def __init__(self, whole: Made, tables: Mapping[int, Tensor], rng: Rng) -> None:
        self.whole, self.tables = whole, {i: t.double() for i, t in tables.items()}
        self.starts = [self._start(member, order, rng.child("given", j)) for j, (member, order) in enumerate(whole._each())]
        self.log_mass = torch.stack([s.log_weight.logsumexp(0) for s in self.starts])
        total = float(self.log_mass.logsumexp(0)) - log(len(self.starts))
        rough = [s for s in self.starts if not s.exact]
        if not rough:
            self.met = Met("exact", total)
        else:
            ess = min(float((2 * s.log_weight.logsumexp(0) - (2 * s.log_weight).logsumexp(0)).exp()) for s in rough)
            error = max(0.0, 1 / max(ess, 1e-12) - 1 / whole.family.particles) ** 0.5
            self.met = Met("estimate", total, error, ess)

    @torch.no_grad()
    def _start(self, member: Record, order: list[int], rng: Rng) -> Start:
        last = max((order.index(i) + 1 for i in self.tables), default=0)
        weights = {order.index(i): t for i, t in self.tables.items()}
        allowed = [(weights[r] > -torch.inf).nonzero()[:, 0] if r in weights else torch.arange(member.sizes[r]) for r in range(last)]
        if prod(len(a) for a in allowed) > ENUMERABLE:
            return self._weighted(member, weights, rng)
        rows = torch.zeros(prod(len(a) for a in allowed), len(order), dtype=torch.long)
        if last:
            rows[:, :last] = torch.cartesian_prod(*allowed).reshape(len(rows), last)
        log_weight = torch.cat([member(part)[:, :last].double().sum(1) for part in rows.split(2048)])
        for r, table in weights.items():
            log_weight = log_weight + table[rows[:, r]]
        return Start(rows, log_weight, last, True)

    def _weighted(self, member: Record, weights: Mapping[int, Tensor], rng: Rng) -> Start:
        """Draws by sequential truncation, weighted by what each truncation cut away."""
        count = self.whole.family.particles
        rows, log_weight = ancestral(member, torch.zeros(count, len(member.sizes), dtype=torch.long), 0, rng, weights)
        return Start(rows, log_weight - log(count), len(member.sizes), False)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A member by its share, a start by its weight, the rest ancestrally."""
        which, u = rng.child("member").pick(self.log_mass, n), rng.child("start").uniform(n)
        x = torch.zeros(n, len(self.whole.sizes), dtype=torch.long)
        noise = rng.child("ancestral").uniform(n, len(self.whole.sizes))
        for j, (start, (member, order)) in enumerate(zip(self.starts, self.whole._each(), strict=True)):
            mine = (which == j).nonzero()[:, 0]
            if len(mine):
                rows = start.rows[choose(start.log_weight, u[mine])]
                x[mine[:, None], torch.tensor(order)] = _filled(member, rows, start.filled, noise[mine])
        return Batch(x.reshape(n, *self.whole.shape))

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) + log weight - log mass."""
        x = batch.tensor.flatten(1)
        total = self.whole.log_prob(batch) - self.met.log_mass
        for i, table in self.tables.items():
            total = total + table[x[:, i]]
        return total


def _filled(member: Record, rows: Tensor, filled: int, noise: Tensor) -> Tensor:
    rows = rows.clone()
    for r, law in enumerate(member.law(rows, filled), start=filled):
        rows[:, r] = choose(law, noise[:, r])
    return rows


def ancestral(member: Record, rows: Tensor, filled: int, rng: Rng, weights: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
    """Fills positions from rank `filled` on, each conditional tilted by its weights; also the log of what was cut away."""
    rows, log_weight = rows.clone(), torch.zeros(len(rows), dtype=torch.float64)
    noise = rng.child("ancestral").uniform(*rows.shape)
    for r, free in enumerate(member.law(rows, filled), start=filled):
        law = free
        if r in weights:
            law = law + weights[r]
            log_weight += law.logsumexp(1)
            law = law.where(law.logsumexp(1, keepdim=True).isfinite(), 0.0)
        rows[:, r] = choose(law, noise[:, r])
    return rows, log_weight
