"""Where a circuit's learning starts: the Chow-Liu tree of its columns, and one clustering of whole items as the states of every node."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ilk.batch import Batch
from ilk.families._circuit_leaves import Cells, Columns
from ilk.families._circuit_tree import Branches
from ilk.families._em import total
from ilk.families._mixture_fit import clusters
from ilk.families.chow_liu import ChowLiu, Tree
from ilk.rng import Rng
from ilk.space import Discrete

BINS, VALUES, PIECE = 32, 2048, 4096   # values of a column, and of all, that the tree is chosen by; items counted at once
SURE = 0.9                             # how much of an item starts in the state of its cluster


def skeleton(columns: Columns, cells: Cells) -> Branches:
    """The tree of most mutual information (Chow & Liu 1968), numbers in bins of like mass, rare categories as one."""
    bins = min(BINS, max(2, VALUES // len(columns)))
    codes = _common(columns, cells, bins) + [_binned(x, there, bins) for x, there in zip(cells.x, cells.there, strict=True)]
    sizes = tuple(int(c.max()) + 1 for c in codes)
    tree = Tree(ChowLiu(), Discrete(sizes, (len(sizes),)), Rng(0), {})
    tree.absorb(total(tree, (tree.statistics(Batch(piece)) for piece in torch.stack(codes, 1).split(PIECE))))
    return Branches.of(_neighbours(tree.law.parent))


def shares(columns: Columns, cells: Cells, hidden: int, rng: Rng) -> Tensor:
    """How much of each item starts in which state, the same at every node, (n, H): k-means over numbers and common categories."""
    hot = [one_hot(c)[:, 1:].double() for c in _common(columns, cells, BINS)]
    near, _ = clusters(torch.cat([cells.x.T, cells.there.T.double(), *hot], 1), hidden, rng)
    return one_hot(near, hidden).double() * SURE + (1 - SURE) / hidden


def _neighbours(parent: Sequence[int]) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in parent]
    for i, above in enumerate(parent):
        if above >= 0:
            found[i].append(above)
            found[above].append(i)
    return found


def _common(columns: Columns, cells: Cells, bins: int) -> list[Tensor]:
    """Values of categories by how common they are, all beyond the first ones being one."""
    own = [codes - start for codes, start in zip(cells.codes, columns.starts, strict=True)]
    return [torch.bincount(c).argsort(descending=True, stable=True).argsort()[c].clamp_max(bins - 1) for c in own]


def _binned(x: Tensor, there: Tensor, bins: int) -> Tensor:
    """Which of the bins of like mass each number lies in; 0 is missing."""
    if not bool(there.any()):
        return torch.zeros(len(x), dtype=torch.long)
    edges = x[there].quantile(torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1]).unique()
    return (torch.bucketize(x, edges) + 1).where(there, 0)
