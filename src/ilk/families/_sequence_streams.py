"""Truncated backpropagation through time: streams through a line of items, a crop of each a step, the state carried from crop to crop."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..batch import Batch
from ._sequence_rows import Line


class Carried(nn.Module):
    """The state of every stream, (streams, ...), and how many crops were read. A copy is the same object, so that a network in bfloat16 shares it."""

    state: Tensor
    crops: Tensor

    def __init__(self, state: Tensor) -> None:
        super().__init__()
        self.register_buffer("state", state)
        self.register_buffer("crops", torch.zeros((), dtype=torch.long))

    def __deepcopy__(self, memo: Any) -> Carried:
        return self


@dataclass(frozen=True, eq=False)
class Streams:
    """A line as a Source of its crops: stream s goes on round the line from its s-th part, whatever crop is asked for. x is (streams, 2, length),
    inputs and targets."""

    line: Line
    carried: Carried
    length: int

    def __len__(self) -> int:
        return max(1, self.many // self.length)

    @property
    def many(self) -> int:
        """How many tokens are predicted, once round."""
        return len(self.line.tokens) - 1

    def take(self, index: Tensor) -> Batch:
        """The next crop of each stream."""
        begin = torch.arange(len(index)) * self.many // len(index) + int(self.carried.crops) * self.length
        self.carried.crops += 1
        place = (begin[:, None] + torch.arange(self.length)) % self.many
        return Batch(torch.stack([self.line.tokens[place], self.line.tokens[place + 1]], 1).long())

    def chunks(self, size: int) -> Iterator[Batch]:
        """Nothing asks for them: a fit takes crops."""
        yield self.take(torch.arange(size))

    def resident(self) -> None:
        """Crops are cut as they are asked for."""
