"""A model of texts that answers several at once: all go on side by side, and what was read for one is not read again for the next."""
from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch

from ilk.backends._loop import Laws
from ilk.backends.local import LocalModel
from ilk.chat import Delta, Want
from ilk.distribution import NextToken
from ilk.serve.engine.known import Known
from ilk.serve.engine.side import SideBySide, can


@dataclass(frozen=True, eq=False)
class Shared(LocalModel):
    """`LocalModel` for threads: the answers are those that it gives alone, but for the last digits of float32."""

    known: Known = field(init=False, repr=False)
    side: SideBySide = field(init=False, repr=False)
    _told: Any = field(init=False, repr=False, default_factory=threading.local)

    def __post_init__(self) -> None:
        body = cast(NextToken, self.model.body)
        object.__setattr__(self, "known", Known(body))
        object.__setattr__(self, "side", SideBySide(body))

    def continued(self, text: str, want: Want) -> Iterator[Delta]:
        """More of a text; the end says how much of it was known."""
        for delta in super().continued(text, want):
            yield delta if delta.end is None else replace(delta, end=replace(delta.end, reused=self._told.reused))

    def laws(self, ids: Sequence[int]) -> Laws:
        """Log weights after the tokens, then after each one that is sent."""
        cache, self._told.reused = self.known.begin(ids)
        with torch.inference_mode():
            law = self.side.body.step(cache, None)[0]
            self.known.keep(ids, cache.pick(torch.zeros(1, dtype=torch.long)))
        if not can(cache):
            yield from _alone(self.side.body, cache, law)
            return
        seat, said = self.side.sit(cache), list(ids)
        try:
            while True:
                token = yield law
                law = self.side.step(seat, token)
                said.append(token)
        finally:
            left = self.side.leave(seat)
            if left is not None and len(said) > len(ids):
                self.known.keep(said, left)


def _alone(body: NextToken, cache: Any, law: torch.Tensor) -> Laws:
    while True:
        token = yield law
        with torch.inference_mode():
            law = body.step(cache, torch.tensor([token]))[0]
