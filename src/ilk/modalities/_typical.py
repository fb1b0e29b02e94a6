"""The best single guess at cells whose law is known: the mode of a category, the median of a number."""
from __future__ import annotations

import polars as pl
import torch
from torch import Tensor

from ilk.distribution import Marginal
from ilk.modalities._codings import CategoryCoding, CellCoding, Coding, Limit
from ilk.rng import Rng


def typical(coding: Coding, law: Marginal, rng: Rng) -> pl.Series:
    """Cells of a column by their laws: a category with the least chance to be wrong, a number with the least absolute error."""
    if not isinstance(law, Tensor):
        x = law.quantile(0.5)
    elif isinstance(coding, CategoryCoding):
        x = law[:, :coding.atom.each[0]].argmax(1)   # type: ignore[union-attr]
    elif isinstance(coding, CellCoding):
        return coding.column.series(median(coding, law), torch.ones(len(law), dtype=torch.bool))
    else:
        raise TypeError(f"a table says nothing of {type(coding).__name__}")
    return coding.decode(x, torch.ones(len(x), dtype=torch.bool), Limit(), rng)


def median(coding: CellCoding, law: Tensor) -> Tensor:
    """The medians of numbers, (m,), from log weights of their cells, (m, cells or one more)."""
    share = law[:, :len(coding.cells)].softmax(1)
    below = share.cumsum(1)
    code = (below < 0.5).sum(1).clamp_max(share.shape[1] - 1)[:, None]
    own = share.gather(1, code)
    level = ((0.5 - below.gather(1, code) + own) / own.clamp_min(1e-300)).clamp(0, 1)
    return coding.cells.quantile(code[:, 0], level[:, 0])
