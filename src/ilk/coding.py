"""What it takes to write items losslessly by a law: one walk through an item that reads as it writes.

To pack is to say every number of an item to a coder that knows the law it comes from; to unpack is the same walk with nothing known, where
the coder answers. Both ways the laws are worked out by the same operations on the same shapes, so they are the same to the last bit.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .batch import Batch

DIGIT = 256


class Say(Protocol):
    """Whoever is told numbers: `say(law, truth)` has log weights (n, k) and the numbers (n,), None where they are to be read, and answers with them."""

    def __call__(self, law: Tensor, truth: Tensor | None) -> Tensor: ...

    def aside(self, data: bytes | None) -> bytes:
        """Bytes that no law is of."""


@runtime_checkable
class Codes(Protocol):
    """Exact masses, number by number: items (None where they are read) are said, and n items come back."""

    def coded(self, say: Say, n: int, batch: Batch | None) -> Batch: ...


@runtime_checkable
class CodesBack(Protocol):
    """Items through codes that nobody needs: what it costs to say codes of p(code) is won back by reading them off other bits by q(code | item).

    `lent` reads codes of q, (n, codes), or says those it is given; `coded_by` says both codes and items (Townsend et al. 2019, bits back with ANS).
    """

    def lent(self, say: Say, batch: Batch, codes: Tensor | None) -> Tensor: ...
    def coded_by(self, say: Say, n: int, known: tuple[Batch, Tensor] | None) -> tuple[Batch, Tensor]: ...


@runtime_checkable
class Details(Protocol):
    """A codec whose codes say less than the items: the rest is said given the codes."""

    def detailed(self, say: Say, batch: Batch, items: object | None) -> object: ...


@runtime_checkable
class Grids(Protocol):
    """A codec of numbers filled up by noise: by part, whether they are whole numbers once that is rounded off."""

    def grids(self) -> Mapping[str, bool]: ...


@runtime_checkable
class Cumulates(Protocol):
    """A real number of each of n items, as a law: `quantile(level)`, (n,), and the mass `below` each of some numbers (n, m)."""

    def quantile(self, level: float) -> Tensor: ...
    def below(self, x: Tensor) -> Tensor: ...


def even(say: Say, size: Tensor, truth: Tensor | None) -> Tensor:
    """Whole numbers below each size (n,), all equally likely: digits of base 256, the highest first."""
    left, found, unit, most = size, torch.zeros_like(size), 1, int(size.max()) if len(size) else 0
    while unit < most // DIGIT + (most % DIGIT > 0):
        unit *= DIGIT
    while unit:
        room = (left.double()[:, None] - torch.arange(DIGIT).double() * unit).clamp(0, unit)   # whole numbers would overflow
        digit = say(room.log(), None if truth is None else (truth - found) // unit)
        found, left = found + digit * unit, (left - digit * unit).clamp_max(unit)
        unit //= DIGIT
    return found


def truth_of(x: Tensor | None, i: int) -> Tensor | None:
    """A column of what is known, if it is."""
    return None if x is None else x[:, i]
