"""Looks for the likeliest items by beam search (Lowerre 1976)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ..distribution import Cache, How, NextToken
from ._contract import tempered


@dataclass(frozen=True, kw_only=True)
class Beam(How):
    """Keeps the `width` likeliest beginnings; the items it finds are the likeliest first, and there are at most `width`.

    Nothing is drawn: every seed gives the same items. With as many beams as there are beginnings it finds the likeliest of all.

    >>> Beam(width=3).most is None
    True
    """

    width: Annotated[int, Interval(ge=1, le=4096)] = 8
    most: Annotated[int, Interval(ge=0)] | None = None

    def search(self, model: NextToken, cache: Cache, most: int) -> Sequence[Tensor]:
        """The items found, each as its tokens from where one sequence stands. One cut short at `most` tokens counts as it stands."""
        most = most if self.most is None else min(most, self.most)
        tokens, nats, found = torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, dtype=torch.double), []
        last: Tensor | None = None
        for _ in range(most):
            total = nats[:, None] + tempered(model.step(cache, last), 1.0)
            found += list(zip(total[:, -1].tolist(), tokens, strict=True))
            best = total[:, :-1].flatten().topk(min(self.width, total[:, :-1].numel()))
            live = best.values > max(-torch.inf, self._bar(found))
            nats, place = best.values[live], best.indices[live]
            if not len(nats):
                break
            parent, last = place // (total.shape[1] - 1), place % (total.shape[1] - 1)
            tokens, cache = torch.cat([tokens[parent], last[:, None]], 1), cache.pick(parent)
        else:
            found += list(zip(nats.tolist(), tokens, strict=True))
        return [t for _, t in sorted(((v, t) for v, t in found if v > -torch.inf), key=lambda pair: -pair[0])[:self.width]]

    def _bar(self, found: list[tuple[float, Tensor]]) -> float:
        """What a beginning must beat to matter: the last of the best items so far, since more tokens only take away."""
        return sorted((nats for nats, _ in found), reverse=True)[self.width - 1] if len(found) >= self.width else -torch.inf
