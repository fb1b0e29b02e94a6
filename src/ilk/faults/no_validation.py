"""A fit that nobody watched on held-out items: when to stop, and whether it over-fits, can't be told."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import held, stage, training

LEAST = 5
OTHERS = ("critic", "gmm", "hmm", "mixture", "circuit")  # neither loss of a game says how good items are; EM climbs and stops by itself


class NoValidation(Fault):
    """Training losses, and none of held-out items."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """How many training losses there are."""
        own, seen = training(thing), held(thing)
        if len(own) >= LEAST and not len(seen) and seen.broken is None and stage(thing) not in OTHERS:
            yield self.found("the record", f"{len(own)} losses on training items to step {own.steps[-1]:g}, none on others",
                             "hold items out: ilk divides data by itself (train, valid, test), unless a split without valid was given")
