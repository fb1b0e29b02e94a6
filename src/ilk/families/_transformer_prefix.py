"""What is known beside the items, as embeddings that stand before them."""
from __future__ import annotations

from collections.abc import Mapping
from math import ceil, prod

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ..batch import Batch
from ..errors import UsageError
from ..nets._context import Context
from ..nets._decoder import SPREAD
from ..space import Discrete, Many, Maybe, Reals, Space, inner

MOST, SIDE = 256, 8  # places of a part at most; patches of a picture to a side


class Prefix(Context):
    """(B, tokens, width): a label is one embedding, a vector one linear map, a picture its patches, a text its tokens; a missing part
    embeddings of its own, and so, if `partly`, one that is not told."""

    def __init__(self, about: Mapping[str, Space], width: int, partly: bool = False) -> None:
        super().__init__(about)
        self.partly = partly
        self.counts = {name: _places(inner(space)) for name, space in self.about.items()}
        self.tokens = sum(self.counts.values())
        self.maps = nn.ModuleDict({str(i): _map(inner(s), width) for i, s in enumerate(self.about.values())})
        self.place = nn.Parameter(SPREAD * torch.randn(self.tokens, width))
        self.missing = nn.Parameter(SPREAD * torch.randn(self.tokens, width))

    @staticmethod
    def refuses(about: Mapping[str, Space]) -> str | None:
        """Why these can't stand before an item, or None if they can."""
        odd = [name for name, space in about.items() if not 0 < _places(inner(space)) <= MOST]
        return f"learns from labels, numbers, pictures and sequences of at most {MOST} whole numbers beside the items, not from {', '.join(odd)}" if odd else None

    def forward(self, context: Mapping[str, Batch], n: int = 0, keep: Tensor | None = None) -> Tensor:
        """The embeddings of some contexts, of n that say nothing; `keep` (n, parts) is false for what shall go untold. UsageError where it may not."""
        if not self.partly and (absent := [name for name in self.about if name not in context]):
            raise UsageError(f"this model makes and scores items only when it is told {' and '.join(absent)}", code="GIVEN", param="given",
                             remedy="give it, or fit a transformer with drop above 0")
        many = len(next(iter(context.values()))) if context else n
        parts, start = [], 0
        for i, (name, space) in enumerate(self.about.items()):
            untold = self.missing[start:start + self.counts[name]].expand(many, -1, -1)
            told = self._told(name, inner(space), context[name], self.maps[str(i)]) if name in context else untold
            if name in context and isinstance(space, Maybe) and (seen := context[name].seen) is not None:
                told = told.where(seen[:, None, None], untold)
            parts.append(told if keep is None else told.where(keep[:, i, None, None].to(told.device), untold))
            start += self.counts[name]
        return torch.cat(parts, 1) + self.place

    def _told(self, name: str, space: Space, batch: Batch, into: nn.Module) -> Tensor:
        if isinstance(space, Reals):
            x = (batch.tensor.flatten(1) if space.shape else batch.tensor[:, None]).double()
            flat = ((x - getattr(self, f"center_{name}")) / getattr(self, f"scale_{name}")).nan_to_num().to(self.place.dtype)
            found: Tensor = into(_patches(flat.reshape(-1, *space.shape)) if len(space.shape) == 3 else flat[:, None])
            return found
        size = _size(space)
        codes = batch.padded(size) if isinstance(space, Many) else batch.tensor.reshape(len(batch), -1)
        found = into(pad(codes, (0, self.counts[name] - codes.shape[1]), value=size).clamp(0, size))
        return found


def _places(space: Space) -> int:
    """How many embeddings a part takes; 0 for one that has none."""
    if isinstance(space, Reals):
        return prod(ceil(n / _patch(space.shape)) for n in space.shape[1:]) if len(space.shape) == 3 else 1
    if isinstance(space, Many):
        return space.at_most if isinstance(space.of, Discrete) and space.of.shape == () else 0
    return len(space.each) if isinstance(space, Discrete) else 0


def _size(space: Space) -> int:
    of = space.of if isinstance(space, Many) else space
    return max(of.each) if isinstance(of, Discrete) else 0


def _patch(shape: tuple[int, ...]) -> int:
    return max(1, ceil(max(shape[1:]) / SIDE))


def _map(space: Space, width: int) -> nn.Module:
    if isinstance(space, Reals):
        return nn.Linear(space.shape[0] * _patch(space.shape) ** 2 if len(space.shape) == 3 else prod(space.shape), width)
    return nn.Embedding(_size(space) + 1, width)


def _patches(x: Tensor) -> Tensor:
    """(B, channels, height, width) -> (B, patches, numbers of one)."""
    side = _patch(tuple(x.shape[1:]))
    full = pad(x, (0, -x.shape[3] % side, 0, -x.shape[2] % side))
    return full.unfold(2, side, side).unfold(3, side, side).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
