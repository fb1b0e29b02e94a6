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
from ilk.errors import UsageError
from ilk.families._denoising_walk import Partway, Terms, Walks, sampling
from ilk.given import Evidence, Fix, Held, Within
from ilk.rng import Rng
from ilk.space import Space

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

    def _boxed(self, items: Batch) -> Batch:
        return items if self.box is None else self.box.clamped(items)

    def beside(self, n: int) -> Mapping[str, Batch]:
        """What is told of n items that are there already: what is known, else nothing; UsageError where the model never learned to do without."""
        if self.whole.about and not self.context and not self.whole.family.drop:
            raise UsageError(f"this model has to be told {', '.join(self.whole.about)} of an item", code="GIVEN", param="given",
                             remedy="say it (--label, --prompt), or fit with drop above 0")
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()}

    def _true(self, n: int) -> Mapping[str, Batch]:
        """The same, which has to be all that is said of them."""
        if self.leans:
            raise UsageError("labels and prompts with weights lean what is drawn; they say nothing of an item that is there", code="GIVEN", param="given",
                             remedy="leave the weights out")
        return self.beside(n)

    def revise(self, batch: Batch, strength: float, rng: Rng, how: How | None = None) -> Batch:
        """Items from partway of the sampler's levels; with strength 1 from noise alone, as `sample` does."""
        n = len(batch)
        if strength == 0:
            return self._boxed(Batch(batch.tensor))
        if strength == 1:
            return self.sample(n, rng, how)
        return replace(self._walks(n, rng, how, self.beside(n)), begin=Partway(self.whole.standard(batch.tensor), strength)).last()

    @torch.no_grad()
    def restored(self, batch: Batch, noise: Tensor) -> Batch:
        """The expected items without noise; where channels or numbers differ in scale, each is asked for at its own level."""
        x, found = batch.tensor, batch.tensor.double()
        for scale in self.whole.scale.unique().tolist():
            sigma = (noise / scale).float().clamp(self.whole.path.least, self.whole.path.most)
            data = self.whole.expected(x, sigma, self._true(len(x)))
            found = data.where((self.whole.scale == scale) & (noise > 0).reshape(-1, *[1] * (data.ndim - 1)), found.reshape(data.shape))
        return self._boxed(Batch(found.reshape(x.shape)))

    def encode(self, batch: Batch) -> Batch:
        """The noise that leads to each item."""
        return self.whole.encode(Batch(batch.tensor, context=self._true(len(batch))))

    def decode(self, codes: Batch) -> Batch:
        """The item that each noise leads to."""
        return self._boxed(self.whole.decode(Batch(codes.tensor, context=self._true(len(codes)))))

    def code_space(self) -> Space:
        """That of the items."""
        return self.whole.space


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
