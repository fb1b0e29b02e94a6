"""Chow-Liu trees by enumeration, by published figures, and by counts that come and go."""
from __future__ import annotations

from itertools import combinations, product

import pytest
import torch

import ilk
from ilk.batch import Batch, Memory
from ilk.catalogue import names
from ilk.errors import IlkError
from ilk.families.chow_liu import ChowLiu, Tree, spanning
from ilk.given import Weigh
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete
from ilk.store import State

SIZES = (2, 3, 2, 4)
EVERY = torch.tensor(list(product(*map(range, SIZES))))


def fitted(seed: int = 0, smoothing: float = 0.1) -> tuple[Tree, torch.Tensor]:
    u = Rng(seed).child("u").uniform(300, 1)
    x = ((0.6 * u + 0.4 * Rng(seed).child("x").uniform(300, 4)) * torch.tensor(SIZES)).long()
    body = ChowLiu(smoothing=smoothing, backoff=0.0).build(Discrete(SIZES, (4,)), Rng(0))
    assert isinstance(body, Tree)
    body.fit(Memory(Batch(x)), Run())
    return body, x


def trees(d: int) -> list[tuple[tuple[int, int], ...]]:
    """All spanning trees of d nodes."""
    found = []
    for edges in combinations(list(combinations(range(d), 2)), d - 1):
        reached = {0}
        for _ in range(d):
            reached |= {b for a, b in edges if a in reached} | {a for a, b in edges if b in reached}
        if len(reached) == d:
            found.append(edges)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_tree_weighs_most_of_all(seed: int) -> None:
    weight = Rng(seed).normal(5, 5)
    weight = weight + weight.T
    order, parent = spanning(weight)
    assert sorted(order) == list(range(5)) and all(order.index(p) < order.index(i) for i, p in enumerate(parent) if p >= 0)
    mine = sum(float(weight[i, p]) for i, p in enumerate(parent) if p >= 0)
    assert len(trees(5)) == 125 and mine == pytest.approx(max(sum(float(weight[a, b]) for a, b in t) for t in trees(5)))


def test_no_tree_explains_the_training_items_better() -> None:
    """Chow & Liu's theorem: over all trees with the counted tables, the chosen one has the highest likelihood."""
    body, x = fitted(smoothing=1e-9)
    best = float(body.log_prob(Batch(x)).sum())
    joint, law = body._joint(), []
    for edges in trees(4):
        total = sum(joint.diagonal()[body.starts[i] + x[:, i]].log().sum() for i in range(4))
        for a, b in edges:
            pair = joint[body.starts[a] + x[:, a], body.starts[b] + x[:, b]]
            total += (pair.log() - joint.diagonal()[body.starts[a] + x[:, a]].log() - joint.diagonal()[body.starts[b] + x[:, b]].log()).sum()
        law.append(float(total))
    assert best == pytest.approx(max(law), abs=1e-6) and max(law) > sorted(law)[-2] - 1e-9


def test_masses_sum_to_one_and_weights_of_parts_are_met_exactly() -> None:
    body, _ = fitted(1)
    p = body.log_prob(Batch(EVERY)).exp()
    assert float(p.sum()) == pytest.approx(1.0, abs=1e-12)
    weights = {1: torch.tensor([0.0, -torch.inf, -0.7]).double(), 3: torch.tensor([-1.0, 0.0, 0.3, -torch.inf]).double()}
    tilted = body.given(Weigh(weights), Rng(0))
    assert tilted is not None
    wanted = p * weights[1][EVERY[:, 1]].exp() * weights[3][EVERY[:, 3]].exp()
    assert tilted.met.log_mass == pytest.approx(float(wanted.sum().log()), abs=1e-10)
    assert torch.allclose(tilted.log_prob(Batch(EVERY)).exp(), wanted / wanted.sum(), atol=1e-12)


def test_counts_of_pairs_keep_their_marginals_when_smoothed() -> None:
    body, x = fitted(2, smoothing=5.0)
    joint = body._joint()
    for i in range(4):
        own = slice(body.starts[i], body.starts[i] + SIZES[i])
        wanted = (torch.bincount(x[:, i], minlength=SIZES[i]).double() + 5.0 / SIZES[i]) / 305
        for j in range(4):
            other = slice(body.starts[j], body.starts[j] + SIZES[j])
            assert torch.allclose(joint[own, other].sum(1), wanted, atol=1e-12)


def test_counts_of_shards_add_up_and_items_can_be_forgotten() -> None:
    body, x = fitted(3)
    a, b = body.statistics(Batch(x[:120])), body.statistics(Batch(x[120:]))
    assert torch.equal(body.add(a, b).tensors["counts"], body.counts)
    other, _ = fitted(3)
    other.absorb(State({"counts": body.counts - b.tensors["counts"]}))
    alone = ChowLiu(backoff=0.0).build(Discrete(SIZES, (4,)), Rng(0))
    assert isinstance(alone, Tree)
    alone.fit(Memory(Batch(x[:120])), Run())
    assert torch.allclose(other.log_prob(Batch(EVERY)), alone.log_prob(Batch(EVERY)), atol=1e-9)


def test_backoff_adds_items_that_do_not_lean_on_the_parent() -> None:
    """p(value | value of the parent) = (pairs + backoff p(value)) / (parents + backoff)."""
    _, x = fitted(4)
    body = ChowLiu(smoothing=1e-9, backoff=7.0).build(Discrete(SIZES, (4,)), Rng(0))
    assert isinstance(body, Tree)
    body.fit(Memory(Batch(x)), Run())
    for i, above in enumerate(body.law.parent):
        if above >= 0:
            pairs = torch.zeros(SIZES[above], SIZES[i]).double().index_put_((x[:, above], x[:, i]), torch.tensor(1.0).double(), accumulate=True)
            wanted = (pairs + 7 * pairs.sum(0) / 300) / (pairs.sum(1, keepdim=True) + 7)
            assert torch.allclose(body.law.tables[i].exp(), wanted, atol=1e-9)
    assert float(body.log_prob(Batch(EVERY)).exp().sum()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("parts", [(2, 3, 2, 4), (9, 7, 5, 6)])
def test_pairs_are_counted_alike_in_both_ways(parts: tuple[int, ...]) -> None:
    x = (Rng(1).uniform(200, 4) * torch.tensor(parts)).long()
    body = ChowLiu().build(Discrete(parts, (4,)), Rng(0))
    assert isinstance(body, Tree)
    for weight in (None, Rng(2).uniform(200)):
        assert torch.allclose(body._by_pairs(x, weight), body._by_product(x, weight), atol=1e-10)


@pytest.mark.parametrize(("name", "published"), [("nltcs", -6.759), ("plants", -16.524), ("dna", -87.669), ("mushrooms", -20.960)])
def test_published_figures_are_met(name: str, published: float) -> None:
    assert name in names()
    try:
        data = ilk.read(name)
    except IlkError as why:
        pytest.skip(f"{name} is not here: {why}")
    assert ilk.fit(data, ChowLiu()).score(data).mean == pytest.approx(published, abs=0.01)
