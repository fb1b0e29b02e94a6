"""Normal codes and the numbers they tell of, said for bits back with ANS (Townsend et al. 2019): a code is one of so many cells of equal prior mass."""
from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from ilk.coding import Say
from ilk.families._likelihoods import Counting

SIDE, ROWS = 32, 4096   # digits of a cell's number, numbers whose laws are worked out at once
CELLS = SIDE * SIDE     # of a standard normal number


def centres() -> Tensor:
    """The number that stands for each cell, (CELLS,): its median."""
    found: Tensor = torch.special.ndtri((torch.arange(CELLS, dtype=torch.float64) + 0.5) / CELLS)
    return found


def lent(say: Say, mean: Tensor, log_var: Tensor, cells: Tensor | None) -> Tensor:
    """Cells by normal laws of any shape: the mass that each law has there."""
    edges: Tensor = torch.special.ndtri(torch.arange(CELLS + 1, dtype=torch.float64) / CELLS)
    known, found = None if cells is None else cells.flatten(), []
    for start in range(0, mean.numel(), ROWS):
        m, s = (t.flatten()[start:start + ROWS, None].double() for t in (mean, (0.5 * log_var).exp()))
        at = (edges - m) / s
        side = at[:, :-1] > 0   # differences in the upper tail, by symmetry, as precisely as in the lower one
        mass = torch.where(side, torch.special.ndtr(-at[:, :-1]) - torch.special.ndtr(-at[:, 1:]), torch.special.ndtr(at[:, 1:]) - torch.special.ndtr(at[:, :-1]))
        found.append(say(mass.clamp_min(0).log(), None if known is None else known[start:start + ROWS]))
    return torch.cat(found).reshape(mean.shape)


def prior(say: Say, shape: tuple[int, ...], cells: Tensor | None) -> Tensor:
    """Cells of standard normal codes: all are equally likely."""
    alike, known = torch.zeros(prod(shape), SIDE), None if cells is None else cells.flatten()
    high = say(alike, None if known is None else known // SIDE)
    return (high * SIDE + say(alike, None if known is None else known % SIDE)).reshape(shape)


def numbers(say: Say, law: Counting, y: Tensor, sizes: tuple[int, ...], x: Tensor | None) -> Tensor:
    """Whole numbers, (n, places), given what a decoder says."""
    size = torch.tensor(sizes)
    laws = torch.stack([law.each(y, torch.full((len(y), *law.shape), value)).reshape(len(y), -1).where(value < size, -torch.inf)
                        for value in range(max(sizes))], 2)
    found = say(laws.flatten(0, 1), None if x is None else x.flatten())
    return found.reshape(len(y), -1)
