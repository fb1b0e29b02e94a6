"""Numbers given their cells, said without loss: a spike, a place in a uniform stretch, or how far out in a tail."""
from __future__ import annotations

import torch
from torch import Tensor

from ilk.coding import Say, even
from ilk.modalities._cells import Cells
from ilk.modalities._spans import numbers

SPIKE, STRETCH, LOWER, UPPER = range(4)
STEPS, FAR = 64, 16            # values of a digit, and how many scales of a tail the first ones reach
ENDLESS = 0x7FF0000000000000   # the place of infinity among float64


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
        return _between(say, _ordinal(low), _ordinal(high), f)
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
    first = _ordinal(edge).expand(len(code))
    return _between(say, first, torch.full_like(first, ENDLESS), f)


def _between(say: Say, first: Tensor, last: Tensor, f: Tensor | None) -> Tensor:
    """Any float64 of a stretch, by its place in their order: the sign, then where, since both signs together are too many to count."""
    many = torch.stack([last.clamp_max(0) - first.clamp_max(0), last.clamp_min(0) - first.clamp_min(0)], 1)
    sign = say(many.double().log(), None if f is None else (f >= 0).long())
    start = first.where(sign == 0, first.clamp_min(0))
    return _double(start + even(say, many.gather(1, sign[:, None])[:, 0], None if f is None else _ordinal(f) - start))


def _away(say: Say, tail: float, n: int, far: Tensor | None) -> Tensor:
    """Steps beyond the edge by the exponential law, (n,): digits, the highest first; what is further out than all of them begins anew with wider ones."""
    unit, found, on = 1, torch.zeros(n, dtype=torch.float64), torch.arange(n)
    while unit * STEPS < FAR * tail:
        unit *= STEPS

    def digit(rows: Tensor, unit: int, law: Tensor) -> Tensor:
        step = say(law.expand(len(rows), -1), None if far is None else ((far[rows] - found[rows]) / unit).floor().clamp_max(len(law) - 1).long())
        found[rows] += step * unit
        return step

    while len(on):
        within = -torch.arange(STEPS + 1, dtype=torch.float64) * (unit / tail)
        within[:-1] += torch.log(-torch.expm1(torch.tensor(-unit / tail, dtype=torch.float64)))
        step, below = digit(on, unit, within), unit
        while below > 1 and bool((step < STEPS).any()):
            below //= STEPS
            digit(on[step < STEPS], below, -torch.arange(STEPS, dtype=torch.float64) * (below / tail))
        on, unit = on[step == STEPS], unit * STEPS
    return found


def _ordinal(f: Tensor) -> Tensor:
    """Float64 as whole numbers in the same order."""
    bits = f.double().contiguous().view(torch.long)
    return bits.where(bits >= 0, -(bits & 0x7FFFFFFFFFFFFFFF))


def _double(ordinal: Tensor) -> Tensor:
    """And back; both zeros become 0."""
    bits = ordinal.where(ordinal >= 0, -ordinal | torch.iinfo(torch.long).min)
    return bits.contiguous().view(torch.double)
