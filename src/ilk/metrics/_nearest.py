"""The nearest of some items: by Gower's distance for rows of a table, by Euclid's for arrays."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import polars as pl
import torch
from torch import Tensor

from ._tables import Cells, Column, arrays

CHUNK, HOT = 1 << 20, 128  # distances at a time; values of a category that are compared by a matrix product
_HUGE = 1e100  # whose square is finite


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows for Gower's distance: `numbers` so that L1 is the distance, `codes` to be compared, `hot` the same as 0 and 1."""

    numbers: Tensor
    codes: Tensor
    hot: Tensor

    def __len__(self) -> int:
        return len(self.numbers)

    def rough(self, first: int, last: int, others: Rows) -> Tensor:
        """Gower's distance less the number of hot columns; matches are counted exactly in float32."""
        far = torch.cdist(self.numbers[first:last], others.numbers, p=1)
        far -= self.hot[first:last] @ others.hot.T
        for mine, theirs in zip(self.codes[first:last].T, others.codes.T, strict=True):
            far += mine[:, None] != theirs
        return far

    def exact(self, others: Rows, index: Tensor) -> Tensor:
        """Gower's distance, summed over columns."""
        far = (self.numbers - others.numbers[index]).abs().sum(1)
        unlike = (self.hot != others.hot[index]).sum(1) / 2 + (self.codes != others.codes[index]).sum(1)
        return far + unlike


@dataclass(frozen=True, eq=False)
class Vectors:
    """Arrays, flat: Euclid's distance."""

    x: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def rough(self, first: int, last: int, others: Vectors) -> Tensor:
        """The squared distance less the item's own square."""
        return torch.addmm(others.x.square().sum(1), self.x[first:last], others.x.T, alpha=-2)

    def exact(self, others: Vectors, index: Tensor) -> Tensor:
        """Euclid's distance."""
        return (self.x - others.x[index]).square().sum(1).sqrt()


P = TypeVar("P", Rows, Vectors)


def nearest(points: P, among: P | None = None) -> tuple[Tensor, Tensor]:
    """Distance to and number of the nearest of some others, per item; by default of its fellows."""
    others = points if among is None else among
    step, found = max(1, CHUNK // max(1, len(others))), []
    for start in range(0, len(points), step):
        rough = points.rough(start, min(start + step, len(points)), others)
        if among is None:
            rough.diagonal(start).fill_(torch.inf)
        found.append(rough.argmin(1))
    index = torch.cat(found)
    return points.exact(others, index), index


def rows(column: Sequence[Column], frames: Sequence[pl.DataFrame], scale: slice) -> list[Rows]:
    """Each frame as points; numbers are scaled by their range over the frames of the slice `scale`."""
    parts: list[tuple[list[Tensor], list[Tensor], list[Tensor]]] = [
        ([torch.zeros(len(f), 0, dtype=torch.float64)], [torch.zeros(len(f), 0, dtype=torch.int32)], [torch.zeros(len(f), 0)]) for f in frames]
    for c in column:
        cells = arrays(c, frames)
        size = 0 if c.number else max(int(x.max()) for x in cells) + 2
        place = 0 if c.number else 1 if size > HOT else 2
        found = _numbers(cells, scale) if c.number else [_plain(x) if size > HOT else _hot(x + 1, size) for x in cells]
        for side, made in zip(parts, found, strict=True):
            side[place].append(made)
    return [Rows(*(torch.cat(some, 1) for some in side)) for side in parts]


def _numbers(cells: Sequence[Cells], scale: slice) -> list[Tensor]:
    """Coordinates whose L1 distance is |x - y| / range, 1 between a missing cell and one that is there."""
    whole = np.concatenate([x[np.isfinite(x)] for x in cells[scale]]).astype(np.float64)
    low, high = (whole.min() / 2, whole.max() / 2) if len(whole) else (0.0, 0.0)
    with np.errstate(all="ignore"):
        unit = [np.clip((x.astype(np.float64) / 2 - low) / (high - low if high > low else 0.5), -0.5, 1.5) for x in cells]
    if not any(np.isnan(x).any() for x in unit):
        return [torch.from_numpy(x[:, None]) for x in unit]
    return [torch.from_numpy(np.stack([_or(x / 2, -0.25), _or((1 - x) / 2, -0.25)], 1)) for x in unit]


def _or(x: Cells, missing: float) -> Cells:
    return np.where(np.isnan(x), missing, x)


def _plain(codes: Cells) -> Tensor:
    return torch.from_numpy(codes.astype(np.int32))[:, None]


def _hot(codes: Cells, size: int) -> Tensor:
    return torch.nn.functional.one_hot(torch.from_numpy(codes.astype(np.int64)), size).float()


def vectors(sides: Sequence[Cells], scale: slice) -> list[Vectors]:
    """Each array as points, every cell centred and scaled by its standard deviation over the arrays of the slice `scale`."""
    flat = [np.clip(np.nan_to_num(x.reshape(len(x), -1).astype(np.float64)), -_HUGE, _HUGE) for x in sides]
    whole = np.concatenate(flat[scale])
    off = whole.std(0)
    return [Vectors(torch.from_numpy((x - whole.mean(0)) / np.where(off > 0, off, 1.0))) for x in flat]


def signatures(column: Sequence[Column], frames: Sequence[pl.DataFrame]) -> list[list[bytes]]:
    """The bytes of each row, equal for equal rows."""
    cells = [arrays(c, frames) for c in column] or [[np.zeros(len(f)) for f in frames]]
    return [_bytes(np.stack([c[i].astype(np.float64) for c in cells], 1)) for i in range(len(frames))]


def _bytes(x: Cells) -> list[bytes]:
    clean = np.where(np.isnan(x), np.nan, x + 0.0)
    return [row.tobytes() for row in clean]
