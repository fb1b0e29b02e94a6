"""Recurrent networks over tokens: what was read is one state, whatever its length; exact masses, each next token at the same cost."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ..batch import Batch, Source
from ..distribution import Family, Phase, Plan
from ..nets._context import Context
from ..nets._recurrent import Cell, Recurrent
from ..recipe import Tried
from ..rng import Rng
from ..run import Run
from ..space import Space
from ..train.loop import planned, train
from ._sequence import Sequences, refuses_sequence
from ._sequence_rows import Line, Packed, Rows, held_out, law_rows, training_rows, whole
from ._sequence_stand import Parts, Stand
from ._sequence_streams import Carried, Streams

TOKENS, SCORED, PIECE = 3072, 64, 64  # tokens of a training batch; items scored at once, and tokens of each


class Recurred(Sequences["RNN"]):
    """Next tokens by a recurrent network (Mikolov et al. 2010) that reads each item from its beginning, the state empty there.

    A fit reads items end to end in streams: its gradients go back over `crop` tokens, its states on from crop to crop.
    """

    carried: Carried | None
    often = 1

    def build_net(self) -> None:
        """Embeddings, which serve for the output too, and the layers between."""
        f, self.carried = self.family, None
        self.embed = nn.Embedding(self.size + 1, f.width)
        nn.init.normal_(self.embed.weight, std=f.width**-0.5)
        self.bias = nn.Parameter(torch.zeros(self.size + 1))
        self.layers = Recurrent(f.cell, f.layers, f.width, f.dropout)
        self.beside = Context(self.about) if self.about else None
        self.told_by = nn.Linear(self.beside.width, f.width) if self.beside is not None else None

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Streams through all items; rows of one item each where something is known beside it or it has a weight."""
        batch, crop = whole(data), self.family.crop
        checked = held_out(valid, self._stretches)
        if batch.context or batch.weight is not None:
            if self.beside is not None:
                self.beside.prepare(batch.context)
            line = Line.of(batch, self.size)
            rows, self.often = training_rows(line, crop, True)
            train(self, Packed(line, rows, batch.context, batch.weight), run, checked)
            return
        line = Line.of(batch.take(run.rng.child("order").shuffle(len(batch))), self.size)
        crops = max(1, (len(line.tokens) - 1) // crop)
        self.carried = Carried(self.layers.blank(planned(self.plan(crops), run, crops).batch))
        try:
            train(self, Streams(line, self.carried, crop), run, checked)
        finally:
            self.carried = None

    def _stretches(self, batch: Batch) -> tuple[Line, Rows]:
        """Rows that move by two crops, each after at least two."""
        line = Line.of(batch, self.size)
        return line, law_rows(line, 4 * self.family.crop, True)

    def phases(self) -> Sequence[Phase]:
        """The negative log-likelihood of tokens."""
        return [Phase("rnn", self.parameters, self._loss)]

    def plan(self, items: int) -> Plan:
        """So many passes over the crops, in batches of about 3,000 tokens."""
        batch = max(1, TOKENS // self.family.crop)
        steps = int(min(max(200, self.family.epochs * ceil(max(1, items // self.often) / batch)), 100_000))
        return Plan(steps=steps, batch=batch, rate=4e-3, weight_decay=0.01, evaluate_every=max(50, steps // 12), low_precision=True)

    def _loss(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of each row over the mean number of its targets, (B,): its mean is that of a token."""
        inputs, targets = batch.tensor.unbind(1)
        state = self.layers.blank(len(batch)) if self.carried is None else self.carried.state
        h, state = self._read(inputs, self._about(batch), state)
        if self.carried is not None:
            self.carried.state.copy_(state)
        return self._nats(h, targets).sum(1) / (targets >= 0).sum(1).float().mean().clamp_min(1)

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats per token of some stretches, each read from an empty state."""
        inputs, targets = batch.tensor.unbind(1)
        parts = [batch.cut(i, i + SCORED) for i in range(0, len(batch), SCORED)]
        found = [self._nats(self._read(x.tensor[:, 0], self._about(x), self.layers.blank(len(x)))[0], x.tensor[:, 1]).sum(1) for x in parts]
        return torch.cat(found) / (targets >= 0).sum(1).float().mean().clamp_min(1)

    def _about(self, batch: Batch) -> Tensor | None:
        if self.beside is None or self.told_by is None:
            return None
        found: Tensor = self.told_by(self.beside(batch.context).to(self.told_by.weight.dtype))
        return found

    def _read(self, inputs: Tensor, about: Tensor | None, state: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs (B, T, width) and the state after them; the state is forgotten wherever an item begins."""
        x = self.embed(inputs)
        out: tuple[Tensor, Tensor] = self.layers(x if about is None else x + about[:, None], inputs != self.size, state)
        return out

    def _nats(self, h: Tensor, targets: Tensor) -> Tensor:
        """-log p of every target that is one, 0 elsewhere, (B, T)."""
        return self.cost(self._logits(h), targets)

    def _logits(self, h: Tensor) -> Tensor:
        return torch.nn.functional.linear(h, self.embed.weight, self.bias).float()

    def told(self, batch: Batch, first: int, end: bool) -> Tensor:
        """Items of like lengths side by side, a piece of each at a time."""
        total, order = torch.zeros(len(batch), dtype=torch.float64), batch.lengths.argsort(descending=True, stable=True)
        for rows in order.split(SCORED):
            for start, nats in self.pieces(batch.take(rows), first):
                place = start + torch.arange(nats.shape[1])
                asked = (place >= first) & (place < self.at_most) & (end | (place < batch.lengths[rows[:len(nats)], None]))
                total[rows[:len(nats)]] -= (nats.double() * asked).sum(1)
        return total

    @torch.no_grad()
    def pieces(self, batch: Batch, first: int = 0) -> Iterator[tuple[int, Tensor]]:
        """Where a piece starts and -log p of its tokens and ends, (rows, tokens), of those items, longest first, that reach into it; only
        pieces that reach beyond `first`."""
        end = torch.full((len(batch), 1), self.size)
        padded = batch.padded(self.size)
        inputs = torch.cat([end, padded], 1)
        targets = torch.cat([padded, end], 1).where(torch.arange(inputs.shape[1]) <= batch.lengths[:, None], -1)
        state, about = self.layers.blank(len(batch)), self._about(batch)
        for start in range(0, inputs.shape[1], PIECE):
            many, here = int((batch.lengths >= start).sum()), slice(start, start + PIECE)
            h, state = self._read(inputs[:many, here], None if about is None else about[:many], state[:many])
            if start + PIECE > first:
                yield start, self._nats(h, targets[:many, here])

    def begin(self, prompt: Batch) -> Stand:
        """Where sequences that begin so stand; those of a model with a context need theirs."""
        with torch.no_grad():
            return Stand(self, prompt.padded(0), prompt.lengths.clone(), self._about(prompt))

    def filled(self, inputs: Tensor, about: Tensor | None) -> tuple[Tensor, Parts]:
        """The law of the next token after inputs, and the state."""
        return self._after(inputs, about, self.layers.blank(len(inputs)))

    def advanced(self, token: Tensor, about: Tensor | None, parts: Parts) -> tuple[Tensor, Parts]:
        """One token later."""
        return self._after(token[:, None], about, parts[0])

    def _after(self, inputs: Tensor, about: Tensor | None, state: Tensor) -> tuple[Tensor, Parts]:
        for piece in inputs.split(PIECE, 1):
            h, state = self._read(piece, about, state)
        return self._logits(h[:, -1]), [state]


@dataclass(frozen=True, kw_only=True)
class RNN(Family):
    """A recurrent network of `layers` layers of `width` numbers: `cell` lstm (Hochreiter & Schmidhuber 1997) or gru (Cho et al. 2014).

    Gradients go back over `crop` tokens. `epochs` are passes over the data when no budget is set.

    >>> from ilk.space import Discrete, Many
    >>> model = RNN(layers=1, width=16).build(Many(Discrete(2), 3), Rng(0))
    >>> items = Batch(Batch(torch.tensor([0, 1, 0])), length=torch.tensor([1, 2]))
    >>> model.step(model.begin(items), None).softmax(1).sum(1).round(decimals=3)
    tensor([1., 1.])
    """

    distribution = Recurred
    cell: Cell = "lstm"
    layers: Annotated[int, Interval(ge=1, le=32)] = 1
    width: Annotated[int, Interval(ge=2, le=16_384), Tried(128, 256, 512)] = 512
    dropout: Annotated[float, Interval(ge=0, lt=1), Tried(0.0, 0.2, 0.4)] = 0.2
    crop: Annotated[int, Interval(ge=2, le=131_072)] = 64
    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 10

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but a sequence of single whole numbers."""
        return refuses_sequence(space)

    @classmethod
    def refuses_context(cls, about: Mapping[str, Space]) -> str | None:
        """Labels and arrays of numbers."""
        return Context.refuses(about)
