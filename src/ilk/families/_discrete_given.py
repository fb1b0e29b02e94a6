"""Discrete diffusion with something known: its context, and what some positions may hold."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..batch import Batch
from ..distribution import How, Met, Unfinished
from ..errors import UsageError
from ..given import About, At, Begin, Evidence, Held, Weigh
from ..rng import Rng

if TYPE_CHECKING:
    from .discrete_diffusion import DiscreteDiffusing


class Told:
    """p(x | context), exactly as it was learned; or every guess leaning on log weights of values (positions, values).

    A kept value is seen by the network from the start, so the others are guessed from it; they are drawn as if positions were always
    found in this order, which is p(x | kept) where the network's guesses agree with one another.
    """

    def __init__(self, whole: DiscreteDiffusing, context: Mapping[str, Batch], tables: Tensor) -> None:
        self.whole, self.context, self.tables = whole, context, tables
        self.met = Met("guided" if bool((tables != 0).any()) else "exact")

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """The same with a context, or with more known of the positions."""
        if isinstance(evidence, About):
            return Told(self.whole, evidence.context, self.tables)
        tables = tables_of(evidence, self.whole.sizes)
        return None if tables is None else Told(self.whole, self.context, _possible(self.tables + tables))

    def _said(self, n: int) -> Mapping[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items with what is known; kept values are as they were."""
        return self.whole.found(n, rng, self._said(n), self.tables)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, round by round."""
        return self.whole.unfolded(n, rng, self._said(n) if self.context or since is None else since.items.context, self.tables, since)

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Bound on log p(x | context), whatever is known of positions."""
        return self.whole.log_prob_bound(replace(batch, context=self._said(len(batch))), rng)


def tables_of(evidence: Evidence, sizes: Sequence[int]) -> Tensor | None:
    """Log weights of values (positions, values) that evidence speaks of; None for evidence of another sort."""
    tables = torch.zeros(len(sizes), max(sizes), dtype=torch.double)
    for place, table in _weights(evidence, sizes) or ():
        tables[place, :len(table)] += table
    return None if _weights(evidence, sizes) is None else _possible(tables)


def _weights(evidence: Evidence, sizes: Sequence[int]) -> list[tuple[int, Tensor]] | None:
    match evidence:
        case Weigh(tables=tables):
            return list(tables.items())
        case Held(mask=mask, values=values):
            return [(i, _only(sizes[i], int(values.flatten()[i]))) for i in mask.flatten().nonzero()[:, 0].tolist()]
        case Begin(elements=elements) if len(elements) <= len(sizes):
            return [(i, _only(sizes[i], value)) for i, value in enumerate(elements.tolist())]
        case At(places=places) if all(isinstance(said, Weigh) for said in places.values()):
            return [(i, said.tables[0]) for i, said in places.items() if isinstance(said, Weigh)]
        case _:
            return None


def _only(size: int, value: int) -> Tensor:
    if not 0 <= value < size:
        raise UsageError(f"a position has values from 0 to {size - 1}, not {value}", code="GIVEN", param="given")
    return torch.full((size,), -torch.inf, dtype=torch.double).index_fill(0, torch.tensor(value), 0.0)


def _possible(tables: Tensor) -> Tensor:
    """The tables; UsageError for a position that may hold nothing."""
    if bool((tables.amax(1) == -torch.inf).any()):
        raise UsageError("nothing is allowed at one of the positions", code="IMPOSSIBLE", param="given")
    return tables
