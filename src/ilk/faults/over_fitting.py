"""A held-out loss that rises while the training loss falls: from there on the model learns the training items by heart."""
from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import held, training
from ilk.faults.diverged import diverged

ROSE, LEAST, STEADY = 0.2, 4, 0.5  # rise after the best as a share of all it moved; points; how steady it is, as a correlation with the steps


class OverFitting(Fault):
    """The end of the held-out loss well above its best, and the training loss not so."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """When the best was, and how far it rose."""
        seen, own = held(thing), training(thing)
        if len(seen) < LEAST or diverged(thing):
            return
        best = int(seen.losses.argmin())
        after = seen.losses[best + 1:]
        rise = float(np.median(after[-max(1, len(after) // 3):]) - seen.losses[best]) if len(after) >= 2 else 0.0
        steady = float(np.corrcoef(np.arange(len(after) + 1), seen.losses[best:])[0, 1]) if len(after) >= 2 and rise > 0 else 0.0
        late = own.losses[own.steps >= seen.steps[best]]
        falls = len(late) < 2 or late[-max(1, len(late) // 3):].mean() <= late[: max(1, len(late) // 3)].mean()
        if rise > ROSE * seen.spread and steady > STEADY and falls:
            step = f"{seen.steps[best]:g}"
            why = f"it was {seen.losses[best]:.4g} at step {step} and rose by {rise:.3g} until step {seen.steps[-1]:g}, while training items did not grow less likely"
            yield self.found(f"held-out loss from step {step}", why,
                             f"--steps {step} does as well (ilk keeps the weights of that step); dropout, weight decay, a smaller model or more items do better")
