"""Raw items for a pack: which of them a model can say, the others as plain bytes, and how files of them are written."""
from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.errors import DataError, IlkError, ModelError
from ilk.modality import Modality
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs._pack_walk import details
from ilk.verbs.condition import flat


class Echo:
    """A coder that says back what it is told."""

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor:
        """The truth."""
        if truth is None:
            raise TypeError("there is nothing to say back")
        return truth

    def aside(self, data: bytes | None) -> bytes:
        """The bytes."""
        return data or b""


def sayable(model: Model, items: Any) -> Tensor:
    """Which items the codec says and gets back as they are, (B,): those it refuses are found by halving."""
    good = torch.zeros(len(items), dtype=torch.bool)
    waiting = [torch.arange(len(items))]
    while waiting:
        rows = waiting.pop()
        if not len(rows):
            continue
        some = model.modality.take(items, rows)
        try:
            batch = flat(model, some, Rng(0))
            good[rows] = same(some, details(model, Echo(), batch, some)) if model.lift.space.holds(batch) else torch.zeros(len(rows), dtype=torch.bool)
        except DataError:
            waiting += list(rows.split(-(-len(rows) // 2))) if len(rows) > 1 else []
    return good


def same(one: Any, other: Any) -> Tensor:
    """Which items are equal, (B,)."""
    if isinstance(one, pl.DataFrame):
        other = other.select(one.columns).cast(dict(one.schema), strict=False)
        equal = [a.eq_missing(b).to_numpy() for a, b in zip(one.get_columns(), other.get_columns(), strict=True)]
        return torch.from_numpy(np.logical_and.reduce(equal) if equal else np.ones(len(one), bool))
    if isinstance(one, np.ndarray):
        a, b = (np.ascontiguousarray(x).reshape(len(one), -1) for x in (one, other))
        return torch.from_numpy((a == b).all(1))
    return torch.tensor([a == b for a, b in zip(one, other, strict=True)], dtype=torch.bool)


def plain(items: Any) -> bytes:
    """Items as bytes, whatever a model thinks of them: a frame, an array or a list of texts."""
    if isinstance(items, pl.DataFrame):
        made = BytesIO()
        items.rechunk().write_ipc(made, compat_level=pl.CompatLevel.oldest())
        return made.getvalue()
    if isinstance(items, np.ndarray):
        made = BytesIO()
        np.save(made, np.ascontiguousarray(items), allow_pickle=False)
        return made.getvalue()
    return json.dumps(items, ensure_ascii=False).encode()


def unplain(data: bytes) -> Any:
    """And back; ModelError for anything else."""
    try:
        if data.startswith(b"\x93NUMPY"):
            return np.load(BytesIO(data), allow_pickle=False)
        return pl.read_ipc(BytesIO(data)) if data.startswith(b"ARROW1") else json.loads(data)
    except (ValueError, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException, EOFError):
        raise ModelError("items that stand aside in the pack can't be read", code="PACK_DAMAGED") from None


def woven(modality: Modality[Any], said: Any, aside: Any, strange: Tensor) -> Any:
    """Items said and items aside in their own order; `strange` says which those are."""
    if aside is None or said is None:
        return said if aside is None else aside
    if isinstance(said, pl.DataFrame):
        aside = aside.cast(dict(said.schema), strict=False)
    order = torch.cat([(~strange).nonzero()[:, 0], strange.nonzero()[:, 0]]).argsort()
    return modality.take(modality.join([said, aside]), order)


def file_of(modality: Modality[Any], items: Any, suffix: str) -> bytes | None:
    """The file that these items are written as; None where there is no such form."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / f"items{suffix}"
        try:
            modality.write(items, at)
            return at.read_bytes() if at.is_file() else None
        except (IlkError, OSError):
            return "".join(items).encode("utf-8", "surrogatepass") if isinstance(items, list) else None


def pieces(items: int, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Stretches of items: of so many each, the last number again and again."""
    start = 0
    for many in chain(rows, repeat(rows[-1])):
        if start >= items:
            return
        yield start, min(start + many, items)
        start += many


def alike(batch: Batch) -> Batch:
    """The same numbers laid out anew, so that it can't be seen whether they were read or known."""
    return batch.take(torch.arange(len(batch)))
