"""Items of tokens as rows for a network: whole short items packed, windows of long ones, and which tokens each row is to predict."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batch import Batch, Source, stack

Whole = NDArray[np.int64]
PHASES, CHECKED = 16, 256  # how many offsets the training windows of a long item have; rows that validate


@dataclass(frozen=True, eq=False)
class Line:
    """All items end to end, each after `lead` tokens `end`, which also stands after the last: what follows a place is its target."""

    tokens: Tensor
    begins: Whole
    end: int
    lead: int = 1

    @classmethod
    def of(cls, batch: Batch, end: int, lead: int = 1) -> Line:
        """The line of a batch of items."""
        wide = batch.lengths.numpy() + lead
        begins = wide.cumsum() - wide
        tokens = torch.full((int(wide.sum()) + 1,), end, dtype=torch.int32)
        row, place = batch.rows()
        tokens[torch.from_numpy(begins)[row] + lead + place] = batch.elements.tensor.int()
        return cls(tokens, begins, end, lead)

    @property
    def targets(self) -> Whole:
        """How many tokens of each item are predicted, its end included."""
        return np.diff(self.begins, append=len(self.tokens) - 1) - self.lead + 1

    def owner(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The item of some places of the line, and which target of it follows each."""
        begins = torch.from_numpy(self.begins)
        item = torch.searchsorted(begins, places, right=True) - 1
        return item, places - begins[item] - self.lead + 1


@dataclass(frozen=True, eq=False)
class Rows:
    """Stretches of a line: where each begins, how many of its first targets are not scored, and how many targets it has."""

    begin: Whole
    skip: Whole
    stop: Whole

    def __len__(self) -> int:
        return len(self.begin)

    def at(self, index: Whole | slice) -> Rows:
        """Some of them."""
        return Rows(self.begin[index], self.skip[index], self.stop[index])

    def read(self, line: Line) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, targets (-1 where none is scored) and the line's place of each target, all (rows, longest)."""
        column = torch.arange(int(self.stop.max(initial=1)))
        begin, skip, stop = (torch.from_numpy(x)[:, None] for x in (self.begin, self.skip, self.stop))
        place = (begin + column).clamp_max(len(line.tokens) - 2)
        inputs, targets = line.tokens[place].long(), line.tokens[place + 1].long()
        return inputs.where(column < stop, line.end), targets.where((column >= skip) & (column < stop), -1), place


def law_rows(line: Line, context: int, alone: bool) -> Rows:
    """The rows that define an item's mass: short ones whole; of long ones the first `context` targets, then half as many at a time,
    each after at least half a context. `alone` puts every short item in a row of its own."""
    targets, half = line.targets, context // 2
    long = np.flatnonzero(targets > context)
    many = -(-(targets[long] - context) // half) + 1
    item, nth = long.repeat(many), np.arange(many.sum()) - (many.cumsum() - many).repeat(many)
    skip = np.where(nth > 0, context - half, 0)
    stop = np.minimum(context, targets[item] - nth * half)
    return _joined(_packed(line, context, alone), Rows(line.begins[item] + nth * half, skip, stop))


def training_rows(line: Line, context: int, alone: bool) -> tuple[Rows, int]:
    """Rows in which every target stands equally often, and how often: long items are cut at several offsets."""
    step = next(g for g in range(max(1, context // PHASES), 0, -1) if context % g == 0)
    often, targets = context // step, line.targets
    long = np.flatnonzero(targets > context)
    many = -(-(targets[long] + context - step) // step)
    item, nth = long.repeat(many), np.arange(many.sum()) - (many.cumsum() - many).repeat(many)
    start = (nth + 1) * step - context
    first = np.maximum(start, 0)
    cut = Rows(line.begins[item] + first, np.zeros_like(first), np.minimum(start + context, targets[item]) - first)
    whole = _packed(line, context, alone)
    return _joined(whole.at(np.arange(len(whole)).repeat(often if len(long) else 1)), cut), often if len(long) else 1


def cut_rows(line: Line, length: int) -> Rows:
    """Every target once, at most `length` to a row, each row after `lead` - 1 tokens that are only read."""
    many = -(-line.targets // length)
    item = np.arange(len(many)).repeat(many)
    first = (np.arange(many.sum()) - (many.cumsum() - many).repeat(many)) * length
    seen = line.lead - 1
    return Rows(line.begins[item] + first, np.full(len(item), seen), seen + np.minimum(length, line.targets[item] - first))


def _packed(line: Line, context: int, alone: bool) -> Rows:
    """Neighbouring short items, as many to a row as go into it whole."""
    short = line.targets <= context
    ends = line.begins + line.targets
    if alone:
        begin, stop = line.begins[short], line.targets[short]
        return Rows(begin, np.zeros_like(begin), stop)
    barrier = np.append(np.flatnonzero(~short), len(short))
    found, i = [], 0
    while i < len(short):
        if not short[i]:
            i += 1
            continue
        until = min(int(np.searchsorted(ends, line.begins[i] + context, side="right")), int(barrier[np.searchsorted(barrier, i)]))
        found.append((line.begins[i], ends[until - 1] - line.begins[i]))
        i = until
    both = np.array(found, dtype=np.int64).reshape(-1, 2)
    return Rows(both[:, 0], np.zeros(len(both), dtype=np.int64), both[:, 1])


def _joined(one: Rows, other: Rows) -> Rows:
    return Rows(*(np.concatenate([getattr(one, k), getattr(other, k)]) for k in ("begin", "skip", "stop")))


@dataclass(frozen=True, eq=False)
class Packed:
    """Rows of a line as a Source: x is (rows, 2, longest), inputs and targets; contexts and weights are those of the row's item."""

    line: Line
    rows: Rows
    context: Mapping[str, Batch]
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Tensor) -> Batch:
        """The rows at an index."""
        rows = self.rows.at(index.numpy())
        inputs, targets, _ = rows.read(self.line)
        item = torch.from_numpy(np.searchsorted(self.line.begins, rows.begin, side="right") - 1)
        weight = None if self.weight is None else self.weight[item]
        return Batch(torch.stack([inputs, targets], 1), context={k: b.take(item) for k, b in self.context.items()}, weight=weight)

    def chunks(self, size: int) -> Iterator[Batch]:
        """All rows in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(torch.arange(start, min(start + size, len(self))))

    def resident(self) -> None:
        """Rows are cut as they are asked for."""


def whole(data: Source) -> Batch:
    """All items of a source in memory."""
    batch = data.resident()
    return stack(list(data.chunks(4096))) if batch is None else batch


def held_out(data: Source | None, rows_of: Callable[[Batch], tuple[Line, Rows]]) -> Packed | None:
    """Some rows by which held-out items are scored, spread evenly; None if there are no items."""
    if data is None or not len(data):
        return None
    batch = whole(data)
    line, rows = rows_of(batch)
    some = np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).astype(np.int64)
    return Packed(line, rows.at(some), batch.context)
