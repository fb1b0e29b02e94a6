"""A masked network where every record has known places of its own: draws in its order, weighed by how well they foretell what is known."""
from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import Marginal
from ilk.nets._record import Record
from ilk.rng import Rng, choose

if TYPE_CHECKING:
    from ilk.families.made import Made

PARTICLES = 20   # of each record, from every member


class RecordCompletion:
    """p(unknown | known) of each record by importance resampling (Rubin 1987): `PARTICLES` draws whose known places are held."""

    def __init__(self, whole: Made, batch: Batch, known: Tensor, weights: Mapping[int, Tensor], rng: Rng) -> None:
        self.whole, self.known = whole, known
        x, drawn, log_weight = batch.tensor.flatten(1), [], []
        for j, (member, order) in enumerate(whole._each()):
            rows, nats = held(member, x[:, order], known[:, order], {order.index(i): t for i, t in weights.items()}, rng.child("particles", j))
            drawn.append(rows[:, :, torch.tensor(order).argsort()])
            log_weight.append(nats)
        self.x, self.log_weight = torch.cat(drawn, 1), torch.cat(log_weight, 1)
        self.log_mass = self.log_weight.logsumexp(1) - log(self.log_weight.shape[1])
        self.ess = (2 * self.log_weight.logsumexp(1) - (2 * self.log_weight).logsumexp(1)).exp()

    def draw(self, rng: Rng) -> Batch:
        """One of the particles of each record, by its weight."""
        n = len(self.x)
        return Batch(self.x[torch.arange(n), choose(self.log_weight, rng.child("pick").uniform(n))].reshape(n, *self.whole.shape))

    def marginals(self) -> list[Marginal]:
        """How the weight of the particles is shared out among the values of each place."""
        share, found = self.log_weight.softmax(1), list[Marginal]()
        for i, size in enumerate(self.whole.sizes):
            gone = ~self.known[:, i]
            found.append(torch.zeros(int(gone.sum()), size, dtype=torch.float64).scatter_add_(1, self.x[gone, :, i], share[gone]).log())
        return found


def held(member: Record, x: Tensor, known: Tensor, weights: Mapping[int, Tensor], rng: Rng) -> tuple[Tensor, Tensor]:
    """Records (n, PARTICLES, d) filled place after place, known ones held, and the log weights of that, (n, PARTICLES)."""
    n, d = x.shape
    rows, hold = x.repeat_interleave(PARTICLES, 0), known.repeat_interleave(PARTICLES, 0)
    noise = rng.uniform(n, PARTICLES * d).reshape(n * PARTICLES, d)
    nats = torch.zeros(n * PARTICLES, dtype=torch.float64)
    for r, law in enumerate(member.law(rows, 0)):
        law = law + weights.get(r, 0.0)
        free = law.logsumexp(1)
        nats += law.gather(1, rows[:, r:r + 1])[:, 0].where(hold[:, r], free)
        rows[:, r] = rows[:, r].where(hold[:, r], choose(law.where(free[:, None] > -torch.inf, 0.0), noise[:, r]))
    return rows.reshape(n, PARTICLES, d), nats.reshape(n, PARTICLES)
