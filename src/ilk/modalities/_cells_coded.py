"""Numbers given their cells, said without loss: a spike, a place in a uniform stretch, or how far out in a tail."""
from __future__ import annotations

import torch
from torch import Tensor

from ilk.coding import Say, even
from ilk.modalities._cells import Cells
from ilk.modalities._spans import numbers

SPIKE, STRETCH, LOWER, UPPER = range(4)
STEPS = 64   # of a tail, each so wide that it takes a quarter of what is left
LARGEST = 0x7FEFFFFFFFFFFFFF


def coded(cells: Cells, say: Say, code: Tensor, f: Tensor | None) -> Tensor:
    """The number of each cell, (n,), in fine units; what it costs is -`cells.log_density` where they are on a grid.

    A continuous number is any float64 of its cell: it costs the logarithm of how many there are.
    """
    e, spike = numbers(cells.edges), cells.spike[code]
    sort = say(cells.weights().log()[code], None if f is None else _sorts(cells, f, spike))
    made = spike.clone()
    for which, said in ((STRETCH, _stretch), (LOWER, _lower), (UPPER, _upper)):
        here = (sort == which).nonzero()[:, 0]
        if len(here):
            made[here] = said(cells, say, e, code[here], None if f is None else f[here])
    return made


def _sorts(cells: Cells, f: Tensor, spike: Tensor) -> Tensor:
    """Which of the four each number is."""
    sort = torch.full(f.shape, STRETCH).where(f >= cells.edges[0], LOWER).where(f < cells.edges[-1], UPPER)
    return sort.where(f != spike, SPIKE)


def _stretch(cells: Cells, say: Say, e: Tensor, code: Tensor, f: Tensor | None) -> Tensor:
    low, high, spike = e[code], e[code + 1], cells.spike[code]
    if not cells.grid:
        first, last = _ordinal(low), _ordinal(high)
        return _double(first + even(say, last - first, None if f is None else _ordinal(f) - first))
    first, many = low.ceil(), cells.room()[code].round().long().clamp_min(1)
    at = even(say, many, None if f is None else (f - first).long() - (f > spike).long())
    made = first + at
    return made + (made >= spike).double()   # NaN: there is none


def _lower(cells: Cells, say: Say, e: Tensor, code: Tensor, f: Tensor | None) -> Tensor:
    if not cells.grid:
        return -_beyond(say, -e[0], code, None if f is None else -f)
    return e[0].ceil() - 1 - _away(say, cells.tails[0], len(code), None if f is None else e[0].ceil() - 1 - f)


def _upper(cells: Cells, say: Say, e: Tensor, code: Tensor, f: Tensor | None) -> Tensor:
    if not cells.grid:
        return _beyond(say, e[-1], code, f)
    return e[-1].ceil() + _away(say, cells.tails[1], len(code), None if f is None else f - e[-1].ceil())


def _beyond(say: Say, edge: Tensor, code: Tensor, f: Tensor | None) -> Tensor:
    """Any float64 from an edge on."""
    first = _ordinal(edge)
    return _double(first + even(say, (LARGEST - first + 1).expand(len(code)), None if f is None else _ordinal(f) - first))


def _away(say: Say, tail: float, n: int, far: Tensor | None) -> Tensor:
    """Steps beyond the edge by the exponential law, (n,): first in wide steps, then evenly; steps grow for what is very far."""
    width, found, on = max(1, int(tail / 4)), torch.zeros(n, dtype=torch.float64), torch.arange(n)
    while len(on):
        law = -torch.arange(STEPS + 1, dtype=torch.float64) * width / tail
        law[:-1] += torch.log(-torch.expm1(torch.tensor(-width / tail, dtype=torch.float64)))   # the last: further out than all of them
        left = None if far is None else far[on] - found[on]
        step = say(law.expand(len(on), -1), None if left is None else (left / width).floor().clamp_max(STEPS).long())
        found[on] += step * width
        inside = (step < STEPS).nonzero()[:, 0]
        if width > 1 and len(inside):
            rest = None if left is None else (far[on[inside]] - found[on[inside]]).long()   # type: ignore[index]
            found[on[inside]] += even(say, torch.full((len(inside),), width), rest)
        on, width = on[step == STEPS], width * STEPS
    return found


def _ordinal(f: Tensor) -> Tensor:
    """Float64 as whole numbers in the same order."""
    bits = f.double().contiguous().view(torch.long)
    return bits.where(bits >= 0, -(bits & 0x7FFFFFFFFFFFFFFF))


def _double(ordinal: Tensor) -> Tensor:
    """And back; both zeros become 0."""
    bits = ordinal.where(ordinal >= 0, -ordinal | torch.iinfo(torch.long).min)
    return bits.contiguous().view(torch.double)
