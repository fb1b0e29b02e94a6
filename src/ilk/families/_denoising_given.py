"""A denoising model with something known: its context, or ranges that some numbers are to lie in."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, nextafter, prod, sqrt
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met
from ilk.given import Evidence, Fix, Held, Within
from ilk.rng import Rng
from ilk.samplers._contract import Denoise, Sampler

if TYPE_CHECKING:
    from ilk.families._denoising import Denoising

Terms = Sequence[tuple[Mapping[str, Batch], float]]   # contexts, and how strongly each is leant towards
AGAIN = 3  # how often each step is taken, so that the free part can settle with the kept one


@dataclass(frozen=True, eq=False)
class Box:
    """Where every number has to lie, in data units; infinite where nothing is asked. A kept number is a range of no width."""

    low: Tensor
    high: Tensor

    def clamped(self, batch: Batch) -> Batch:
        """Items with every number in its range."""
        return Batch(batch.tensor.clamp(self.low, self.high))

    def walk(self, whole: Denoising, denoise: Denoise, x: Tensor, sampler: Sampler, sigmas: Sequence[float], noise: Callable[[str, int], Tensor]) -> Iterator[Tensor]:
        """The sampler, the expected data always put into the box; each step is taken some times, noise put back between (Lugmayr et al. 2022)."""
        low, high = whole.standard(self.low[None]), whole.standard(self.high[None])

        def inside(x: Tensor, sigma: float) -> Tensor:
            return denoise(x, sigma).clamp(low, high)
        for i, (now, ahead) in enumerate(zip(sigmas, sigmas[1:], strict=False)):
            for j in range(i * AGAIN, i * AGAIN + (AGAIN if ahead > 0 else 1)):
                if j > i * AGAIN:
                    x = x + sqrt(now**2 - ahead**2) * noise("again", j)
                *_, x = sampler.states(inside, x, [now, ahead], lambda k, j=j: noise(f"step {k}", j))  # type: ignore[misc]
            yield x


class Told:
    """p(x | context), or the model leaning into a box, or towards some contexts and away from others."""

    def __init__(self, whole: Denoising, context: Mapping[str, Batch], box: Box | None = None, leans: Terms = ()) -> None:
        self.whole, self.context, self.box, self.leans = whole, context, box, leans
        self.met = Met("exact" if box is None and not leans else "guided")

    def _said(self, n: int, rng: Rng) -> Mapping[str, Batch]:
        return {k: b.take(torch.zeros(n, dtype=torch.long)) for k, b in self.context.items()} or ({} if self.leans else self.whole.said(n, rng))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items with what is known; kept numbers are exactly as they were."""
        *_, last = self.stream(n, rng, how)
        return last

    def stream(self, n: int, rng: Rng, how: How | None = None) -> Iterator[Batch]:
        """The same, state by state."""
        for state in self.whole.unfold(n, rng, self._said(n, rng), how, self.box, self.leans):
            yield state if self.box is None else self.box.clamped(state)


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
