"""A fit that ended while its loss still fell fast: more steps would have been the cheapest gain."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import Curve, held, training
from ilk.faults.diverged import diverged
from ilk.faults.rate_too_low import still

LEAST, STEEP = 6, 0.15  # points; what the last quarter of the steps brought, as a share of all that was gained


class NotConverged(Fault):
    """The last quarter brought a good part of the gain, where a loss that settles gains next to nothing."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """How much."""
        name, found = ("held-out loss", held(thing)) if len(held(thing)) >= LEAST else ("training loss", training(thing))
        if len(found) < LEAST or diverged(thing) or still(thing):
            return
        share, noise = _gain(found)
        if share > STEEP and share > 3 * noise:
            yield self.found(f"{name} at step {found.steps[-1]:g}", f"the last quarter of the steps brought {share:.0%} of all that it fell: it had not settled",
                             f"--steps {4 * int(found.steps[-1])}, or ilk fit DATA --start MODEL to go on from here")


def _gain(found: Curve) -> tuple[float, float]:
    """The share of the gain within the last quarter, and how much of it may be noise; the first point, from nothing, is left out."""
    late = found.steps >= found.steps[-1] - 0.25 * (found.steps[-1] - found.steps[0])
    tail = found.losses[late]
    line = np.polyfit(found.steps[late], tail, 1) if len(tail) > 2 else np.array([(tail[-1] - tail[0]) / max(1e-12, found.steps[-1] - found.steps[late][0]), 0.0])
    fall = -float(line[0]) * float(found.steps[-1] - found.steps[late][0])
    rest = float((tail - np.polyval(line, found.steps[late])).std()) if len(tail) > 2 else 0.0
    return fall / max(found.spread, 1e-12), rest / max(found.spread, 1e-12) / len(tail) ** 0.5
