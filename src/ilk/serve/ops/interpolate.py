"""interpolate: the way from one item to another. {"items": [a, b], "n", "seed"} -> one piece {"items", "met"}, both ends among them."""
from __future__ import annotations

from collections.abc import Iterator

import torch

from ilk.errors import UsageError
from ilk.serve.ops._asked import whole
from ilk.serve.ops._worked import items_of, made
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.edit import interpolate


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """n items in all."""
    model = held.items()
    ends = items_of(model, ask)
    if len(ends) != 2:
        raise UsageError(f"{len(ends)} items; a way has two ends", code="ITEMS", param="items", remedy="send two")
    one, other = (model.modality.take(ends, torch.tensor([i])) for i in (0, 1))
    yield made(model, interpolate(model, one, other, whole(ask.body, "n", 8, 2, 1024), whole(ask.body, "seed", 0, -(2**63), 2**63 - 1)))
