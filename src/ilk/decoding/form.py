"""Draws only texts of a form: a regular pattern says which characters may come next."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ..distribution import How
from ..errors import UsageError
from ._contract import kept, tempered
from ._pattern import Machine, machine


@dataclass(frozen=True, kw_only=True)
class Form(How):
    """Texts that match the whole `pattern`: tokens after which none could match are left out, and what is left keeps its proportions.

    The pattern knows letters, `.` for any, [classes], (groups|of choices), * + ? {m,n}, and \\ before a sign. `tokens` says what
    each token stands for, None for one that is never drawn: the verbs fill it in from the model. `p` keeps the likeliest tokens of
    this mass, after the temperature. An item that `most` cuts short may not match.

    >>> form = Form(pattern="(ab)+", tokens=("a", "b", "c"))
    >>> form.allowed(torch.tensor([form.first])).tolist()
    [[True, False, False, False]]
    """

    pattern: str = ".*"
    tokens: tuple[str | None, ...] = ()
    temperature: Annotated[float, Interval(gt=0, le=100)] = 1.0
    p: Annotated[float, Interval(gt=0, le=1)] = 1.0
    most: Annotated[int, Interval(ge=0)] | None = None

    first = 0  # the machine's first state

    def bound(self, tokens: Sequence[str | None]) -> Form:
        """The same over these tokens."""
        return self if tuple(tokens) == self.tokens else replace(self, tokens=tuple(tokens))

    def allowed(self, states: Tensor) -> Tensor:
        """Which tokens may come next, and whether the item may end, (n, tokens + 1)."""
        return self._table[states] >= 0

    def after(self, states: Tensor, token: Tensor) -> Tensor:
        """The states once these tokens have come; 0 for one that is not allowed, whose item has ended."""
        return self._table[states, token].clamp_min(0)

    def logits(self, log_weight: Tensor) -> Tensor:
        """Log weights at the temperature, within the nucleus; UsageError where they come from a family that never asked what is `allowed`."""
        if bool(log_weight[:, self._never].isfinite().any()):
            raise UsageError("this family draws without regard to a form", code="HOW", param="how", remedy="transformer keeps to forms")
        warm = tempered(log_weight, self.temperature)
        law, order = warm.exp().sort(dim=-1, descending=True, stable=True)
        before = law.cumsum(-1) - law < self.p
        return kept(warm, before.scatter(-1, order, before))

    @cached_property
    def _never(self) -> Tensor:
        """Tokens that may come nowhere, (tokens + 1,)."""
        return (self._table < 0).all(0)

    @cached_property
    def _table(self) -> Tensor:
        """Where each token leads from each state, (states, tokens + 1): -1 where it may not come; the last column is the end."""
        if not self.tokens:
            raise UsageError("a form needs to know what the tokens stand for", code="HOW", param="how", remedy="a model of texts")
        m, first, accepts = machine(self.pattern)
        states, rows = [m.closed({first})], []
        number = {states[0]: 0}
        for state in states:
            rows.append(_row(m, state, self.tokens, number, states) + [0 if accepts in state else -1])
        table = torch.tensor(rows)
        return _alive(table)


def _row(m: Machine, state: frozenset[int], tokens: Sequence[str | None], number: dict[frozenset[int], int], states: list[frozenset[int]]) -> list[int]:
    """Where each token leads from one state; new states are added."""
    known: dict[frozenset[int], int] = {}
    found = []
    for token in tokens:
        here = state if token else frozenset[int]()
        for letter in token or "":
            here = m.after(here, letter) if here else here
        if here and here not in known:
            known[here] = number.setdefault(here, len(number))
            if known[here] == len(states):
                states.append(here)
        found.append(known[here] if here else -1)
    return found


def _alive(table: Tensor) -> Tensor:
    """The table without ways that never come to an end; UsageError if no item matches."""
    alive = table[:, -1] >= 0
    while True:
        more = alive | ((table[:, :-1] >= 0) & alive[table[:, :-1].clamp_min(0)]).any(1)
        if bool((more == alive).all()):
            break
        alive = more
    if not bool(alive[0]):
        raise UsageError("nothing that the model can say matches the pattern", code="PATTERN", param="pattern")
    leads = torch.cat([alive[table[:, :-1].clamp_min(0)], torch.ones(len(table), 1, dtype=torch.bool)], 1)
    return table.where(leads, -1)
