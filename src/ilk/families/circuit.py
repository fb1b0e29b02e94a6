"""Probabilistic circuit: a Chow-Liu tree of hidden states, each of which speaks for one column; exact answers to any question."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Distribution, Family, How
from ilk.errors import ModelError, TrainingError
from ilk.families._circuit_each import CircuitCompletion, completed
from ilk.families._circuit_given import CircuitPosterior, Known, known
from ilk.families._circuit_leaves import Cells, Columns, Leaves
from ilk.families._circuit_start import shares, skeleton
from ilk.families._circuit_tree import Branches
from ilk.families._em import CHUNK, QUICK, Climb, Stepwise, adapt, climb, prepared, total
from ilk.families._mixed import scales
from ilk.given import Evidence
from ilk.recipe import Tried
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Space
from ilk.store import State

MOST, FEW, ELEMENTS = 2048, 20_000, 1 << 21   # columns, items to start from, numbers of one message
BATCHES, LEAST = 16, 50                        # of a round, and items of one


class HiddenTree(Distribution["Circuit"]):
    """p(x) = sum over states of p(root) product over edges of p(state | parent's) product over columns of p(cell | state); learns from sums."""

    def __init__(self, family: Circuit, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        self.columns = Columns(space)
        d = len(self.columns)
        self.center = torch.zeros(self.columns.mixed.width, dtype=torch.float64)
        self.scale = torch.ones_like(self.center)
        self.tree = Branches.of([[j for j in (i - 1, i + 1) if 0 <= j < d] for i in range(d)])
        self._blank(family.hidden or 1)

    def _blank(self, hidden: int) -> None:
        self.move = torch.full((len(self.columns), hidden, hidden), 1 / hidden, dtype=torch.float64)
        self.leaves = Leaves.blank(self.columns, hidden)

    # learning

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Expectation-maximisation from clusters of whole items; the best round by validation items is kept."""
        if not len(data):
            raise TrainingError("there are no items to learn from", code="EMPTY")
        items, held = (cache(lambda s=s: prepared(s, 9 * len(self.columns), self.cells)) for s in (data, valid))
        how = Climb("circuit", self.family.rounds, self.family.tolerance, least=QUICK + 2)
        judge = None if valid is None else lambda: sum(float(self._nats(c).sum()) for c in held()) / len(valid)
        body = Stepwise(self, self.expected)
        batches = max(1, min(BATCHES, len(data) // LEAST))
        climb(body, lambda: body.absorb(self._begin(data, run.rng)), lambda: body.round(b for c in items() for b in c.dealt(batches)), run, how, judge)

    def adapt(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """Goes on from the law that there is."""
        adapt(self, data, run, valid, Climb("circuit", self.family.rounds, self.family.tolerance))

    def _begin(self, data: Source, rng: Rng) -> State:
        """Scales, the tree, and sums of clusters as if they were of all items."""
        self.center, self.scale = scales(self.columns.mixed, data.chunks(CHUNK))
        cells = self.cells(data.take(rng.child("few").shuffle(len(data))[:FEW].sort().values))
        self.tree = skeleton(self.columns, cells)
        hidden = self.family.hidden or chosen(len(data))
        self._blank(hidden)
        share = shares(self.columns, cells, hidden, rng.child("start"))
        counted = share if cells.weight is None else share * cells.weight[:, None]
        moves = (share.T @ counted).expand(self.move.shape).clone()
        moves[0, 0] = counted.sum(0)
        sums = {**self.leaves.sums(cells, counted.expand(len(self.columns), -1, -1)), "moves": moves, "nats": torch.zeros(()).double(), "items": counted.sum()}
        return State({k: t * (len(data) / len(cells)) for k, t in sums.items()})

    def cells(self, batch: Batch) -> Cells:
        """A batch by column, numbers standardised."""
        return self.columns.split(batch, self.center, self.scale)

    def statistics(self, batch: Batch) -> State:
        """The E-step: expected moves and what states said, under the law of now. They add up over batches."""
        return self.expected(self.cells(batch))

    def expected(self, cells: Cells) -> State:
        """The E-step over cells."""
        return total(self, map(self._expected, self._pieces(cells)))

    def _expected(self, cells: Cells) -> State:
        own, scaled = self.leaves.likelihood(cells)
        below = own[self.tree.order]
        told, nats = self.tree.upward(self.move, below)
        share, moves = self.tree.downward(self.move, below, told, cells.weight)
        weight = torch.ones_like(nats) if cells.weight is None else cells.weight
        own[self.tree.order] = share
        return State({**self.leaves.sums(cells, own), "moves": moves, "nats": ((nats + scaled) * weight).sum(), "items": weight.sum()})

    def _pieces(self, cells: Cells) -> Iterator[Cells]:
        """Pieces whose messages stay small; one at least."""
        size = max(1, ELEMENTS // self.move[:, 0].numel())
        return (cells.cut(slice(start, start + size)) for start in range(0, max(1, len(cells)), size))

    def add(self, one: State, other: State) -> State:
        """Sums of two batches."""
        return State({k: t + other.tensors[k] for k, t in one.tensors.items()})

    def absorb(self, state: State) -> None:
        """The M-step; `smoothing` items count as seen in every state, spread evenly."""
        moves = state.tensors["moves"] + self.family.smoothing / self.move.shape[2]
        self.move = moves / moves.sum(2, keepdim=True)
        self.leaves = Leaves.learned(self.columns, state.tensors, self.family.smoothing)

    # the law

    def log_prob(self, batch: Batch) -> Tensor:
        """Log density, (n,)."""
        cells = self.cells(batch)
        return self._nats(cells) - self.scale.log() @ cells.there.double()

    def _nats(self, cells: Cells) -> Tensor:
        """Log density of standardised items."""
        found = []
        for piece in self._pieces(cells):
            own, scaled = self.leaves.likelihood(piece)
            found.append(self.tree.upward(self.move, own[self.tree.order])[1] + scaled)
        return torch.cat(found)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """States from the root down, then what each says of its own column."""
        return CircuitPosterior(self, Known()).sample(n, rng, how)

    def given(self, evidence: Evidence, rng: Rng) -> CircuitPosterior | None:
        """Exact for any weights of categories, any kept numbers and ranges, presences, and all of them together."""
        said = known(self.columns, evidence)
        return None if said is None else CircuitPosterior(self, said)

    def given_each(self, batch: Batch, known: Tensor, evidence: Evidence | None, rng: Rng) -> CircuitCompletion | None:
        """Exact for any places of each item, and weights of categories and presences besides."""
        return completed(self, batch, known, evidence)

    def state(self) -> State:
        """The tree, its moves, what states say, scales."""
        leaves, tree = self.leaves, self.tree
        return State({"order": tree.order, "parent": tree.parent, "move": self.move, "table": leaves.table, "mean": leaves.mean, "var": leaves.var,
                      "there": leaves.there, "center": self.center, "scale": self.scale})

    def restore(self, state: State) -> None:
        """Takes them back."""
        t = dict(state.tensors)
        d, states = len(self.columns), t["move"].shape[-1] if "move" in t and t["move"].ndim else 0
        fits = states > 0 and t["move"].shape == (d, states, states) and self.family.hidden in (None, states)
        blank = HiddenTree(self.family, self.space, Rng(0), self.about)
        blank._blank(states if fits else 1)
        want = {k: (x.shape, x.dtype) for k, x in blank.state().tensors.items()}
        if not fits or {k: (x.shape, x.dtype) for k, x in t.items()} != want or not Branches(t["order"], t["parent"]).sound() or bool((t["move"] < 0).any()):
            raise ModelError("the tensors do not fit a circuit over this space", code="WEIGHTS_SHAPE")
        self.tree, self.move = Branches(t["order"], t["parent"]), t["move"]
        self.leaves = Leaves(t["table"], t["mean"], t["var"], t["there"])
        self.center, self.scale = t["center"], t["scale"]


def chosen(items: int) -> int:
    """How many states a node has for so many items."""
    return min(64, max(4, items // 100))


@dataclass(frozen=True, kw_only=True)
class Circuit(Family):
    """Hidden Chow-Liu tree (Liu & Van den Broeck 2021, Dang et al. 2022): `hidden` states at every node, more for more items if None.

    `smoothing` items count as seen in every state. Learning ends after `rounds`, or when one gains less than `tolerance` nats an item.

    >>> from ilk.batch import Memory
    >>> x = Rng(0).integers(300, 2)[:, None].expand(-1, 3).clone()
    >>> model = Circuit(hidden=2).build(Discrete(2, (3,)), Rng(0))
    >>> model.fit(Memory(Batch(x)), Run())
    >>> round(float(model.log_prob(Batch(torch.tensor([[1, 1, 1]]))).exp()), 1)
    0.5
    """

    distribution = HiddenTree
    hidden: Annotated[Annotated[int, Interval(ge=1, le=1024)] | None, Tried(None, 8, 32, 64)] = None
    rounds: Annotated[int, Interval(ge=1, le=100_000)] = 200
    tolerance: Annotated[float, Interval(ge=0, le=1)] = 1e-4
    smoothing: Annotated[float, Interval(gt=0, le=1000), Tried(0.02, 0.1, 0.5)] = 0.1

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but arrays and rows of numbers and categories, of at most 2,048 columns."""
        if (not isinstance(space, Discrete) or not space.shape) and (why := Columns.refuses(space)):
            return why
        many = len(Columns(space))
        return None if 0 < many <= MOST else f"takes 1 to {MOST} columns, not {many}"
