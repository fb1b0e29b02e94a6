"""Attribute inference: what made rows tell about a training row of which all columns but one are known."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ..attack import Attack, Finding, Target, Unmeasured
from ..metrics._nearest import nearest, rows
from ..metrics._tables import Cells, Column, arrays, columns
from ..rng import Rng
from ._figures import bootstrap, gain

COLUMNS, RIGHT, BAR = 10, 0.1, 0.05


class AttributeInference(Attack):
    """Each of up to ten columns is guessed as in the made row that is nearest by all the others: how much oftener that is right of training rows than of held-out ones.

    Being right of held-out rows is what the law of the data allows, and no leak. A number is right within a tenth of the column's standard deviation.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "known", "unseen", "points")
    modalities: ClassVar[tuple[str, ...]] = ("table",)

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """The mean advantage over columns; its interval is over rows."""
        frames = (target.made, target.seen, target.unseen)
        every = columns(target.model, frames)
        if len(every) < 2:
            return Unmeasured("there are no two columns to guess one by the other")
        some = [every[round(i)] for i in np.linspace(0, len(every) - 1, min(COLUMNS, len(every)))]
        seen, unseen = (torch.stack(side).mean(0) for side in zip(*(_right(frames, every, c) for c in some), strict=True))
        return [Finding("attribute_inference", *bootstrap(gain, seen, unseen, rng), 0.0, BAR, len(unseen),
                        f"how much oftener a column ({len(some)} of them) of a training row is guessed from made rows than of a held-out row: 0 if rows were not learned")]


def _right(frames: Sequence[pl.DataFrame], every: Sequence[Column], hidden: Column) -> tuple[Tensor, Tensor]:
    """Whether the nearest made row has the same in the hidden column, of training and of held-out rows."""
    made, *sides = rows([c for c in every if c != hidden], frames, slice(1, 3))
    cells = arrays(hidden, frames)
    seen, unseen = (_same(cells[0][nearest(side, made)[1].numpy()], mine, cells, hidden) for side, mine in zip(sides, cells[1:], strict=True))
    return seen, unseen


def _same(guess: Cells, truth: Cells, cells: Sequence[Cells], column: Column) -> Tensor:
    if not column.number:
        return torch.from_numpy(guess == truth).double()
    near = RIGHT * float(np.nanstd(np.concatenate(cells[1:]))) if np.isfinite(np.concatenate(cells[1:])).any() else 0.0
    return torch.from_numpy((np.abs(guess - truth) <= near) | (np.isnan(guess) & np.isnan(truth))).double()
