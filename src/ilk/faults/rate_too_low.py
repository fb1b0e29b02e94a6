"""A loss that hardly moved in many steps: the rate is too low, or no gradient arrives."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import Curve, held, training

LEAST, MOVED, TINY = 8, 0.02, 1e-6  # points; the fall from first to last, as a share of the loss; a rate that is hardly ever meant


class RateTooLow(Fault):
    """A fall of less than two hundredths of the loss, steady to the end."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """From where to where."""
        if still(thing):
            found = _longer(thing)
            rate = thing.facts.get("rate")
            said = f" at a rate of {rate:g}" if isinstance(rate, int | float) else ""
            yield self.found("the loss", f"from {found.losses[0]:.5g} at step {found.steps[0]:g} to {found.losses[-1]:.5g} at step {found.steps[-1]:g}: it hardly moved{said}",
                             "ilk fit --rate R with ten times the rate (1e-3 is usual); look whether the data are on a sensible scale")


def _longer(record: Record) -> Curve:
    return max((training(record), held(record)), key=len)


def still(record: Record) -> bool:
    """Whether the loss hardly moved, and went on moving as slowly to the end: one that has settled falls early and then no more."""
    found = _longer(record)
    if len(found) < LEAST:
        return False
    n = len(found) // 4
    first, middle, last = (float(np.mean(part)) for part in (found.losses[:n], found.losses[n:-n], found.losses[-n:]))
    size = max(abs(first), 1e-12)
    slow = 0 < first - last < MOVED * size and middle - last > 0.25 * (first - last)
    noise = float(np.abs(np.diff(found.losses)).mean())
    tiny = isinstance(record.facts.get("rate"), int | float) and record.facts["rate"] <= TINY
    return slow and (tiny or first - last > noise)
