"""A first loss orders of magnitude above what it comes to: the data are on another scale than the network's beginnings."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import held, training
from ilk.faults.diverged import diverged

LEAST, TIMES = 4, 300.0  # points; the first loss over the usual size of the later ones


class BadScaling(Fault):
    """Hundreds of times the later losses."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """The first loss and the later ones."""
        for name, found in (("training loss", training(thing)), ("held-out loss", held(thing))):
            if len(found) < LEAST or diverged(thing):
                continue
            later = float(np.median(np.abs(found.losses[len(found) // 4:]))) + 0.01
            if found.losses[0] > TIMES * later and found.losses[0] > 1000:
                yield self.found(name, f"{found.losses[0]:.3g} at step {found.steps[0]:g}, about {later:.3g} later: the first steps only undo the scale",
                                 "bring numbers to about -1 to 1 before a network sees them, as ilk.fit does by itself; look for outliers with ilk doctor DATA")
                return
