"""Items of a model while it learns, for whoever follows a job: seldom, few, and of a copy, so that the fit is what it would be without."""
from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ilk import registry
from ilk.model import Model
from ilk.run import Event, Listener, Preview, Validated
from ilk.serve.ops._items import packed, told

MOST, SHARE, SOON, LETTERS = 8, 0.04, 2.0, 200   # items; of the time of the fit; seconds to the first; tokens of a text without end


def watches() -> tuple[Callable[[Any, Callable[[Event], None]], Listener], ...]:
    """Previews every so many seconds, if the environment variable ILK_PREVIEW asks for them."""
    every = os.environ.get("ILK_PREVIEW", "")
    return (lambda model, tell: Previews(model, tell, float(every)),) if every else ()


class Previews:
    """Makes items when held-out ones are judged: one first, then as many as their share of the time allows."""

    def __init__(self, model: Model, tell: Callable[[Event], None], every: float) -> None:
        self.model, self.tell, self.every = model, tell, every
        self._start = time.monotonic()
        self._due, self._spent, self._each = self._start + min(SOON, every), 0.0, 0.0

    def __call__(self, event: Event) -> None:
        """Hears an event; a model that makes nothing yet is passed over."""
        now = time.monotonic()
        room = SHARE * (now - self._start) - self._spent
        if not isinstance(event, Validated) or now < self._due or self._each > room:
            return
        with suppress(Exception):
            self.tell(Preview(tuple(self._items(min(MOST, int(room / self._each)) if self._each else 1))))
        took = time.monotonic() - now
        self._spent, self._due = self._spent + took, now + self.every

    def _items(self, n: int) -> list[Any]:
        start = time.monotonic()
        model = replace(self.model, body=copy.deepcopy(self.model.body))
        whole = getattr(model.modality, "per", "") == "whole"
        items = model.sample(n, how=registry.get("decoding", "ancestral")(most=LETTERS) if whole else None)
        self._each = (time.monotonic() - start) / n
        return packed(*told(model.modality, items))
