"""A game that the critic has won: its loss is next to 0, and the generator gets nothing to follow."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import Curve, curve, events, stage, training

LEAST, WON, KEYS = 5, 0.05, ("d_loss", "critic_loss", "loss_d", "loss_D", "disc_loss", "discriminator_loss")
GAME = "critic"


class CriticWins(Fault):
    """A critic's loss below a twentieth of the nats of no opinion, to the end."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """The loss."""
        for name, found in _curves(thing):
            tail = found.losses[-max(LEAST, len(found) // 4):]
            if len(found) >= LEAST and 0 <= float(np.median(tail)) < WON and tail.min() >= 0:
                yield self.found(name, f"it is {np.median(tail):.2g} to the end, where a critic without an opinion has 1.4: "
                                 "it tells every item, and the generator learns nothing",
                                 "penalty='r1' (or loss='wasserstein' with penalty='gradient'), a smaller critic or a lower rate of it")
                return


def _curves(record: Record) -> Iterator[tuple[str, Curve]]:
    yield from ((key, curve(events(record), "progress", key)) for key in KEYS)
    if stage(record) == GAME:
        yield "critic's loss", training(record)
