"""What evidence leaves of a part of a row: the few values it may have, each with a log weight."""
from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from ilk.batch import Batch, stack
from ilk.given import Evidence, Fix, Presence, Weigh
from ilk.space import Discrete, Maybe, Reals, Space

Values = tuple[Batch, Tensor]  # k values and their log weights, (k,)


def values_of(space: Space, said: Evidence | None) -> Values | None:
    """The values of a part that the evidence allows; None if they are too many to list, or it is not said of this space.

    >>> values_of(Discrete(3), Weigh({0: torch.tensor([0.0, -torch.inf, 1.0])}))[0].tensor.tolist()
    [0, 2]
    """
    if isinstance(space, Maybe):
        return _maybe(space.of, said)
    if isinstance(space, Discrete) and space.shape == () and isinstance(said, Weigh | None):
        table = torch.zeros(space.each[0], dtype=torch.double) if said is None else said.tables[0].double()
        left = (table > -torch.inf).nonzero()[:, 0]
        return Batch(left), table[left]
    if isinstance(space, Reals) and isinstance(said, Fix) and len(said.values) == prod(space.shape):
        x = torch.tensor([[said.values[i] for i in range(len(said.values))]], dtype=torch.double)
        return Batch(x.reshape(1, *space.shape)), torch.zeros(1, dtype=torch.double)
    return None


def _maybe(space: Space, said: Evidence | None) -> Values | None:
    told = Presence(0.0, 0.0) if said is None else said
    if not isinstance(told, Presence):
        return None
    found: list[Values] = []
    if told.there > -torch.inf:
        there = values_of(space, told.of)
        if there is None:
            return None
        found.append((Batch(there[0].x, torch.ones(len(there[1]), dtype=torch.bool)), there[1] + told.there))
    if told.missing > -torch.inf:
        blank = torch.zeros(1, *getattr(space, "shape", ()), dtype=torch.long if isinstance(space, Discrete) else torch.double)
        found.append((Batch(blank, torch.zeros(1, dtype=torch.bool)), torch.tensor([told.missing], dtype=torch.double)))
    if not found:
        return Batch(torch.zeros(0)), torch.zeros(0, dtype=torch.double)
    return stack([b for b, _ in found]), torch.cat([w for _, w in found])
