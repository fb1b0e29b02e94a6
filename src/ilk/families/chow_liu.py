"""Chow-Liu tree: every part depends on one other, the tree that loses least; exact masses, exact conditioning on anything, learned from counts."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from ilk.batch import Batch, Source
from ilk.distribution import Distribution, Family, How, Met
from ilk.errors import DataError, ModelError, TrainingError
from ilk.families._chow_liu_each import TreeCompletion
from ilk.given import Evidence, Weigh
from ilk.recipe import Tried
from ilk.rng import Rng, choose
from ilk.run import Began, Ended, Progress, Run
from ilk.space import Discrete, Space
from ilk.store import State

MOST, CHUNK, WIDE = 8192, 1 << 15, 4   # values of all parts together, items counted at once, values a part from which pairs are counted one by one


@dataclass(frozen=True, eq=False)
class Law:
    """A directed tree: `order` has parents before children, `parent` is -1 for the root, `tables` are log p(value | value of the parent)."""

    order: Sequence[int]
    parent: Sequence[int]
    tables: Sequence[Tensor]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log mass of records (n, d), (n,)."""
        total = torch.zeros(len(x), dtype=torch.float64)
        for i in self.order:
            above = x[:, self.parent[i]] if self.parent[i] >= 0 else torch.zeros(len(x), dtype=torch.long)
            total += self.tables[i][above, x[:, i]]
        return total

    def sample(self, n: int, rng: Rng) -> Tensor:
        """Records (n, d), each part given its parent."""
        x = torch.zeros(n, len(self.tables), dtype=torch.long)
        noise = rng.uniform(n, len(self.tables))
        for i in self.order:
            above = x[:, self.parent[i]] if self.parent[i] >= 0 else torch.zeros(n, dtype=torch.long)
            x[:, i] = choose(self.tables[i], noise[:, i], above)
        return x

    def tilted(self, weights: Mapping[int, Tensor]) -> tuple[Law, float]:
        """The law times weights of single parts, which is a tree again, and the log of what that sums to (Pearl 1988)."""
        below = [torch.zeros(t.shape[1], dtype=torch.float64) + weights.get(i, torch.zeros(())) for i, t in enumerate(self.tables)]
        tables = list(self.tables)
        for i in reversed(self.order):
            joint = self.tables[i] + below[i]
            mass = joint.logsumexp(1)
            tables[i] = joint - mass.where(mass > -torch.inf, 0.0)[:, None]
            if self.parent[i] >= 0:
                below[self.parent[i]] = below[self.parent[i]] + mass
        return Law(self.order, self.parent, tables), float(mass[0])


class Tree(Distribution["ChowLiu"]):
    """p(x) = product over parts of p(x_i | x of its parent); counts of pairs are all that is learned."""

    def __init__(self, family: ChowLiu, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        if not isinstance(space, Discrete):
            raise TypeError("a Chow-Liu tree is of records of whole numbers")
        self.sizes = list(space.each)
        self.starts = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        self.counts, self.law = torch.zeros(sum(self.sizes), sum(self.sizes), dtype=torch.float64), self._law(torch.zeros(0))

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """One pass: pairs of values are counted, and the tree of most mutual information is taken (Chow & Liu 1968)."""
        if not len(data):
            raise TrainingError("there are no items to learn from", code="EMPTY")
        saved = run.saved()
        done, sums = (0, State({"counts": torch.zeros_like(self.counts)})) if saved is None else (int(saved.facts["items"]), State(saved.tensors))
        run.emit(Began("chow_liu", len(data)))
        for start in range(done, len(data), CHUNK):
            batch = data.take(torch.arange(start, min(start + CHUNK, len(data))))
            sums = self.add(sums, self.statistics(batch))
            facts = {"items": start + len(batch)}
            run.tick(lambda: State(sums.tensors, facts))  # noqa: B023
            run.emit(Progress(facts["items"], facts["items"] / len(data), None))
        self.absorb(sums)
        run.emit(Ended("chow_liu", len(data), 0.0))

    def statistics(self, batch: Batch) -> State:
        """How often each pair of values comes together, (values, values). Counts add up over batches, and may be taken away again."""
        x = batch.tensor.reshape(len(batch), len(self.sizes))
        return State({"counts": (self._by_pairs if sum(self.sizes) > WIDE * len(self.sizes) else self._by_product)(x, batch.weight)})

    def _by_product(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """One product of matrices: the fastest for parts of few values."""
        hot = torch.zeros(len(x), sum(self.sizes), dtype=torch.float64).scatter_(1, x + torch.tensor(self.starts), 1.0)
        return hot.T @ (hot if weight is None else hot * weight[:, None])

    def _by_pairs(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """Part by part with those after it: the fastest for parts of many values."""
        counts = torch.zeros_like(self.counts)
        for i, (first, a) in enumerate(zip(self.starts, self.sizes, strict=True)):
            for j in range(i, len(self.sizes)):
                second, b = self.starts[j], self.sizes[j]
                both = torch.bincount(x[:, i] * b + x[:, j], weight, minlength=a * b).reshape(a, b)
                counts[first:first + a, second:second + b] = both
                counts[second:second + b, first:first + a] = both.T
        return counts

    def add(self, one: State, other: State) -> State:
        """Counts of both."""
        return State({"counts": one.tensors["counts"] + other.tensors["counts"]})

    def counted(self) -> State:
        """Counts of all records."""
        return self.state()

    def less(self, whole: State, part: State) -> State:
        """Counts of the others; DataError if some pair would come less than never."""
        left = whole.tensors["counts"] - part.tensors["counts"]
        if bool((left < 0).any()):
            raise DataError("some of these items were never learned: their values do not come together so often", code="NOT_LEARNED", remedy="leave them out")
        return State({"counts": left})

    def absorb(self, state: State) -> None:
        """The tree of these counts."""
        self.counts = state.tensors["counts"]
        self.law = self._law(self._joint())

    def _joint(self) -> Tensor:
        """Smoothed masses of all pairs of values, whose sums over one part are its marginals, (values, values)."""
        size = torch.tensor(self.sizes, dtype=torch.float64).repeat_interleave(torch.tensor(self.sizes))
        more = self.family.smoothing / (size[:, None] * size)
        part = torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes))
        same = part[:, None] == part
        more = more.where(~same, torch.eye(len(size), dtype=torch.float64) * self.family.smoothing / size)
        items = self.counts[:self.sizes[0], :self.sizes[0]].sum()
        return (self.counts + more) / (items + self.family.smoothing)

    def _law(self, joint: Tensor) -> Law:
        if not len(joint):
            return Law(range(len(self.sizes)), [-1] * len(self.sizes), [torch.full((1, k), -1.0).log_softmax(1).double() for k in self.sizes])
        order, parent = spanning(self._information(joint))
        tables = []
        for i, above in enumerate(parent):
            own = slice(self.starts[i], self.starts[i] + self.sizes[i])
            both = joint[own, own].diagonal()[None] if above < 0 else joint[self.starts[above]:self.starts[above] + self.sizes[above], own]
            if above >= 0:   # a value of the parent that is rare tells little of its own
                both = both + self.family.backoff / (float(self.counts[:self.sizes[0], :self.sizes[0]].sum()) + self.family.smoothing) * joint[own, own].diagonal()
            tables.append(both.log() - both.sum(1, keepdim=True).log())
        return Law(order, parent, tables)

    def _information(self, joint: Tensor) -> Tensor:
        """Mutual information of every two parts, in nats, (d, d)."""
        mass = joint.diagonal()
        terms = torch.special.xlogy(joint, joint) - joint * (mass[:, None].log() + mass.log())
        part = torch.arange(len(self.sizes)).repeat_interleave(torch.tensor(self.sizes))
        rows = torch.zeros(len(self.sizes), len(mass), dtype=torch.float64).index_add_(0, part, terms)
        return torch.zeros(len(self.sizes), len(self.sizes), dtype=torch.float64).index_add_(1, part, rows)

    def log_prob(self, batch: Batch) -> Tensor:
        """Log mass of records, (n,)."""
        return self.law.log_prob(batch.tensor.reshape(len(batch), len(self.sizes)))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """The root, then every part given its parent."""
        return Batch(self.law.sample(n, rng.child("tree")).reshape(n, *self.space.shape))  # type: ignore[union-attr]

    def given(self, evidence: Evidence, rng: Rng) -> Tilted | None:
        """Exact for any weights of any parts."""
        return Tilted(self, {i: t.double() for i, t in evidence.tables.items()}) if isinstance(evidence, Weigh) else None

    def given_each(self, batch: Batch, known: Tensor, evidence: Evidence | None, rng: Rng) -> TreeCompletion | None:
        """Exact for any parts of each record, and weights of any besides."""
        if not isinstance(evidence, Weigh | None):
            return None
        return TreeCompletion(self, batch, known, {} if evidence is None else {i: t.double() for i, t in evidence.tables.items()})

    def state(self) -> State:
        """The counts: the tree follows from them."""
        return State({"counts": self.counts})

    def restore(self, state: State) -> None:
        """Takes them back."""
        counts = state.tensors.get("counts")
        if set(state.tensors) != {"counts"} or counts is None or counts.shape != self.counts.shape or counts.dtype != torch.float64 or bool((counts < 0).any()):
            raise ModelError("these are not the counts of this tree", code="MODEL_DAMAGED")
        self.absorb(state)


class Tilted:
    """A tree with some parts known or weighed: a tree again."""

    def __init__(self, whole: Tree, weights: Mapping[int, Tensor]) -> None:
        self.whole, self.weights = whole, weights
        self.law, mass = whole.law.tilted(weights)
        self.met = Met("exact", mass)

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Records given what is known."""
        return Batch(self.law.sample(n, rng.child("tree")).reshape(n, *self.whole.space.shape))  # type: ignore[union-attr]

    def log_prob(self, batch: Batch) -> Tensor:
        """log p(record | what is known)."""
        return self.law.log_prob(batch.tensor.reshape(len(batch), len(self.whole.sizes)))

    def given(self, evidence: Evidence, rng: Rng) -> Tilted | None:
        """More of the same."""
        if not isinstance(evidence, Weigh):
            return None
        more = {i: t.double() for i, t in evidence.tables.items()}
        return Tilted(self.whole, {i: self.weights.get(i, 0.0) + more.get(i, torch.zeros(())) for i in self.weights.keys() | more.keys()})


def spanning(weight: Tensor) -> tuple[list[int], list[int]]:
    """The tree of most weight in all (Prim 1957): an order with parents first, and every node's parent, -1 for node 0."""
    d = len(weight)
    parent, order, best, come = [-1] * d, [0], weight[0].clone(), [0] * d
    best[0] = -torch.inf
    for _ in range(d - 1):
        i = int(best.argmax())
        parent[i] = come[i]
        order.append(i)
        better = (weight[i] > best) & (best > -torch.inf)
        best = best.where(~better, weight[i])
        for j in better.nonzero()[:, 0].tolist():
            come[j] = i
        best[i] = -torch.inf
    return order, parent


@dataclass(frozen=True, kw_only=True)
class ChowLiu(Family):
    """The best tree of parts by mutual information (Chow & Liu 1968).

    `smoothing` items count as seen, spread evenly over pairs; `backoff` under every value of a parent, spread as the part is without it.

    >>> tree = ChowLiu().build(Discrete(2, (3,)), Rng(0))
    >>> tree.absorb(tree.statistics(Batch(torch.tensor([[0, 0, 1], [1, 1, 0], [1, 1, 1], [0, 0, 0]]))))
    >>> tree.law.parent
    [-1, 0, 0]
    """

    distribution = Tree
    smoothing: Annotated[float, Interval(gt=0, le=1_000_000), Tried(0.02, 0.1, 0.5, 2.0)] = 0.1
    backoff: Annotated[float, Interval(ge=0, le=1_000_000), Tried(0.0, 0.5, 2.0)] = 0.5

    @classmethod
    def refuses(cls, space: Space) -> str | None:
        """Anything but records of whole numbers with at most 8,192 values in all."""
        if not isinstance(space, Discrete) or not space.shape:
            return "takes arrays and rows of whole numbers"
        return None if sum(space.each) <= MOST else f"counts pairs of at most {MOST} values, not of {sum(space.each)}"
