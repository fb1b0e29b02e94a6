"""Gradients that come to nothing: the first layers, or a generator, learn no more."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import curve, events, notes

LEAST, SMALL, KEYS = 3, 1e-5, ("grad_norm", "gradient", "gradient_norm", "grad")
REMEDY = "normalisation or residual connections (ilk's own nets have them), loss='non_saturating' with penalty='r1' for a gan, a rate that is not too low"


class VanishingGradient(Fault):
    """A norm that is told and is next to 0, or a fit that said so itself."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """The norm."""
        yield from (self.found("what the fit said", text, REMEDY) for text in notes(thing) if text.startswith("vanishing gradient"))
        for key in KEYS:
            found = curve(events(thing), "progress", key)
            tail = float(np.median(found.losses[-max(LEAST, len(found) // 4):])) if len(found) >= LEAST else 1.0
            if tail < SMALL:
                yield self.found(key, f"it is {tail:.2g} at the end, {found.losses[0]:.2g} at first: nothing is learned any more", REMEDY)
