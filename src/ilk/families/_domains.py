"""Items of two domains that nobody paired: as batches of both, and the pool of translations that a critic has seen."""
from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ilk.batch import Batch, Source
from ilk.errors import DataError
from ilk.rng import Rng

CHUNK = 65_536
NAMES = ("0", "1")   # of the domains as parts of a row


class Pairs:
    """A Source of one item of either domain a row, which is all that they have to do with each other; the smaller domain begins anew when it ends."""

    def __init__(self, data: Source) -> None:
        label = torch.cat([part.context["label"].tensor for part in data.chunks(CHUNK)])
        self.data, self.sides = data, [(label == d).nonzero()[:, 0] for d in range(len(NAMES))]
        if not all(map(len, self.sides)):
            raise DataError(f"all {len(label)} items are of one domain", code="TOO_FEW", remedy="items of both labels")

    def __len__(self) -> int:
        return max(map(len, self.sides))

    def take(self, index: Tensor) -> Batch:
        """Rows at an index."""
        return Batch({name: self.data.take(side[index % len(side)]) for name, side in zip(NAMES, self.sides, strict=True)})

    def chunks(self, size: int) -> Iterator[Batch]:
        """All rows in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(torch.arange(start, min(start + size, len(self))))

    def resident(self) -> None:
        """It is not one batch."""


class Pool(nn.Module):
    """Some earlier translations (Shrivastava et al. 2017, section 2.3): a full pool hands out one of them for every second new one, which takes its place."""

    kept: Tensor
    filled: Tensor

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(size, *shape))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self, made: Tensor, rng: Rng) -> Tensor:
        """As many items, new or old; the pool changes in place."""
        if not len(self.kept):
            return made
        return torch.cat([self._mixed(part, rng.child(i)) for i, part in enumerate(made.split(len(self.kept)))])

    def _mixed(self, made: Tensor, rng: Rng) -> Tensor:
        size, filled = len(self.kept), int(self.filled)
        first = min(size - filled, len(made))
        self.kept[filled:filled + first] = made[:first]
        self.filled += first
        old = first + (rng.uniform(len(made) - first) < 0.5).nonzero()[:, 0]
        place, out = rng.child("place").shuffle(size)[:len(old)], made.clone()
        out[old], self.kept[place] = self.kept[place], made[old]
        return out
