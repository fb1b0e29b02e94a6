"""Masked autoregressive network: exact masses of rows and records, in one to eight fixed orders. The default for tables."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, prod
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ilk.batch import Batch, Source
from ilk.distribution import Family, How, Neural, Phase, Plan
from ilk.errors import ModelError
from ilk.families._record_each import RecordCompletion
from ilk.families._record_given import RecordPosterior
from ilk.given import Evidence, Held, Weigh
from ilk.nets._record import Record
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.space import Discrete, Space
from ilk.store import State

LOOK = 100_000


class Made(Neural["MADE"]):
    """A uniform mixture of fixed orders (Germain et al. 2015); exact masses, exact samples."""

    def __init__(self, family: MADE, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        if not isinstance(space, Discrete):
            raise TypeError("MADE takes Discrete")
        self.shape, self.sizes = space.shape, space.each
        self.orders = torch.stack([rng.child("order", m).shuffle(len(self.sizes)) for m in range(family.orders)])
        super().__init__(family, space, rng, about)

    def build_net(self) -> None:
        """One masked network per order."""
        f, d = self.family, len(self.sizes)
        width = f.width or min(1024, max(256, 64 * d))
        self.members = nn.ModuleList([Record([self.sizes[i] for i in order], width, f.depth, f.embed, f.dropout) for order in self.orders.tolist()])

    def prepare(self, data: Source) -> None:
        """Output biases start at the log marginals of at most 100,000 items."""
        x = data.take(torch.arange(min(len(data), LOOK))).tensor.flatten(1)
        shares = []
        for i, size in enumerate(self.sizes):
            count = torch.bincount(x[:, i], minlength=size).double() + 1 / size
            shares.append((count / count.sum()).log())
        for member, order in self._each():
            member.start_at(torch.cat([shares[i] for i in order]).float())

    def phases(self) -> Sequence[Phase]:
        """Every member's negative log-likelihood, together."""
        return [Phase("made", self.members.parameters, self._loss)]

    def plan(self, items: int) -> Plan:
        """Small batches at first sight of small data; over-fitting, not time, is the limit, so few passes, annealed."""
        batch = int(min(512, max(32, items // 60)))
        per = max(1, items // batch)
        steps = int(min(max(600, self.family.epochs * per), 60_000))
        return Plan(steps=steps, batch=batch, rate=2e-3, weight_decay=self.family.weight_decay, evaluate_every=max(20, min(per, steps // 12)))

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        x = batch.tensor.flatten(1)
        return torch.stack([-member(x[:, order]).sum(1) for member, order in self._each()]).mean(0)

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Of the mixture."""
        return -self.log_prob(batch)

    def _each(self) -> list[tuple[Record, list[int]]]:
        return [(m, o) for m, o in zip(self.members, self.orders.tolist(), strict=True)]  # type: ignore[misc]

    @torch.no_grad()
    def log_prob(self, batch: Batch) -> Tensor:
        """Log mass, (n,)."""
        x = batch.tensor.flatten(1)
        found = [torch.cat([member(part).double().sum(1) for part in x[:, order].split(2048)]) if len(x) else torch.zeros(0).double() for member, order in self._each()]
        return torch.stack(found).logsumexp(0) - log(len(self.members))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Ancestral draws, one member an item."""
        return RecordPosterior(self, {}, rng).sample(n, rng, how)

    def given(self, evidence: Evidence, rng: Rng) -> RecordPosterior | None:
        """Exact where the allowed states up to the last mentioned position, in the order, are few; else weighted draws."""
        if isinstance(evidence, Held):
            where = evidence.mask.flatten().nonzero()[:, 0].tolist()
            evidence = Weigh({i: _only(self.sizes[i], int(evidence.values.flatten()[i])) for i in where})
        return RecordPosterior(self, evidence.tables, rng) if isinstance(evidence, Weigh) else None

    def given_each(self, batch: Batch, known: Tensor, evidence: Evidence | None, rng: Rng) -> RecordCompletion | None:
        """An estimate by draws of each record, weights of any places besides."""
        if not isinstance(evidence, Weigh | None):
            return None
        return RecordCompletion(self, batch, known, {} if evidence is None else {i: t.double() for i, t in evidence.tables.items()}, rng)

    def state(self) -> State:
        """The orders (drawn in `build`, so part of the state) and the weights."""
        return State({"orders": self.orders, **super().state().tensors})

    def restore(self, state: State) -> None:
        """Takes them back."""
        orders = state.tensors.get("orders")
        if orders is None or orders.shape != self.orders.shape or not bool((orders.sort(1).values == torch.arange(len(self.sizes))).all()):
            raise ModelError("the orders do not fit the recipe", code="WEIGHTS_SHAPE")
        self.orders = orders
        with Rng(0).as_global():
            self.build_net()
        super().restore(State({k: v for k, v in state.tensors.items() if k != "orders"}, state.facts))


def _only(size: int, value: int) -> Tensor:
    return torch.full((size,), -torch.inf, dtype=torch.float64).index_fill(0, torch.tensor(value), 0.0)


@dataclass(frozen=True, kw_only=True)
class MADE(Family):
    """Masked autoencoder for distribution estimation: every conditional of one order in one pass.

    `orders` members with different random orders make a uniform mixture. `width` None suits the number of columns.
    `particles` are drawn where a given is too wide to enumerate; `epochs` are passes over the data when no budget is set.

    >>> from ilk.space import Discrete
    >>> model = MADE(width=32).build(Discrete((2, 3), (2,)), Rng(0))
    >>> x = Batch(torch.cartesian_prod(torch.arange(2), torch.arange(3)))
    >>> round(float(model.log_prob(x).exp().sum()), 5)
    1.0
    """

    distribution = Made
    width: Annotated[Annotated[int, Interval(ge=8, le=8192)] | None, Tried(None, 256, 512)] = None
    depth: Annotated[int, Interval(ge=1, le=16), Tried(1, 2, 3)] = 2
    embed: Annotated[int, Interval(ge=1, le=512)] = 24
    dropout: Annotated[float, Interval(ge=0, lt=1), Tried(0.0, 0.1, 0.25, 0.4)] = 0.25
    orders: Annotated[int, Interval(ge=1, le=8), Tried(1, 2)] = 1
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 10
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.01
    particles: Annotated[int, Interval(ge=100, le=1_000_000)] = 10_000

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but Discrete with at least one position."""
        return None if isinstance(space, Discrete) and prod(space.shape) >= 1 and space.shape else "takes a Discrete record"
