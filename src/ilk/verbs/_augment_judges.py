"""Judges of augmented data: classifiers of rows, arrays and pictures that learn from some items and say the class of others."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ilk import registry
from ilk.errors import UsageError
from ilk.metrics._judge import VALUES, classifier
from ilk.metrics._picture_net import Trained
from ilk.metrics._tables import Cells
from ilk.modality import Modality
from ilk.rng import Rng

Told = Callable[[Any], Tensor]                    # items -> class of each, (n,)
Judge = Callable[[Any, Tensor, Rng], Told]        # learns from items and their classes


def judge_of(modality: Modality[Any], by: str) -> Judge:
    """Gradient-boosted trees for rows and arrays, a small convolutional network for pictures; UsageError for other kinds of data."""
    kind = registry.name_of("modalities", modality)
    if kind == "table":
        return lambda items, codes, rng: _trees(lambda frame: _cells(modality, by, frame), items, codes, rng)
    if kind == "array":
        return lambda items, codes, rng: _trees(_flat, items, codes, rng)
    if kind == "image":
        return _network
    raise UsageError(f"no judge of {kind}: rows, arrays and pictures can be augmented", code="CAPABILITY")


def _trees(seen: Callable[[Any], tuple[Cells, Cells]], items: Any, codes: Tensor, rng: Rng) -> Told:
    x, categories = seen(items)
    known = codes.unique()
    if len(known) < 2:
        return lambda others: known.repeat(len(others))
    chances = classifier(x, codes.numpy(), categories, rng)
    return lambda others: known[torch.from_numpy(chances(seen(others)[0])).argmax(1)]


def _cells(modality: Any, by: str, frame: pl.DataFrame) -> tuple[Cells, Cells]:
    """Every column but the class as floats, NaN where missing; and which are of categories."""
    used = [c for c in modality.columns if c.name != by and c.kind not in ("identifier", "text")]
    if not used:
        raise UsageError("there is no column beside the class", code="COLUMN")
    cells = []
    for c in used:
        codes = c.codes(frame[c.name]) if c.kind in ("category", "boolean") else c.fine(frame[c.name])
        cells.append(np.where(frame[c.name].is_null().to_numpy(), np.nan, codes.double().numpy()))
    return np.stack(cells, 1), np.array([c.kind == "boolean" or (c.kind == "category" and len(c.raw) <= VALUES) for c in used])


def _flat(items: Cells) -> tuple[Cells, Cells]:
    x = items.reshape(len(items), -1).astype(np.float64)
    return x, np.zeros(x.shape[1], dtype=bool)


def _network(items: Cells, codes: Tensor, rng: Rng) -> Told:
    net = Trained(items, codes.numpy(), rng)
    return lambda others: torch.from_numpy(net.classes(others))
