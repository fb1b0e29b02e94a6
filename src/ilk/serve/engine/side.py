"""Sequences of one model that go on side by side: whoever asks for a next token waits a moment for the others, and one step is made for all."""
from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import torch
from torch import Tensor

from ilk.distribution import Joins, NextToken

PATIENCE = 0.004   # seconds that a step waits for a sequence that took part in the last one


class Seat:
    """One sequence: where it stands (row `row` of a cache that several share), and the token that it goes on with."""

    def __init__(self, group: _Group) -> None:
        self.group, self.token, self.law, self.late = group, -1, torch.zeros(0), False
        self.fault: BaseException | None = None


@dataclass(eq=False)
class _Group:
    """Sequences in one cache, a row each."""

    cache: Any
    seats: list[Seat]

    def only(self, wanted: Sequence[Seat]) -> Any:
        """The cache of some of them, in that order."""
        if list(wanted) == self.seats:
            return self.cache
        return self.cache.pick(torch.tensor([self.seats.index(seat) for seat in wanted]))


class SideBySide:
    """All sequences of one model that are being gone on with; from any thread."""

    def __init__(self, body: NextToken) -> None:
        self.body = body
        self.seats: list[Seat] = []
        self.waiting: list[Seat] = []
        self.steps = self.rows = 0            # steps made, and sequences in all of them
        self.turn, self.busy = threading.Condition(), False

    def sit(self, cache: Any) -> Seat:
        """A sequence that stands where a cache of its own says."""
        group = _Group(cache, [])
        group.seats.append(seat := Seat(group))
        with self.turn:
            self.seats.append(seat)
        return seat

    def leave(self, seat: Seat) -> Any:
        """It goes on no more; a cache of its own of where it stands."""
        with self.turn:
            while self.busy:
                self.turn.wait()
            self.seats.remove(seat)
            self.turn.notify_all()
            with torch.inference_mode():
                return seat.group.only([seat]) if seat in seat.group.seats else None

    def step(self, seat: Seat, token: int) -> Tensor:
        """Log weights of the token after this one."""
        with self.turn:
            seat.token, seat.late, until = token, False, 0.0
            self.waiting.append(seat)
            self.turn.notify_all()
            while seat in self.waiting:
                if self.busy:
                    self.turn.wait()
                    until = 0.0
                    continue
                until = until or monotonic() + PATIENCE
                left = 0.0 if self._all_here() else until - monotonic()
                if left > 0:
                    self.turn.wait(left)
                else:
                    self._go_on()
            while seat.token >= 0:
                self.turn.wait()
        if seat.fault is not None:
            raise seat.fault
        return seat.law

    def _all_here(self) -> bool:
        return len(self.waiting) >= sum(not s.late for s in self.seats)

    def _go_on(self) -> None:
        """One step for all that wait; the others may come and go meanwhile. With the lock held, but while the model is at work."""
        now, self.waiting, self.busy = self.waiting, [], True
        for seat in self.seats:
            seat.late = seat not in now
        self.turn.release()
        try:
            laws = self._stepped(now)
            for seat, law in zip(now, laws, strict=True):
                seat.law = law
        except BaseException as why:
            for seat in now:
                seat.fault = why
        finally:
            self.turn.acquire()
            self.busy = False
            for seat in now:
                seat.token = -1
            self.turn.notify_all()

    def _stepped(self, now: Sequence[Seat]) -> Tensor:
        with torch.inference_mode():
            groups = list(dict.fromkeys(seat.group for seat in now))
            caches, order = [], list[Seat]()
            for group in groups:
                mine = [seat for seat in group.seats if seat in now]
                caches.append(group.only(mine))
                order += mine
                self._rest(group, [seat for seat in group.seats if seat not in now and seat in self.seats])
            whole = _Group(caches[0].joined(caches[1:]) if len(caches) > 1 else caches[0], order)
            for seat in order:
                seat.group = whole
            laws = self.body.step(whole.cache, torch.tensor([seat.token for seat in order]))
            self.steps, self.rows = self.steps + 1, self.rows + len(order)
            return laws[torch.tensor([order.index(seat) for seat in now])]

    def _rest(self, group: _Group, left: list[Seat]) -> None:
        """Those that do not go on now have a cache of their own."""
        if left and left != group.seats:
            own = _Group(group.only(left), left)
            for seat in left:
                seat.group = own


def can(cache: object) -> bool:
    """Whether sequences of such a cache can go on side by side."""
    return isinstance(cache, Joins)
