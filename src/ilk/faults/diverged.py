"""A loss that stopped being a number, or jumped and did not come back."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import Curve, held, training

LEAST, JUMP = 5, 3.0  # points; how far above all that it moved before, in that
REMEDY = "ilk fit --rate R with a third of the rate; look at outliers and scales of the data (ilk doctor DATA)"


class Diverged(Fault):
    """NaN or infinity, or the last tenth of the losses far above where it began."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """Where."""
        for name, found in (("training loss", training(thing)), ("held-out loss", held(thing))):
            said = _said(found)
            if said:
                yield self.found(name, said, REMEDY)
                return


def _said(found: Curve) -> str | None:
    if found.broken is not None:
        return f"it is no number any more from step {found.broken:g}"
    if len(found) < LEAST:
        return None
    best = int(found.losses.argmin())
    fell = max(abs(float(found.losses[: best + 1].max() - found.losses[best])), 0.05 * abs(float(found.losses[best])), 1e-9)
    end = float(np.median(found.losses[-max(1, len(found) // 10):]))
    rose = end - float(found.losses[: best + 1].max())
    return f"it was {found.losses[best]:.4g} at step {found.steps[best]:g} and ended at {end:.4g}, far above where it began" if rose > JUMP * fell else None


def diverged(record: Record) -> bool:
    """Whether a record has this fault, which others would only repeat."""
    return any(_said(found) is not None for found in (training(record), held(record)))
