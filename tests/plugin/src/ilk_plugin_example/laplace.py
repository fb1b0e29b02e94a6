"""Independent Laplace laws: the sturdiest family of numbers there is."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Distribution, Family, How, Met
from ilk.errors import ModelError
from ilk.given import Evidence, Fix
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Reals, Space
from ilk.store import State


class Laplaces(Distribution["Laplace"]):
    """A median and a mean distance from it per number; `fixed` coordinates have known values."""

    met = Met("exact")

    def __init__(self, family: Laplace, space: Space, rng: Rng, about: Mapping[str, Space], fixed: Mapping[int, float] | None = None) -> None:
        super().__init__(family, space, rng, about)
        self.shape, self.fixed = space.shape if isinstance(space, Reals) else (), dict(fixed or {})
        self.middle, self.spread = torch.zeros(prod(self.shape), dtype=torch.double), torch.ones(prod(self.shape), dtype=torch.double)

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """The maximum of the likelihood."""
        x = torch.cat([self._flat(part) for part in data.chunks(4096)])
        self.middle = x.median(0).values
        self.spread = (x - self.middle).abs().mean(0) + self.family.ridge
        run.tick(self.state)

    def state(self) -> State:
        """Medians and spreads."""
        return State({"middle": self.middle, "spread": self.spread})

    def restore(self, state: State) -> None:
        """Takes them back."""
        if any(k not in state.tensors or state.tensors[k].shape != self.middle.shape for k in ("middle", "spread")):
            raise ModelError("the tensors do not fit a Laplace law over this space")
        self.middle, self.spread = state.tensors["middle"], state.tensors["spread"]

    def log_prob(self, batch: Batch) -> Tensor:
        """Nats of the free numbers; -inf where a known one differs."""
        x = self._flat(batch)
        each = -(x - self.middle).abs() / self.spread - (2 * self.spread).log()
        for i, value in self.fixed.items():
            each[:, i] = torch.zeros(len(x)).double().where(x[:, i] == value, -torch.inf)
        return each.sum(1)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """By the inverse of the distribution function."""
        u = rng.uniform(n, len(self.middle)) - 0.5
        x = self.middle - self.spread * u.sign() * torch.log1p(-2 * u.abs())
        for i, value in self.fixed.items():
            x[:, i] = value
        return Batch(x.reshape(n, *self.shape))

    def given(self, evidence: Evidence, rng: Rng) -> Laplaces | None:
        """The others as they were, since all are independent."""
        if not isinstance(evidence, Fix):
            return None
        told = Laplaces(self.family, self.space, rng, self.about, {**self.fixed, **evidence.values})
        told.middle, told.spread, value = self.middle, self.spread, self.middle.clone()
        for i, v in evidence.values.items():
            value[i] = v
        nats = -(value - self.middle).abs() / self.spread - (2 * self.spread).log()
        told.met = Met("exact", float(nats[list(evidence.values)].sum()))
        return told

    def _flat(self, batch: Batch) -> Tensor:
        return batch.tensor.double().reshape(len(batch), len(self.middle))


@dataclass(frozen=True, kw_only=True)
class Laplace(Family):
    """Independent Laplace laws; `ridge` is added to every spread."""

    distribution: ClassVar[type[Distribution[Any]]] = Laplaces
    ridge: Annotated[float, Interval(ge=1e-12, le=1e6)] = 1e-6

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but numbers."""
        return None if isinstance(space, Reals) else "takes Reals"
