"""A Boltzmann machine once something is known of its visible units: a machine again, over what is left of them."""
from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met
from ilk.families._rbm_units import Binary, Gaussian
from ilk.given import Evidence, Fix, Held, Weigh, Within
from ilk.rng import Rng

if TYPE_CHECKING:
    from ilk.families.rbm import Rbm

Ranges = Mapping[int, tuple[float, float]]


def filled(whole: Rbm, evidence: Evidence, rng: Rng) -> Filled | None:
    """The machine given evidence on its visible units; None for another sort."""
    units: Binary | Gaussian | None = None
    ranges: Ranges = {}
    if whole.binary:
        tables = _tables(whole, evidence)
        units = None if tables is None else weighed(whole.machine.units, tables)   # type: ignore[arg-type]
    else:
        found = _ranges(evidence)
        if found is not None:
            ranges, units = found, _inside(whole, found)
    if units is None:
        return None
    kind = FilledExact if whole.machine.told(units).side() else FilledEstimate
    return kind(whole, units, ranges, rng)


def _tables(whole: Rbm, evidence: Evidence) -> Mapping[int, Tensor] | None:
    if isinstance(evidence, Held):
        value = evidence.values.flatten()
        return {i: torch.full((2,), -inf).index_fill(0, value[i], 0.0) for i in evidence.mask.flatten().nonzero()[:, 0].tolist()}
    return evidence.tables if isinstance(evidence, Weigh) else None


def weighed(units: Binary, tables: Mapping[int, Tensor]) -> Binary:
    """Units with more log weights; a table of one value is that of a place that has only one."""
    log_weight = units.log_weight.clone()
    for i, table in tables.items():
        log_weight[:len(table), i] += table.double()
    return Binary(log_weight)


def _ranges(evidence: Evidence) -> Ranges | None:
    if isinstance(evidence, Held):
        values = evidence.values.flatten().tolist()
        return {i: (values[i], values[i]) for i in evidence.mask.flatten().nonzero()[:, 0].tolist()}
    if isinstance(evidence, Fix):
        return {i: (x, x) for i, x in evidence.values.items()}
    return evidence.ranges if isinstance(evidence, Within) else None


def _inside(whole: Rbm, ranges: Ranges) -> Gaussian:
    low, high = torch.full((2, len(whole.scale)), inf, dtype=torch.double) * torch.tensor([[-1.0], [1.0]])
    for i, (a, b) in ranges.items():
        low[i], high[i] = ((x - whole.center[i]) / whole.scale[i] for x in (a, b))
    return Gaussian(low, high)


class Filled:
    """p(visible units | evidence); exact where a side of what is left can be listed, else by annealing."""

    def __init__(self, whole: Rbm, units: Binary | Gaussian, ranges: Ranges, rng: Rng) -> None:
        self.whole, self.ranges = whole, ranges
        self.machine = whole.machine.told(units)
        self.log_z, error = self.machine.normaliser(rng.child("given"), whole.family.chains, whole.family.rungs)
        self.log_volume = whole.log_volume.where(~units.fixed, 0.0) if isinstance(units, Gaussian) else whole.log_volume
        log_mass = self.log_z - float(whole.log_z[0]) - float((whole.log_volume - self.log_volume).sum())
        error = float((error**2 + whole.log_z[1] ** 2) ** 0.5)
        self.met = Met("estimate" if error else "exact", log_mass, error)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items that agree with what is known."""
        made = self.whole.items(self.machine.draw(n, rng.child("given"), self.whole.family.rungs))
        if not self.ranges:
            return made
        x = made.tensor.reshape(n, len(self.whole.scale))
        for i, (low, high) in self.ranges.items():
            x[:, i] = x[:, i].clamp(low, high)
        return Batch(x.reshape(made.tensor.shape))

    def nats(self, batch: Batch) -> Tensor:
        """log p(x | evidence) by the log Z that is known, exact or not."""
        return self.machine.log_mass(self.whole.units_of(batch)) - self.log_z - self.log_volume.sum()


class FilledExact(Filled):
    """Where the sum over what is left is exact."""

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x | evidence), -inf for an item that breaks it."""
        return self.nats(batch)


class FilledEstimate(Filled):
    """Where it is estimated."""

    def log_prob_estimate(self, batch: Batch, rng: Rng) -> tuple[Tensor, Tensor]:
        """log p(x | evidence) and its standard error."""
        found = self.nats(batch)
        return found, torch.full_like(found, self.met.log_mass_error)
