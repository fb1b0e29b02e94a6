"""Items of any kind as vectors, so that distances between them can be told."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ilk.batch import Batch
from ilk.model import Model
from ilk.rng import Rng
from ilk.space import Discrete, Many, Maybe, Reals, Row, Space

WIDEST = 4096


def vectors(model: Model, items: Any) -> Tensor:
    """(B, width) float64: numbers as they are, one of k as k numbers, sequences by how often each value is in them, missing as zeros and a flag."""
    return vector(model.codec.space, model.codec.encode(items, Rng(0).child("vectors")))


def vector(space: Space, batch: Batch) -> Tensor:
    """A batch of a space as vectors."""
    match space:
        case Reals():
            return batch.tensor.double().reshape(len(batch), -1)
        case Discrete():
            x = batch.tensor.reshape(len(batch), -1)
            if x.shape[1] > 1 and max(space.each) * x.shape[1] > WIDEST:
                return x.double()
            return one_hot(x % WIDEST, min(WIDEST, max(space.each))).double().flatten(1) / 2**0.5
        case Maybe(of=of):
            seen = batch.seen if batch.seen is not None else torch.ones(len(batch), dtype=torch.bool)
            return torch.cat([vector(of, replace(batch, seen=None)) * seen[:, None], seen[:, None].double()], 1)
        case Row(parts=parts):
            return torch.cat([vector(s, batch.parts[k]) for k, s in parts.items()], 1)
        case Many(of=of):
            inside = vector(of, batch.elements)
            item = torch.arange(len(batch)).repeat_interleave(batch.lengths)
            sums = torch.zeros(len(batch), inside.shape[1], dtype=torch.double).index_add_(0, item, inside)
            return sums / batch.lengths.clamp_min(1).sqrt()[:, None]
    raise TypeError(f"no vectors of {space}")
