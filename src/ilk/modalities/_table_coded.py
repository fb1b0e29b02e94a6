"""Columns of a table given their codes, said without loss."""
from __future__ import annotations

import json
from typing import Any

import polars as pl
import torch
from torch import Tensor

from ilk.coding import Say
from ilk.errors import ModelError
from ilk.modalities._cells_coded import coded
from ilk.modalities._codings import CellCoding, Coding, Limit
from ilk.rng import Rng


def column(coding: Coding, name: str, say: Say, x: Tensor | None, seen: Tensor, series: pl.Series | None) -> pl.Series:
    """The cells of one column: the numbers of cells, what is aside, or (categories) what the codes say already."""
    if x is None:
        return _aside(name, say, series)
    if not isinstance(coding, CellCoding):
        return coding.decode(x, seen, Limit(), Rng(0)).alias(name)
    f = torch.zeros(len(x), dtype=torch.float64)
    f[seen] = coded(coding.cells, say, x[seen], None if series is None else coding.column.fine(series)[seen])
    return coding.column.series(f, seen).alias(name)


def _aside(name: str, say: Say, series: pl.Series | None) -> pl.Series:
    """Identifiers and texts: the model has no place for them."""
    cells: Any = json.loads(say.aside(None if series is None else json.dumps(series.to_list(), ensure_ascii=False).encode()))
    if not isinstance(cells, list):
        raise ModelError(f"what stands aside of {name!r} is no column", code="PACK_DAMAGED")
    return pl.Series(name, cells, dtype=pl.Int64 if any(isinstance(c, int) for c in cells) else pl.String)
