"""A denoising model with something known: its context, or ranges that some numbers are to lie in."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf, nextafter, prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met, Unfinished
from ilk.families._denoising_walk import Terms, Walks, sampling
from ilk.given import Evidence, Fix, Held, Within
from ilk.rng import Rng

if TYPE_CHECKING:
    from ilk.families._denoising import Denoising


@dataclass(frozen=True, eq=False)
class Box:
    """Where every number has to lie, in data units; infinite where nothing is asked. A kept number is a range of no width."""

    low: Tensor
    high: Tensor

    def clamped(self, batch: Batch) -> Batch:
        """Items with every number in its range."""
        return Batch(batch.tensor.clamp(self.low, self.high))


class Told:
    """p(x | context), or the model leaning into a box, or towards some contexts and away from others."""

    def __init__(self, whole: Denoising, context: Mapping[str, Batch], box: Box | None = None, leans: Terms = ()) -> None:
        self.whole, self.context, self.box, self.leans = whole, context, box, leans
        self.met = Met("exact" if box is None and not leans else "guided")

    def _said(self, n: int, rng: Rng) -> Mapping[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()} or ({} if self.leans else self.whole.said(n, rng))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items with what is known; kept numbers are exactly as they were."""
        return self._walks(n, rng, how, self._said(n, rng)).last()

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same, level by level."""
        return self._walks(n, rng, how, self._said(n, rng) if self.context or self.leans or since is None else since.items.context).states(since)

    def _walks(self, n: int, rng: Rng, how: How | None, context: Mapping[str, Batch]) -> Walks:
        return Walks(self.whole, n, rng, sampling(how), context, self.box, self.leans)


class Leaning(Told):
    """Several contexts at once: it may be told ranges, too."""

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """Ranges."""
        box = box_of(evidence, getattr(self.whole.space, "shape", ()))
        return None if box is None else Told(self.whole, self.context, box, self.leans)


class ToldContext(Leaning):
    """p(x | context) alone."""

    def told(self, batch: Batch, rng: Rng) -> Batch:
        """The items, with what is known beside each."""
        return replace(batch, context=self._said(len(batch), rng))


def box_of(evidence: Evidence, shape: tuple[int, ...]) -> Box | None:
    """The ranges that evidence speaks of; None for evidence that speaks of none."""
    if isinstance(evidence, Held):
        mask, values = evidence.mask.reshape(shape), evidence.values.reshape(shape).double()
        return Box(values.where(mask, -inf), values.where(mask, inf))
    if not isinstance(evidence, Fix | Within):
        return None
    ranges = evidence.ranges if isinstance(evidence, Within) else {i: (v, v) for i, v in evidence.values.items()}
    low, high = (torch.full((prod(shape),), bound, dtype=torch.double) for bound in (-inf, inf))
    for i, (least, most) in ranges.items():
        low[i], high[i] = nextafter(least, most), nextafter(most, least)   # the ends themselves may round to the next whole number
    return Box(low.reshape(shape), high.reshape(shape))
