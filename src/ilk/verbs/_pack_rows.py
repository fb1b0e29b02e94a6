"""Records and rows said place by place, each by its law given those before it, all others summed out: for whatever completes items exactly."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.coding import Cumulates, Grids, Say, even
from ilk.distribution import Completes
from ilk.given import Parts, Presence
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Discrete, Maybe, Reals, Row, Space, inner

DIGIT, EDGE, FAR = 256, 1e-12, 1 << 50
HERE = Presence(0.0, -torch.inf)


@dataclass(frozen=True)
class Place:
    """A number of a row: its part, which of the part's it is, and whether it is a number on a grid and may be missing."""

    part: str
    at: int
    real: bool
    maybe: bool


def places_of(model: Model) -> list[Place] | None:
    """All places in order; None for a space that is no record or row of numbers on grids."""
    space: Space = model.lift.space
    parts: Mapping[str, Space] = space.parts if isinstance(space, Row) else {"": space}
    grids = model.codec.grids() if isinstance(model.codec, Grids) else {}
    found = list[Place]()
    for name, part in parts.items():
        atom = inner(part)
        if not isinstance(atom, Discrete) and not (isinstance(atom, Reals) and grids.get(name)):
            return None
        maybe = isinstance(part, Maybe)
        if maybe and atom.shape:
            return None
        found += [Place(name, i, isinstance(atom, Reals), maybe) for i in range(prod(atom.shape))]
    return found


class Rows:
    """A distribution that completes rows, as a walk from place to place."""

    def __init__(self, model: Model, places: list[Place]) -> None:
        self.body: Any = model.body
        self.space, self.places = model.lift.space, places
        self.whole = isinstance(self.space, Row)

    def exact(self) -> bool:
        """Whether one row is completed exactly."""
        if not isinstance(self.body, Completes):
            return False
        made = _Made(self.space, 1)
        found = self.body.given_each(made.batch(), torch.zeros(1, len(self.places), dtype=torch.bool), None, Rng(0))
        if found is None or found.ess is not None:
            return False
        laws = found.marginals()
        return all(isinstance(law, Tensor | Cumulates) for law in laws) and self._presence()

    def _presence(self) -> bool:
        """Whether it may be said that a part is there."""
        some = next((p for p in self.places if p.maybe), None)
        none = torch.zeros(1, len(self.places), dtype=torch.bool)
        return some is None or self.body.given_each(_Made(self.space, 1).batch(), none, Parts({some.part: HERE}), Rng(0)) is not None

    def __call__(self, say: Say, n: int, batch: Batch | None) -> Batch:
        """Says n rows."""
        made, known = _Made(self.space, n), torch.zeros(n, len(self.places), dtype=torch.bool)
        for i, place in enumerate(self.places):
            true = None if batch is None else batch.parts[place.part] if self.whole else batch
            rows = torch.arange(n)
            if place.maybe:
                seen = self._there(say, made, known, i, None if true is None or true.seen is None else true.seen)
                made.seen[place.part][:], rows = seen, seen.nonzero()[:, 0]
            if len(rows):
                law = self._law(made.batch().take(rows), known[rows], i)
                value = None if true is None else true.tensor.reshape(n, -1)[rows, place.at]
                made.x[place.part][rows, place.at] = _number(say, law, value) if place.real else say(_values(law, self._size(place)), value)
            known[:, i] = True
        return made.batch()

    def _there(self, say: Say, made: _Made, known: Tensor, i: int, seen: Tensor | None) -> Tensor:
        """Whether a part is there: by what is lost if it has to be."""
        batch = made.batch()
        free, here = (self.body.given_each(batch, known, said, Rng(0)).log_mass for said in (None, Parts({self.places[i].part: HERE})))
        share = (here - free).exp().nan_to_num(0.5).clamp(0, 1)
        return say(torch.stack([1 - share, share], 1).log(), None if seen is None else seen.long()) > 0

    def _law(self, batch: Batch, known: Tensor, i: int) -> Any:
        """The law of a place of rows of which the part is there."""
        said = Parts({self.places[i].part: HERE}) if self.places[i].maybe else None
        return self.body.given_each(batch, known, said, Rng(0)).marginals()[i]

    def _size(self, place: Place) -> int:
        atom = inner(self.space.parts[place.part] if isinstance(self.space, Row) else self.space)
        return atom.each[place.at]   # type: ignore[union-attr]


class _Made:
    """Rows as far as they are said."""

    def __init__(self, space: Space, n: int) -> None:
        self.space = space
        self.parts: Mapping[str, Space] = space.parts if isinstance(space, Row) else {"": space}
        kinds = {name: inner(part) for name, part in self.parts.items()}
        self.x = {name: torch.zeros(n, prod(a.shape), dtype=torch.long if isinstance(a, Discrete) else torch.float64)   # type: ignore[union-attr]
                  for name, a in kinds.items()}
        self.seen = {name: torch.ones(n, dtype=torch.bool) for name, part in self.parts.items() if isinstance(part, Maybe)}

    def batch(self) -> Batch:
        """As a batch of the space."""
        made = {name: Batch(x.reshape(len(x), *inner(self.parts[name]).shape).clone(), self.seen.get(name)) for name, x in self.x.items()}   # type: ignore[union-attr]
        return Batch(made) if isinstance(self.space, Row) else made[""]


def _values(law: Tensor, size: int) -> Tensor:
    """Log weights of values; that of being missing is left out."""
    return law[:, :size]


def _number(say: Say, law: Cumulates, truth: Tensor | None) -> Tensor:
    """Whole numbers by the mass that a law has within a half of each: digits of base 256, the highest first; what is very far is said evenly."""
    centre, ends = law.quantile(0.5).round(), (law.quantile(EDGE), law.quantile(1 - EDGE))
    unit = 1
    while unit * DIGIT < 2 * float(torch.stack([(e - centre).abs() for e in ends]).max()) + 2:
        unit *= DIGIT
    low, known, out = centre - unit * DIGIT // 2, None if truth is None else truth.round(), None
    while unit:
        mass = law.below(low[:, None] + unit * torch.arange(DIGIT + 1) - 0.5).diff(dim=1).clamp_min(0)
        digit = None if known is None else ((known - low) / unit).floor().clamp(-1, DIGIT).long()
        if out is None:   # the first digit: beyond all is one more
            mass = torch.cat([mass, (1 - mass.sum(1, keepdim=True)).clamp_min(0)], 1)
            digit = None if digit is None else digit.where(digit >= 0, DIGIT)
            said = say(mass.log(), digit)
            out = said == DIGIT
            low = low + said.where(~out, 0) * unit
        else:
            low = low + say(mass.log(), None if digit is None else digit.clamp(0, DIGIT - 1).where(~out, 0)) * unit
        unit //= DIGIT
    if out is not None and bool(out.any()):
        rows = out.nonzero()[:, 0]
        low[rows] = centre[rows] - FAR + even(say, torch.full((len(rows),), 2 * FAR), None if known is None else (known[rows] - centre[rows]).long() + FAR)
    return low
