"""Laws of insertion: all that can happen sums to 1, the bound lies below it and is what enumeration says, known parts stay, holes are filled."""
from __future__ import annotations

from collections import defaultdict
from math import log
from typing import Any

import pytest
import torch

from ilk.batch import Batch, Memory, ragged
from ilk.decoding.form import Form
from ilk.decoding.top_k import TopK
from ilk.errors import UsageError
from ilk.families._insertion_draft import Apart, Draft
from ilk.families.insertion import Inserting, Insertion
from ilk.given import About, At, Begin, Between, Weigh
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Many
from ilk.testing._spaces import lattice

torch.set_num_threads(1)

SIZE, MOST = 2, 3
State = tuple[tuple[int, ...], tuple[bool, ...]]


def model(order: Any = "uniform", seed: int = 0) -> Inserting:
    body = Insertion(layers=1, heads=2, width=16, order=order, draws=16).build(Many(Discrete(SIZE), MOST), Rng(seed))
    assert isinstance(body, Inserting)
    for p in body.parameters():
        p.data = p.data * 3   # far from flat
    return body


@torch.no_grad()
def actions(body: Inserting, state: State) -> torch.Tensor:
    """Chances of what is done in each slot, (slots, size + 1)."""
    tokens, open = state
    draft = Draft(torch.tensor([[*tokens, 0]]), torch.tensor([len(tokens)]), torch.tensor([[*open, False]]))
    found: torch.Tensor = body.law(draft, {}).double().exp()[0, :len(open)]
    return found


def enumerated(body: Inserting, start: State = ((), (True,))) -> dict[tuple[int, ...], float]:
    """The chance of every item, by following all that can happen."""
    now, done = {start: 1.0}, defaultdict(float)
    while now:
        after: dict[State, float] = defaultdict(float)
        for (tokens, open), chance in now.items():
            if not any(open):
                done[tokens] += chance
                continue
            law = actions(body, (tokens, open))
            for slot in (i for i, yes in enumerate(open) if yes):
                for action, p in enumerate(law[slot].tolist()):
                    if p and action == SIZE:
                        after[tokens, (*open[:slot], False, *open[slot + 1:])] += chance / sum(open) * p
                    elif p:
                        after[(*tokens[:slot], action, *tokens[slot:]), (*open[:slot], True, True, *open[slot + 1:])] += chance / sum(open) * p
        now = after
    return dict(done)


def taken_apart(body: Inserting, item: tuple[int, ...]) -> float:
    """E_q[log p - log q] of one item, the choice of slots left out of both, by following every way to take it apart."""
    def ahead(there: tuple[int, ...], open: frozenset[int]) -> float:
        if not open:
            return 0.0
        tokens = tuple(item[i] for i in there)
        slots = [sum(i < low for i in there) for low in range(len(item) + 1)]
        law = actions(body, (tokens, tuple(any(slots[low] == s for low in open) for s in range(len(tokens) + 1)))).log()
        total = 0.0
        for low in open:
            high = min([i for i in there if i >= low], default=len(item))
            if high == low:
                total += (float(law[slots[low], SIZE]) + ahead(there, open - {low})) / len(open)
                continue
            lean = torch.tensor([-abs(i - (low + high - 1) / 2) / 0.5 if body.family.order == "balanced" else 0.0 for i in range(low, high)]).double().softmax(0).tolist()
            for i, q in zip(range(low, high), lean, strict=True):
                total += q / len(open) * (float(law[slots[low], item[i]]) - log(q) + ahead(tuple(sorted((*there, i))), open | {i + 1}))
        return total
    return ahead((), frozenset({0}))


@pytest.mark.parametrize("order", ["uniform", pytest.param("balanced", marks=pytest.mark.slow)])
def test_all_items_sum_to_one_and_the_bound_is_below(order: Any) -> None:
    body = model(order)
    found = lattice(body.space)
    assert found is not None
    p = enumerated(body)
    items = [tuple(row[:n]) for row, n in zip(found.items.padded(0).tolist(), found.items.lengths.tolist(), strict=True)]
    exact = torch.tensor([p[item] for item in items]).double()
    assert abs(float(exact.sum()) - 1) < 1e-5
    bounds = torch.stack([body.log_prob_bound(found.items, Rng(1).child(i)) for i in range(40)])
    error = bounds.std(0) / 40**0.5
    assert bool((bounds.mean(0) < exact.log() + 4 * error + 1e-5).all())
    truth = torch.tensor([taken_apart(body, item) for item in items]).double()
    assert bool((truth < exact.log() + 1e-6).all())
    assert bool((bounds.mean(0) - truth).abs().lt(4.5 * error + 1e-4).all())


def test_samples_follow_the_law() -> None:
    body = model()
    p = enumerated(body)
    made = body.sample(4000, Rng(2))
    seen: dict[tuple[int, ...], int] = defaultdict(int)
    for row, n in zip(made.padded(0).tolist(), made.lengths.tolist(), strict=True):
        seen[tuple(row[:n])] += 1
    assert sum((seen[item] - 4000 * q) ** 2 / (4000 * q) for item, q in p.items()) < 45   # 14 degrees: p < 0.0001 above


def test_filled_holes_follow_the_law_from_there() -> None:
    body = model()
    p = enumerated(body, ((1, 0), (False, True, False)))
    found = body.given(Between((torch.tensor([1]), torch.tensor([0]))), Rng(0))
    assert found is not None
    assert found.met.sort == "guided"
    made = found.sample(3000, Rng(3))
    share = float((made.lengths == 3).double().mean())
    assert abs(share - p[1, 0, 0] - p[1, 1, 0]) < 0.04
    assert abs(sum(p.values()) - 1) < 1e-6


def test_known_stretches_stay() -> None:
    body = Insertion(layers=1, heads=2, width=16).build(Many(Discrete(5), 12), Rng(0))
    one, two, three = torch.tensor([1, 2]), torch.tensor([3]), torch.tensor([4, 4])
    made = body.given(Between((one, two, three)), Rng(0)).sample(60, Rng(1))
    assert len(made.lengths.unique()) > 1
    for row, n in zip(made.padded(0).tolist(), made.lengths.tolist(), strict=True):
        assert row[:2] == [1, 2]
        assert row[n - 2:n] == [4, 4]
        assert 3 in row[2:n - 2]
    begun = body.given(Begin(one), Rng(0)).sample(30, Rng(1))
    assert begun.padded(0)[:, :2].unique(dim=0).tolist() == [[1, 2]]
    assert body.given(Between((one, three)), Rng(0)).sample(9, Rng(1), TopK(k=1)).lengths.min() >= 4
    assert body.given(At({0: Weigh({0: torch.zeros(5)})}), Rng(0)) is None
    with pytest.raises(UsageError, match="at most 12"):
        body.given(Begin(torch.zeros(13, dtype=torch.long)), Rng(0))
    with pytest.raises(UsageError, match="left to right"):
        body.sample(2, Rng(0), Form(pattern="a"))


def test_taking_apart_ends_whole_and_starts_empty() -> None:
    length = torch.tensor([4, 0, 2])
    none = Apart.grown(length, 4, torch.zeros(3, dtype=torch.long), False, Rng(0))
    assert not bool(none.there.any())
    assert none.open.sum(1).tolist() == [1, 1, 1]
    every = Apart.grown(length, 4, 2 * length + 1, False, Rng(0))
    assert every.there.sum(1).tolist() == [4, 0, 2]
    assert not bool(every.open.any())


def sums(n: int, rng: Rng) -> Batch:
    """a^k b^k with k from 1 to 6."""
    k = 1 + rng.integers(n, 6)
    place = torch.arange(12)
    return ragged((place >= k[:, None]).long().expand(n, 12), 2 * k)


@pytest.mark.learns
@pytest.mark.slow
def test_it_fills_holes_of_a_language() -> None:
    """a^k b^k: what stands on both sides of a hole says what is missing."""
    body = Insertion(layers=2, heads=2, width=48).build(Many(Discrete(2), 14), Rng(0))
    body.fit(Memory(sums(600, Rng(1))), Run(seed=0, budget=Steps(1200)))
    right = total = 0
    for left, end in (([0, 0, 0], [1]), ([0], [1, 1, 1]), ([0, 0], [1, 1]), ([0, 0, 0, 0], []), ([], [1, 1])):
        found = body.given(Between((torch.tensor(left, dtype=torch.long), torch.tensor(end, dtype=torch.long))), Rng(0))
        made = found.sample(40, Rng(2))
        for row, n in zip(made.padded(0).tolist(), made.lengths.tolist(), strict=True):
            right += n % 2 == 0 and row[:n] == [0] * (n // 2) + [1] * (n // 2)
            total += 1
    assert right / total > 0.9


def test_it_learns_from_labels() -> None:
    label = torch.arange(300) % 2
    items = Batch(Batch(label.repeat_interleave(2)), length=torch.full((300,), 2), context={"label": Batch(label)})
    body = Insertion(layers=1, heads=2, width=16).build(Many(Discrete(2), 4), Rng(0), {"label": Discrete(2)})
    body.fit(Memory(items), Run(seed=0, budget=Steps(150)))
    for value in (0, 1):
        made = body.given(About({"label": Batch(torch.tensor([value]))}), Rng(0)).sample(100, Rng(1))
        assert float((made.elements.tensor == value).double().mean()) > 0.9
