"""Next-token models whose law is that of rows: each token is predicted from a stretch before it, and items are scored many stretches at a time."""
from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor

from ..batch import Batch, Source
from ..rng import Rng
from ._sequence import F, Known, Sequences
from ._sequence_rows import Line, Packed, Rows, held_out


class Windowed(Sequences[F]):
    """What they share: the loss, scoring, held-out rows. `at_once` rows are scored together."""

    at_once = 64

    @abstractmethod
    def rows(self, batch: Batch) -> tuple[Line, Rows]:
        """The line of some items, and the rows by which they are scored."""

    @abstractmethod
    def nats(self, inputs: Tensor, targets: Tensor, context: Known) -> Tensor:
        """-log p of every target that is one, 0 elsewhere, (B, T)."""

    def loss(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of each row over the mean number of its targets, (B,): its mean is that of a token."""
        inputs, targets = batch.tensor.unbind(1)
        return self.nats(inputs, targets, batch.context).sum(1) / (targets >= 0).sum(1).float().mean().clamp_min(1)

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats per token, as in training."""
        parts = [batch.cut(i, i + self.at_once) for i in range(0, len(batch), self.at_once)]
        nats = torch.cat([self.nats(part.tensor[:, 0], part.tensor[:, 1], part.context).sum(1) for part in parts])
        return nats / (batch.tensor[:, 1] >= 0).sum(1).float().mean().clamp_min(1)

    def held_out(self, data: Source | None) -> Packed | None:
        """Some rows by which held-out items are scored; None if there are no items."""
        return held_out(data, self.rows)

    def told(self, batch: Batch, first: int, end: bool) -> Tensor:
        """Row by row."""
        line, rows = self.rows(batch)
        total, last = torch.zeros(len(batch), dtype=torch.float64), torch.from_numpy(line.targets) - 1
        for start in range(0, len(rows), self.at_once):
            nats, item, place = self.scored(line, rows.at(slice(start, start + self.at_once)), batch.context)
            asked = (place >= first) & (place < self.at_most) & (end | (place < last[item]))
            total.index_add_(0, item[asked], -nats[asked])
        return total

    def scored(self, line: Line, rows: Rows, context: Known) -> tuple[Tensor, Tensor, Tensor]:
        """Of every target of some rows: -log p, its item, and its place there."""
        inputs, targets, at = rows.read(line)
        own = torch.from_numpy(np.searchsorted(line.begins, rows.begin, side="right") - 1)
        nats = self.nats(inputs, targets, {k: b.take(own) for k, b in context.items()})
        real = targets >= 0
        return nats[real].double(), *line.owner(at[real])
