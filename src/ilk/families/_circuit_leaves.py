"""What each hidden state says of its own column: a table of categories, or a Gaussian and a chance of presence."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import log, pi

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.families._mixed import Items, Mixed
from ilk.space import Maybe, Reals, Row, Space

LEAST = -300.0   # nats: a Gaussian so far below the best state's says nothing more


@dataclass(frozen=True, eq=False)
class Cells:
    """n items by column: rows of the table of values (c, n), standardised numbers (r, n) and where they are there, weights."""

    codes: Tensor
    x: Tensor
    there: Tensor
    weight: Tensor | None

    def __len__(self) -> int:
        return self.codes.shape[1]

    def cut(self, rows: slice) -> Cells:
        """Some of the items."""
        return Cells(self.codes[:, rows], self.x[:, rows], self.there[:, rows], None if self.weight is None else self.weight[rows])

    def dealt(self, hands: int) -> Iterator[Cells]:
        """The items dealt out like cards: all parts are of a kind, whatever order the items came in."""
        return (self.cut(slice(i, None, hands)) for i in range(min(hands, len(self))))


class Columns:
    """The layout of a space as columns, categories first; a category that may be missing has one value more."""

    def __init__(self, space: Space) -> None:
        self.mixed = Mixed(space)
        bits = {True: list[int](), False: list[int]()}
        for p in self.mixed.parts:
            bits[isinstance(p.atom, Reals)] += [p.bit] * p.width
        self.code_bit, self.number_bit = bits[False], bits[True]
        self.sizes = [size + (bit >= 0) for size, bit in zip(self.mixed.sizes, self.code_bit, strict=True)]
        self.starts = [0, *accumulate(self.sizes)][:-1]
        self.first = torch.tensor(self.starts, dtype=torch.long)[:, None]
        self.maybe = torch.tensor([bit >= 0 for bit in self.number_bit], dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.sizes) + len(self.number_bit)

    def span(self, i: int) -> slice:
        """The rows of the table of values that belong to category column i."""
        return slice(self.starts[i], self.starts[i] + self.sizes[i])

    @staticmethod
    def refuses(space: Space) -> str | None:
        """What `Mixed` does, and parts of several places that go missing together."""
        whole = isinstance(space, Row) and any(isinstance(s, Maybe) and getattr(s.of, "shape", ()) for s in space.parts.values())
        return Mixed.refuses(space) or ("takes no arrays that may be missing" if whole else None)

    def split(self, batch: Batch, center: Tensor, scale: Tensor) -> Cells:
        """A batch by column."""
        items = self.mixed.split(batch)
        codes = items.codes.where(items.codes_there, torch.tensor(self.mixed.sizes, dtype=torch.long))
        x = ((items.x - center) / scale).where(items.x_there, 0.0)
        weight = None if items.weight is None else items.weight.double()
        return Cells(codes.T.contiguous() + self.first, x.T.contiguous(), items.x_there.T.contiguous(), weight)

    def join(self, codes: Tensor, x: Tensor, there: Tensor) -> Batch:
        """Columns (c, n), raw numbers (r, n) and where they are there as a batch."""
        n = codes.shape[1]
        bits = torch.ones(n, self.mixed.bits, dtype=torch.bool)
        for i, bit in enumerate(self.code_bit):
            if bit >= 0:
                bits[:, bit] = codes[i] < self.mixed.sizes[i]
        for i, bit in enumerate(self.number_bit):
            if bit >= 0:
                bits[:, bit] = there[i]
        sizes = torch.tensor(self.mixed.sizes, dtype=torch.long)
        codes = codes.T.where(sizes > codes.T, 0)
        every = torch.ones(n, len(x), dtype=torch.bool)
        return self.mixed.join(Items(x.T.where(there.T, 0.0), every, codes, torch.ones_like(codes, dtype=torch.bool), bits))


@dataclass(frozen=True, eq=False)
class Leaves:
    """Per state: p(value) of all category columns end to end (values, H); mean, variance and chance of presence of numbers, (r, H)."""

    table: Tensor
    mean: Tensor
    var: Tensor
    there: Tensor

    @classmethod
    def blank(cls, columns: Columns, hidden: int) -> Leaves:
        """The same in every state."""
        sizes = torch.tensor(columns.sizes, dtype=torch.long)
        zero = torch.zeros(len(columns.maybe), hidden, dtype=torch.float64)
        table = (1 / sizes.double()).repeat_interleave(sizes)[:, None].expand(-1, hidden).contiguous()
        return cls(table, zero, zero + 1, zero + 1 - 0.5 * columns.maybe[:, None])

    def likelihood(self, cells: Cells) -> tuple[Tensor, Tensor]:
        """p(cell | state) of every column, (columns, n, H), numbers relative to the best state of each; and the log of what was divided by, (n,)."""
        said = self.table.index_select(0, cells.codes.flatten()).reshape(*cells.codes.shape, self.table.shape[1])
        if not len(cells.x):
            return said, torch.zeros(len(cells), dtype=torch.float64)
        gap = cells.x[:, :, None] - self.mean[:, None]
        nats = -0.5 * (gap.square_().div_(self.var[:, None]) + (2 * pi * self.var).log()[:, None])
        nats += self.there.log()[:, None]
        top = nats.amax(2, keepdim=True)
        number = nats.sub_(top).clamp_min_(LEAST).exp_()
        here = cells.there[:, :, None]
        number = number.where(here, (1 - self.there)[:, None])
        return torch.cat([said, number]), top.where(here, 0.0).sum((0, 2))

    def sums(self, cells: Cells, share: Tensor) -> dict[str, Tensor]:
        """What was said, weighted by shares of states (columns, n, H)."""
        many = len(cells.codes)
        table = torch.zeros_like(self.table).index_add_(0, cells.codes.flatten(), share[:many].reshape(-1, share.shape[2]))
        number = share[many:]
        here = (number * cells.there[:, :, None]).transpose(1, 2)
        x = cells.x[:, :, None]
        return {"table": table, "count": number.sum(1), "there": here.sum(2), "first": (here @ x)[..., 0], "second": (here @ x.square())[..., 0]}

    @classmethod
    def learned(cls, columns: Columns, sums: Mapping[str, Tensor], smoothing: float) -> Leaves:
        """The M-step: `smoothing` items count as seen in every state, spread evenly over values, or as the numbers of all items are."""
        sizes = torch.tensor(columns.sizes, dtype=torch.double)
        column = torch.arange(len(sizes)).repeat_interleave(sizes.long())
        table = sums["table"] + (smoothing / sizes)[column, None]
        total = torch.zeros(len(sizes), table.shape[1], dtype=torch.float64).index_add_(0, column, table)
        here = sums["there"] + smoothing
        mean = sums["first"] / here
        var = ((sums["second"] + smoothing) / here - mean.square()).clamp_min(1e-12)
        there = ((sums["there"] + smoothing / 2) / (sums["count"] + smoothing)).where(columns.maybe[:, None], 1.0)
        return cls(table / total[column], mean, var, there)


def log_normal(x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    """log N(x; mean, var)."""
    return -0.5 * ((x - mean).square() / var + var.log() + log(2 * pi))
