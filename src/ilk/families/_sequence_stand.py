"""Where sequences stand while they are drawn, for networks that keep a state of one size: their tokens, the state, the law of the next."""
from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

ROOM = 64
Parts = Sequence[Tensor]  # what a network keeps of each sequence, batch first


class Advances(Protocol):
    """A network that reads tokens: `about` (B, width) is what is known beside them, if anything is."""

    size: int

    def filled(self, inputs: Tensor, about: Tensor | None) -> tuple[Tensor, Parts]:
        """What stands after inputs (B, T), each with the end before its first token and before that as often as need be."""

    def advanced(self, token: Tensor, about: Tensor | None, parts: Parts) -> tuple[Tensor, Parts]:
        """What stands one token later."""


class Stand:
    """Several sequences, each at a place of its own. `law` are the log weights of the next token."""

    def __init__(self, net: Advances, history: Tensor, length: Tensor, about: Tensor | None) -> None:
        self.net, self.history, self.length, self.about = net, history, length, about
        self.ended, self.longest, self.stopped = torch.zeros(len(length), dtype=torch.bool), _most(length), False
        column = torch.arange(self.longest + 1) - 1 - (self.longest - length)[:, None]
        held = pad(history, (1, 0)).gather(1, (column + 1).clamp_min(0))
        self.law, self.parts = net.filled(held.where(column >= 0, net.size), about)

    def push(self, token: Tensor) -> None:
        """One more token each."""
        if self.history.shape[1] <= self.longest:
            self.history = pad(self.history, (0, max(ROOM, self.history.shape[1])))
        self.history[torch.arange(len(token)), self.length] = token
        self.length, self.longest, self.ended = self.length + 1, self.longest + 1, self.ended | (token == self.net.size)
        self.stopped = bool(self.ended.any())
        self.law, self.parts = self.net.advanced(token, self.about, self.parts)

    def pick(self, rows: Tensor) -> Stand:
        """Some sequences, perhaps several times."""
        other = copy(self)
        for name in ("history", "length", "ended", "law"):
            setattr(other, name, getattr(self, name)[rows])
        other.parts, other.about = [part[rows] for part in self.parts], None if self.about is None else self.about[rows]
        other.longest, other.stopped = _most(other.length), bool(other.ended.any())
        return other

    def joined(self, others: Sequence[Stand]) -> Stand:
        """These sequences and others side by side."""
        every, other = (self, *others), copy(self)
        wide = max(s.history.shape[1] for s in every)
        other.history = torch.cat([pad(s.history, (0, wide - s.history.shape[1])) for s in every])
        for name in ("length", "ended", "law"):
            setattr(other, name, torch.cat([getattr(s, name) for s in every]))
        other.parts = [torch.cat(part) for part in zip(*(s.parts for s in every), strict=True)]
        other.about = None if self.about is None else torch.cat([s.about for s in every if s.about is not None])
        other.longest, other.stopped = max(s.longest for s in every), any(s.stopped for s in every)
        return other

    def cut(self, length: int) -> Stand:
        """The sequences as they stood after at most so many elements."""
        return Stand(self.net, self.history[:, :length].clone(), self.length.clamp_max(length), self.about)


def _most(length: Tensor) -> int:
    return int(length.max()) if len(length) else 0
