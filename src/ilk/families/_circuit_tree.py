"""A tree of hidden states: messages up and down, walks, and the tree once its nodes are weighed."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ilk.rng import choose

SAFE = 8   # messages multiplied before they are scaled: each is at least a smoothed table's least entry


@dataclass(frozen=True, eq=False)
class Branches:
    """Nodes by depth, those of one parent side by side: `order` is each one's variable, `parent` the place of its parent (-1: the root)."""

    order: Tensor
    parent: Tensor

    @classmethod
    def of(cls, neighbours: Sequence[Sequence[int]]) -> Branches:
        """From an undirected tree, hung up by its centre so that it is shallow."""
        ends = _farthest(neighbours, _farthest(neighbours, 0)[-1])
        order, parent = [ends[len(ends) // 2]], [-1]
        for place, node in enumerate(order):
            above = order[parent[place]] if place else -1
            for other in neighbours[node]:
                if other != above:
                    order.append(other)
                    parent.append(place)
        return cls(torch.tensor(order), torch.tensor(parent))

    def sound(self) -> bool:
        """Whether it is a tree, by depth: every variable once, every parent before its children."""
        places = torch.arange(len(self.order))
        above = self.parent[1:]
        by_depth = bool((above >= 0).all()) and bool((above < places[1:]).all()) and bool((above.diff() >= 0).all())
        return by_depth and bool((self.order.sort().values == places).all()) and int(self.parent[0]) == -1

    def levels(self) -> list[slice]:
        """The nodes of each depth, the root's first."""
        found, parents = [slice(0, 1)], self.parent.tolist()
        while found[-1].stop < len(parents):
            start = stop = found[-1].stop
            while stop < len(parents) and parents[stop] < start:
                stop += 1
            found.append(slice(start, stop))
        return found

    def families(self, level: slice) -> list[tuple[int, slice]]:
        """Each parent of nodes of this level, with its children."""
        parents, several = torch.unique_consecutive(self.parent[level], return_counts=True)
        stops = (several.cumsum(0) + level.start).tolist()
        return [(p, slice(stop - k, stop)) for p, k, stop in zip(parents.tolist(), several.tolist(), stops, strict=True)]

    def upward(self, move: Tensor, below: Tensor) -> tuple[Tensor, Tensor]:
        """Likelihoods of what hangs under each node, scaled, in place of its own, (d, n, H), and log masses of items, (n,). Gives messages to parents and masses."""
        told, log_mass = torch.empty_like(below), torch.zeros(below.shape[1], dtype=torch.float64)
        for level in reversed(self.levels()[1:]):
            torch.bmm(below[level], move[level].transpose(1, 2), out=told[level])
            for parent, children in self.families(level):
                for few in told[children].split(SAFE):
                    below[parent] *= few.prod(0)
                    top = below[parent].amax(1, keepdim=True)
                    below[parent] /= top
                    log_mass += top[:, 0].log()
        return told, log_mass + (below[0] @ move[0, 0]).log()

    def downward(self, move: Tensor, below: Tensor, told: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        """p(state of each node | whole item) times the item's weight, (d, n, H), and how often each move was made, (d, H, H)."""
        share, moves = torch.empty_like(below), torch.zeros_like(move)
        root = below[0] * move[0, 0]
        share[0] = root / root.sum(1, keepdim=True) * (1.0 if weight is None else weight[:, None])
        moves[0, 0] = share[0].sum(0)
        for level in self.levels()[1:]:
            rest = share[self.parent[level]] / told[level].clamp_min(1e-300)
            moves[level] = torch.bmm(rest.transpose(1, 2), below[level]) * move[level]
            torch.mul(torch.bmm(rest, move[level]), below[level], out=share[level])
        return share, moves

    def walk(self, move: Tensor, noise: Tensor, below: Tensor | None = None) -> Tensor:
        """States of each node, (d, n), the root's first, weighed by what hangs under each of every item (d, n, H) if that is said; noise (n, d) is uniform."""
        log_move, state = move.log(), torch.zeros(noise.shape[::-1], dtype=torch.long)
        for level in self.levels():
            nodes = torch.arange(level.start, level.stop)[:, None]
            above, u = state[self.parent[level]] if level.start else state[level], noise.T[level].flatten()
            if below is None:
                made = choose(log_move[level].flatten(0, 1), u, ((nodes - level.start) * move.shape[1] + above).flatten())
            else:
                made = choose((log_move[nodes, above] + below[level].log()).flatten(0, 1), u)
            state[level] = made.reshape(len(nodes), -1)
        return state

    def tilted(self, move: Tensor, log_weight: Tensor) -> tuple[Tensor, float]:
        """The moves once states of nodes are weighed, (d, H) in nats, which is a tree again, and the log of what that sums to (Pearl 1988)."""
        log_move, below = move.log(), log_weight.clone()
        for level in reversed(self.levels()):
            joint = log_move[level] + below[level, None]
            mass = joint.logsumexp(2)
            log_move[level] = joint - mass.where(mass > -torch.inf, 0.0)[:, :, None]
            if level.start:
                below.index_add_(0, self.parent[level], mass)
        return log_move.exp(), float(mass[0, 0])


def _farthest(neighbours: Sequence[Sequence[int]], start: int) -> list[int]:
    """The path from a node to one that is farthest from it."""
    came, order = {start: start}, [start]
    for node in order:
        for other in neighbours[node]:
            if other not in came:
                came[other] = node
                order.append(other)
    path = [order[-1]]
    while path[-1] != start:
        path.append(came[path[-1]])
    return path[::-1]
