"""A loss that leaps up and down to the end instead of settling: the steps are too long."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import Curve, held, stage, training
from ilk.faults.diverged import diverged

LEAST, LEAPS = 10, 0.25  # points; the size of a usual leap in the second half, as a share of all that the loss moved
GAME = "critic"          # a game's loss has no valley to settle in


class RateTooHigh(Fault):
    """Leaps of a quarter of the whole range to the end, or of more than the loss gained since its first points."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """How large the leaps are."""
        if stage(thing) == GAME or diverged(thing):
            return
        for name, found in (("training loss", training(thing)), ("held-out loss", held(thing))):
            if len(found) >= LEAST and (leap := _leap(found)) > LEAPS:
                yield self.found(name, f"in the second half it leaps by {leap:.0%} of all that it moved from one look to the next, and turns again and again",
                                 "ilk fit --rate R with a third of the rate, or a larger --batch")
                return


def _leap(found: Curve) -> float:
    """The usual leap, if it is of the size of what the loss gained, and most go back where they came from."""
    moves = np.diff(found.losses[len(found) // 2:])
    turning = float((moves[1:] * moves[:-1] < 0).mean())
    leap = float(np.median(np.abs(moves)))
    gained = float(found.losses[: len(found) // 5 + 1].mean() - found.losses[-(len(found) // 5 + 1):].mean())
    return leap / max(found.spread, 1e-12) if turning > 0.4 and leap > 0.4 * gained and found.spread > 0.05 * abs(float(np.median(found.losses))) else 0.0
