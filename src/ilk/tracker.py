"""The contract of what follows runs: a listener that is told of settings, curves and figures, and never breaks a run."""
from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from math import isfinite
from typing import Any

from .errors import printable
from .run import Began, Closed, Event, Measured, Opened, Progress, Saved, Validated


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


class Tracker(ABC):
    """Keeps something of every run that it listens to; verbs inside a run are part of it. One file of `trackers/` each.

    Whatever goes wrong in it is said once, by `tell`, and then it is silent: a record is not worth a fit. A library that is missing
    is a UsageError when the tracker is made.
    """

    def __init__(self) -> None:
        self.tell: Callable[[str], None] = _warn
        self._depth, self._stage, self._silent = 0, "", False

    def __call__(self, event: Event) -> None:
        """Hears an event."""
        if self._silent:
            return
        try:
            self.hear(event)
        except Exception as why:
            self._silent = True
            with suppress(Exception):
                self.abandon()
            self.tell(printable(f"{type(self).__name__} keeps nothing more of this run: {why}"))

    def hear(self, event: Event) -> None:
        """What an event means, told by the methods below."""
        if isinstance(event, Opened):
            self._depth += 1
            if self._depth == 1:
                self.begin(event.what)
            self.know(event.facts)
        elif isinstance(event, Closed):
            self._depth -= 1
            if self._depth == 0:
                self.end(event.how, event.message)
        elif self._depth:
            self._heard(event)

    def _heard(self, event: Event) -> None:
        if isinstance(event, Began):
            self._stage = event.what
        elif isinstance(event, Progress | Validated) and event.loss is not None and isfinite(event.loss):
            self.point(f"{self._stage}/{'train' if isinstance(event, Progress) else 'valid'}", event.step, event.loss)
        elif isinstance(event, Measured):
            self.measure({k: v for k, v in event.figures.items() if v is not None and isfinite(v)})
        elif isinstance(event, Saved):
            self.know({"model": event.at})

    @abstractmethod
    def begin(self, what: str) -> None:
        """A run of a verb begins."""

    @abstractmethod
    def know(self, facts: Mapping[str, Any]) -> None:
        """More is known of it: settings, data, where the model is; as JSON has it."""

    @abstractmethod
    def point(self, curve: str, step: int, loss: float) -> None:
        """A point of a curve, such as "vae/valid": nats per item."""

    @abstractmethod
    def measure(self, figures: Mapping[str, float]) -> None:
        """Figures of what was made."""

    @abstractmethod
    def end(self, how: str, message: str) -> None:
        """The run is done, stopped or failed."""

    def abandon(self) -> None:
        """Lets go of what it holds after something went wrong."""
        self._depth = 0


def flat(facts: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Facts by their path.

    >>> dict(flat({"family": {"name": "gmm", "options": {}}, "seed": 1}))
    {'family.name': 'gmm', 'family.options': {}, 'seed': 1}
    """
    for key, value in facts.items():
        path = f"{at}.{key}" if at else str(key)
        if isinstance(value, Mapping) and value:
            yield from flat(value, path)
        else:
            yield path, value
