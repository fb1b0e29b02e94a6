"""The numbers that obey some comparisons, in fine units: one range, points left out, points that alone are allowed."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf, nextafter
from typing import Any

import torch
from torch import Tensor

from ilk.rules import Test


def numbers(values: Sequence[float]) -> Tensor:
    """Numbers as float64."""
    return torch.tensor(values, dtype=torch.float64)


@dataclass(frozen=True)
class Span:
    """The numbers that obey some comparisons, in fine units; on a grid the ends lie between points."""

    low: float = -inf
    high: float = inf
    without: tuple[float, ...] = ()
    only: tuple[float, ...] | None = None

    def holds(self, f: Tensor) -> Tensor:
        """Which numbers obey."""
        inside = (f >= self.low) & (f <= self.high)
        if self.without:
            inside &= ~torch.isin(f, numbers(self.without))
        return inside if self.only is None else inside & torch.isin(f, numbers(self.only))


def span(tests: Sequence[Test], fine: Any, grid: bool) -> Span:
    """Comparisons with numbers as a Span; `fine` makes a raw constant fine."""
    found = Span()
    for test in tests:
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        found = _narrow(found, test.sign, [fine(v) for v in values if v is not None], grid)
    return found


def _narrow(s: Span, sign: str, at: list[float], grid: bool) -> Span:
    if sign in ("==", "in"):
        return replace(s, only=tuple(at) if s.only is None else tuple(p for p in s.only if p in at))
    if sign in ("!=", "not in"):
        return replace(s, without=(*s.without, *at))
    edge = _closed(sign, at[0], grid)
    return replace(s, high=min(s.high, edge)) if sign[0] == "<" else replace(s, low=max(s.low, edge))


def _closed(sign: str, at: float, grid: bool) -> float:
    """The end of a closed range that means the same: between grid points, or the next number over."""
    if grid:
        return ceil(at) - 0.5 if sign in ("<", ">=") else floor(at) + 0.5
    return {"<": nextafter(at, -inf), ">": nextafter(at, inf)}.get(sign, at)
