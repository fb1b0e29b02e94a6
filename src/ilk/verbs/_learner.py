"""What learns when a text model is tuned: some parameters of its network, by the nats of the tokens that are learned, or by choices (DPO)."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ilk.batch import Batch
from ilk.distribution import Neural, Phase, Plan
from ilk.rng import Rng
from ilk.verbs._lesson import Cut

BATCH, AT_ONCE, LOOKS = 8, 2048, 12   # examples a step; tokens that are judged at once; looks at held-out examples


class TextNet(Protocol):
    """A network that weighs tokens."""

    net: nn.Module

    def nats(self, tokens: Tensor, learned: Tensor, item: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Rows:
    """A Source of rows: each one or two lines (the better and the worse answer), of one or more texts end to end.

    A row's weight makes the mean over a batch that over its learned tokens, however they are spread over rows and over parts of the batch.
    """

    lines: Sequence[tuple[tuple[Cut, ...], ...]]
    reference: Tensor | None = None   # nats of each line by the model as it was, (rows, 2)

    def __len__(self) -> int:
        return len(self.lines)

    def resident(self) -> None:
        """Rows are made when they are asked for."""

    def chunks(self, size: int) -> Iterator[Batch]:
        """All in order."""
        for start in range(0, len(self), size):
            yield self.take(torch.arange(start, min(start + size, len(self))))

    def take(self, index: Tensor) -> Batch:
        """Rows filled up to the longest: tokens, whether they are learned, and the number of the text in its row."""
        rows = [self.lines[i] for i in index.tolist()]
        longest = max(sum(len(c.tokens) for c in line) for row in rows for line in row)
        shape = (len(rows), len(rows[0]), longest)
        tokens, learned, item = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.long)
        for i, row in enumerate(rows):
            for j, line in enumerate(row):
                at = 0
                for number, c in enumerate(line):
                    here = slice(at, at := at + len(c.tokens))
                    tokens[i, j, here], learned[i, j, here], item[i, j, here] = torch.tensor(c.tokens), torch.tensor(c.learned), number
                    learned[i, j, here.start] = False   # nothing comes before it
        parts = {"tokens": Batch(tokens), "learned": Batch(learned), "item": Batch(item)}
        if self.reference is not None:
            return Batch({**parts, "reference": Batch(self.reference[index])})
        return Batch(parts, weight=torch.full((len(rows),), len(rows) / max(1, int(learned.sum()))))

    def tokens(self) -> Tensor:
        """How many tokens each row learns."""
        return torch.tensor([sum(sum(c.learned[1:]) for line in row for c in line) for row in self.lines])


def packed(cuts: Sequence[tuple[Cut, ...]], length: int) -> list[tuple[tuple[Cut, ...], ...]]:
    """Examples laid into rows of at most that many tokens, the longest first, each where it leaves the least room."""
    rows, room = list[list[Cut]](), list[int]()
    for (c,) in sorted(cuts, key=lambda one: -len(one[0].tokens)):
        best = min((i for i in range(len(rows)) if room[i] >= len(c.tokens)), key=lambda i: room[i], default=-1)
        if best < 0:
            rows, room = [*rows, []], [*room, length]
        rows[best].append(c)
        room[best] -= len(c.tokens)
    return [(tuple(row),) for row in rows]


def rows(cuts: Sequence[tuple[Cut, ...]], pack: int | None = None) -> Rows:
    """A row an example, or packed ones."""
    return Rows(packed(cuts, pack) if pack else [tuple((c,) for c in example) for example in cuts])


def dpo(nats: Tensor, reference: Tensor, beta: float) -> Tensor:
    """-log sigmoid of beta times how much more the better answer has gained than the worse, (B,); all are nats (B, 2) of better and worse (Rafailov et al. 2023, eq. 7).

    >>> dpo(torch.tensor([[2.0, 3.0]]), torch.tensor([[2.0, 3.0]]), 0.1)
    tensor([0.6931])
    """
    gain = reference - nats
    return -logsigmoid(beta * (gain[:, 0] - gain[:, 1]))


class Learner(Neural[Any]):
    """The learning parameters of a network, which the one training loop sees; the others are out of its sight: not kept, not copied, not decayed."""

    def __init__(self, text: TextNet, learned: Mapping[str, nn.Parameter], beta: float, epochs: int) -> None:
        nn.Module.__init__(self)
        self.holds = (text,)   # in a tuple, so that the network is no part of this module
        self.names, self.beta, self.epochs = sorted(learned), beta, epochs
        self.learned = nn.ParameterList([learned[name] for name in self.names])

    def build_net(self) -> None:
        """It is there already."""

    def train(self, mode: bool = True) -> Learner:
        """Of the network too: dropout."""
        self.holds[0].net.train(mode)
        super().train(mode)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Learner:
        self.holds[0].net._apply(fn, recurse)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def phases(self) -> Sequence[Phase]:
        """One."""
        return [Phase("tune", self.learned.parameters, self.loss, betas=(0.9, 0.999))]

    def plan(self, items: int) -> Plan:
        """So many passes in small batches, the first look before the first step: what tuning makes worse is not taken."""
        steps = max(1, self.epochs * ceil(items / BATCH))
        return Plan(steps=steps, batch=BATCH, rate=5e-4, weight_decay=0.0, evaluate_every=max(1, steps // LOOKS), begins_good=True)

    def loss(self, batch: Batch, rng: Rng) -> Tensor:
        """Nats of each row's learned tokens, or the loss of its choice, (B,)."""
        parts = {name: part.tensor for name, part in batch.parts.items()}
        tokens, learned, item = (parts[name].flatten(0, 1) for name in ("tokens", "learned", "item"))
        nats = self.holds[0].nats(tokens, learned, item).unflatten(0, parts["tokens"].shape[:2])
        return dpo(nats, parts["reference"], self.beta) if "reference" in parts else nats[:, 0]

    def validate(self, batch: Batch, rng: Rng) -> Tensor:
        """The same of held-out rows, a few at a time, each weighted by what it counts."""
        many = max(1, AT_ONCE // batch.parts["tokens"].tensor[0].numel())
        found = torch.cat([self.loss(batch.cut(i, i + many), rng) for i in range(0, len(batch), many)])
        return found if batch.weight is None else found * batch.weight

    @torch.no_grad()
    def nats(self, of: Rows) -> Tensor:
        """Nats of every line, (rows, lines), float64."""
        found, longest = [], max(sum(len(c.tokens) for c in line) for row in of.lines for line in row)
        for batch in replace(of, reference=None).chunks(max(1, AT_ONCE // longest)):
            tokens, learned, item = (batch.parts[name].tensor for name in ("tokens", "learned", "item"))
            found.append(self.holds[0].nats(tokens.flatten(0, 1), learned.flatten(0, 1), item.flatten(0, 1)).unflatten(0, tokens.shape[:2]).double())
        return torch.cat(found)

    def compared(self, of: Rows) -> Rows:
        """The same rows, told what the model as it is now says of both answers."""
        return replace(of, reference=self.nats(of).float())
