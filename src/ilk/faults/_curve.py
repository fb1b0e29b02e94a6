"""A record as curves: training and held-out loss by step, of the last stage of a fit."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ilk.fault import Record

HUGE = 1e100  # what is no loss any more


@dataclass(frozen=True, eq=False)
class Curve:
    """Losses by step, sound ones alone; `broken` is the step of the first that was no number, or a huge one."""

    steps: NDArray[np.float64]
    losses: NDArray[np.float64]
    broken: float | None = None

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def spread(self) -> float:
        """How far it moved in all."""
        return float(self.losses.max() - self.losses.min()) if len(self) else 0.0


def events(record: Record) -> list[Mapping[str, Any]]:
    """The events of the last stage."""
    began = [i for i, event in enumerate(record.events) if event.get("event") == "began"]
    return list(record.events[began[-1]:] if began else record.events)


def stage(record: Record) -> str:
    """What the last stage is called, empty if it is not told."""
    return str(next((e.get("what", "") for e in events(record) if e.get("event") == "began"), ""))


def training(record: Record) -> Curve:
    """Loss on training items."""
    return curve(events(record), "progress", "loss")


def held(record: Record) -> Curve:
    """Loss on held-out items."""
    return curve(events(record), "validated", "loss")


def curve(found: Sequence[Mapping[str, Any]], kind: str, key: str) -> Curve:
    """One number of one sort of event; by their place where steps do not rise."""
    told = [e for e in found if e.get("event") == kind and isinstance(e.get(key), int | float)]
    steps = [float(e["step"]) if isinstance(e.get("step"), int | float) else -1.0 for e in told]
    steps = steps if steps and steps[0] >= 0 and steps == sorted(steps) else list(map(float, range(len(told))))
    points = list({step: (step, float(e[key])) for step, e in zip(steps, told, strict=True)}.values())  # the last step may be told twice
    good = np.array([p for p in points if abs(p[1]) < HUGE] or np.zeros((0, 2)))
    return Curve(good[:, 0], good[:, 1], next((step for step, loss in points if not abs(loss) < HUGE), None))


def notes(record: Record) -> list[str]:
    """What a fit said by itself."""
    return [str(e.get("text", "")) for e in record.events if e.get("event") == "noted"]


def last(found: Sequence[Mapping[str, Any]], *keys: str) -> tuple[str, float] | None:
    """The last number that events tell by one of some names."""
    return next(((key, float(e[key])) for e in reversed(found) for key in keys if isinstance(e.get(key), int | float) and isfinite(e[key])), None)
