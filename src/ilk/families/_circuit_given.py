"""A circuit once something is known: the same circuit with other moves and other leaves. Exact, whatever is asked."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.distribution import How, Met
from ilk.families._circuit_leaves import Cells, Columns, log_normal
from ilk.families._mixed import Part
from ilk.families._mixture_given import between, log_between
from ilk.given import Evidence, Fix, Held, Parts, Presence, Weigh, Within
from ilk.rng import Rng, choose
from ilk.space import Reals

if TYPE_CHECKING:
    from ilk.families.circuit import HiddenTree

SLACK = 1e-9   # by so much of its spread a number may lie outside a range that it is said to be in


@dataclass(frozen=True)
class Told:
    """What is known of a number: a range or a value if it is there, and log weights of being there and of being missing."""

    low: float = -inf
    high: float = inf
    there: float = 0.0
    missing: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether it has this one value."""
        return self.low == self.high


@dataclass
class Known:
    """Evidence by column: log weights of values, the last of them being missing where it may be, and what is told of numbers."""

    tables: dict[int, Tensor] = field(default_factory=dict)
    numbers: dict[int, Told] = field(default_factory=dict)


def known(columns: Columns, evidence: Evidence) -> Known | None:
    """Evidence by column; None for a sort that has no exact answer."""
    said: Mapping[str, Evidence] = evidence.of if isinstance(evidence, Parts) else {"": evidence}
    parts, found = {p.name: p for p in columns.mixed.parts}, Known()
    for name, one in said.items():
        there, missing, of = (one.there, one.missing, one.of) if isinstance(one, Presence) else (0.0, 0.0, one)
        part = parts[name]
        if isinstance(one, Presence) and part.bit < 0:
            return None
        taken = _numbers(part, of, there, missing, found) if isinstance(part.atom, Reals) else _tables(columns, part, of, there, missing, found)
        if not taken:
            return None
    return found


def _tables(columns: Columns, part: Part, of: Evidence | None, there: float, missing: float, found: Known) -> bool:
    if isinstance(of, Held):
        mask, values = of.mask.flatten(), of.values.flatten()
        of = Weigh({i: (torch.arange(part.atom.each[i]) == values[i]).double().log() for i in mask.nonzero()[:, 0].tolist()})   # type: ignore[union-attr]
    if of is None:
        of = Weigh({0: torch.zeros(columns.mixed.sizes[part.first], dtype=torch.float64)})
    if not isinstance(of, Weigh):
        return False
    for i, table in of.tables.items():
        gone = [missing] if part.bit >= 0 else []
        found.tables[part.first + i] = torch.cat([table.double() + there, torch.tensor(gone, dtype=torch.float64)])
    return True


def _numbers(part: Part, of: Evidence | None, there: float, missing: float, found: Known) -> bool:
    if isinstance(of, Held):
        mask, values = of.mask.flatten(), of.values.flatten()
        of = Fix({i: float(values[i]) for i in mask.nonzero()[:, 0].tolist()})
    if of is None:
        of = Within({0: (-inf, inf)})
    if isinstance(of, Fix) and (part.bit < 0 or missing == -inf):
        found.numbers |= {part.first + i: Told(v, v, there, missing) for i, v in of.values.items()}
    elif isinstance(of, Within):
        found.numbers |= {part.first + i: Told(low, high, there, missing) for i, (low, high) in of.ranges.items()}
    else:
        return False
    return True


class CircuitPosterior:
    """p(x | what is known): evidence goes up the tree once, and samples come down (Darwiche 2003)."""

    def __init__(self, whole: HiddenTree, said: Known) -> None:
        self.whole, self.said = whole, said
        many, h = len(whole.columns.sizes), whole.move.shape[2]
        self.fit = fit = torch.zeros(len(whole.columns), h, dtype=torch.float64)
        self.table, self.there = whole.leaves.table.log(), whole.leaves.there.clone()
        for i, weight in said.tables.items():
            span = whole.columns.span(i)
            self.table[span] += weight[:, None]
            fit[i] = self.table[span].logsumexp(0)
        self.told = {i: self._standard(i, told) for i, told in said.numbers.items()}
        for i, told in self.told.items():
            here = whole.leaves.there[i].log() + told.there + self._inside(i, told)
            fit[many + i] = torch.logaddexp(here, (1 - whole.leaves.there[i]).log() + told.missing)
            self.there[i] = (here - fit[many + i]).exp().nan_to_num(0.0)
        self.move, mass = whole.tree.tilted(whole.move, fit[whole.tree.order])
        self.met = Met("exact", mass - sum(float(whole.scale[i].log()) for i, told in said.numbers.items() if told.kept))

    def _standard(self, i: int, told: Told) -> Told:
        low, high = ((edge - float(self.whole.center[i])) / float(self.whole.scale[i]) for edge in (told.low, told.high))
        return Told(low, high, told.there, told.missing)

    def _edges(self, i: int, told: Told) -> tuple[Tensor, Tensor]:
        """The range in standard deviations of each state's own law."""
        mean, spread = self.whole.leaves.mean[i], self.whole.leaves.var[i].sqrt()
        return (told.low - mean) / spread, (told.high - mean) / spread

    def _inside(self, i: int, told: Told) -> Tensor:
        """Log mass of the range, or log density of the value, in each state."""
        if told.kept:
            return log_normal(torch.tensor(told.low, dtype=torch.float64), self.whole.leaves.mean[i], self.whole.leaves.var[i])
        return log_between(*self._edges(i, told))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """States from the root down, then what each says of its own column."""
        whole = self.whole
        state = torch.empty(len(whole.columns), n, dtype=torch.long)
        state[whole.tree.order] = whole.tree.walk(self.move, rng.child("states").uniform(n, len(state)))
        return whole.columns.join(*self.cells(state, rng))

    def cells(self, state: Tensor, rng: Rng) -> tuple[Tensor, Tensor, Tensor]:
        """Of states (columns, n): codes of the categories (c, n), numbers in raw units (r, n) and where they are there."""
        whole, many, n = self.whole, len(self.whole.columns.sizes), state.shape[1]
        codes, x = torch.empty(many, n, dtype=torch.long), torch.empty(len(state) - many, n, dtype=torch.float64)
        noise = rng.child("codes").uniform(n, many)
        for i in range(many):
            codes[i] = choose(self.table[whole.columns.span(i)].T, noise[:, i], state[i])
        noise = rng.child("numbers").uniform(n, len(x))
        for i in range(len(x)):
            x[i] = self._number(i, state[many + i], noise[:, i])
        return codes, x, self.there[torch.arange(len(x))[:, None], state[many:]] > rng.child("there").uniform(n, len(x)).T

    def likelihood(self, cells: Cells, known: Tensor) -> tuple[Tensor, Tensor]:
        """p(cell | state), or of all that it may be where it is not known (columns, n), times the weight of what is said, (columns, n, H);
        and the log of what was divided by, (n,)."""
        many = len(cells.codes)
        own, scaled = replace(self.whole.leaves, table=self.table.exp()).likelihood(replace(cells, there=cells.there & known[many:]))
        for i, told in self.told.items():
            own[many + i] *= torch.tensor([told.missing, told.there], dtype=torch.float64).exp()[cells.there[i].long(), None]
        top = self.fit.amax(1)
        top = top.where(top > -inf, 0.0)
        free = (self.fit - top[:, None]).exp()
        return own.where(known[:, :, None], free[:, None]), scaled + (~known).double().T @ top

    def _number(self, i: int, state: Tensor, noise: Tensor) -> Tensor:
        """Raw numbers of the states, inside what is known."""
        whole, told, raw = self.whole, self.told.get(i, Told()), self.said.numbers.get(i, Told())
        low, high = self._edges(i, told)
        z = between(low[state], high[state], noise)
        x = whole.leaves.mean[i, state] + whole.leaves.var[i, state].sqrt() * z
        return (x * whole.scale[i] + whole.center[i]).clamp(raw.low, raw.high)

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(x) + log weight of what is known - log p(what is known), -inf where x breaks it."""
        whole, cells = self.whole, self.whole.cells(batch)
        total = whole.log_prob(batch) - self.met.log_mass
        for i, weight in self.said.tables.items():
            total = total + weight[cells.codes[i] - whole.columns.starts[i]]
        for i, told in self.told.items():
            inside = (cells.x[i] >= told.low - SLACK) & (cells.x[i] <= told.high + SLACK)
            total = total + torch.where(cells.there[i], torch.tensor(told.there, dtype=torch.float64).where(inside, -inf), told.missing)
        return total
