"""Identities of the n-gram: its law sums to one, is that of a plain reference, adds up, and is conditioned exactly."""
from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from ilk.batch import Batch, Memory, ragged
from ilk.decoding.ancestral import Ancestral
from ilk.decoding.min_p import MinP
from ilk.decoding.top_k import TopK
from ilk.decoding.top_p import TopP
from ilk.distribution import Conditions, HasLogProb, HasStatistics, How, NextToken, Posterior, Samples
from ilk.errors import ModelError, Stopped, UsageError
from ilk.families._trie import discounts
from ilk.families.ngram import NGram, NGrams
from ilk.given import Begin, Fix
from ilk.rng import Rng
from ilk.run import Began, Ended, Progress, Run, Switch
from ilk.space import Discrete, Many, Reals
from ilk.store import State, load_state, save_state

torch.set_num_threads(1)
Item = tuple[int, ...]


def batch(items: list[Item]) -> Batch:
    tokens, length = [t for item in items for t in item], [len(item) for item in items]
    return Batch(Batch(torch.tensor(tokens, dtype=torch.long)), length=torch.tensor(length, dtype=torch.long))


def items_of(made: Batch) -> list[Item]:
    x, ends = made.elements.tensor.tolist(), made.lengths.cumsum(0).tolist()
    return [tuple(x[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


def corpus(n: int = 60, size: int = 3, longest: int = 4, seed: int = 0) -> list[Item]:
    """Sequences in which what comes next leans on the two tokens before."""
    draws = Rng(seed).uniform(n, longest + 1).tolist()
    made = []
    for row in draws:
        item = [int(row[0] * size)]
        for u in row[1:]:
            if u > 0.8 or len(item) == longest:
                break
            item.append((item[-1] + (u > 0.3) + sum(item[-2:-1])) % size)
        made.append(tuple(item))
    return made


def fitted(items: list[Item], order: int = 3, size: int = 3, at_most: int = 4) -> NGrams:
    model = NGram(order=order).build(Many(Discrete(size), at_most), Rng(0))
    assert isinstance(model, NGrams)
    model.fit(Memory(batch(items)), Run())
    return model


def every(size: int, at_most: int) -> list[Item]:
    return [item for n in range(at_most + 1) for item in product(range(size), repeat=n)]


class Reference:
    """The same law by dictionaries: one window at a time, straight from the definitions."""

    def __init__(self, items: list[Item], order: int, size: int) -> None:
        self.order, self.size, self.start = order, size, size + 1
        lines = [(*[self.start] * (order - 1), *item, size) for item in items]
        raw = {k: Counter(line[i - k + 1:i + 1] for line in lines for i in range(order - 1, len(line))) for k in range(1, order + 1)}
        before = {k: Counter(w[1:] for w in raw[k + 1]) for k in range(1, order)}
        self.counts = {k: {w: c if k == order or (k > 1 and w[0] == self.start) else before[k][w] for w, c in raw[k].items()
                           if not (k > 2 and w[0] == w[1] == self.start)} for k in raw}
        self.taken = {k: discounts(np.array(list(c.values()), np.int64)) for k, c in self.counts.items()}

    def law(self, context: Item) -> list[float]:
        """The next token's law after a whole prefix."""
        padded = (*[self.start] * (self.order - 1), *context)
        return [self.p(padded[len(padded) - self.order + 1:], w) for w in range(self.size + 1)]

    def p(self, context: Item, w: int) -> float:
        k = len(context) + 1
        lower = 1 / (self.size + 1) if k == 1 else self.p(context[1:], w)
        found = {g[-1]: c for g, c in self.counts[k].items() if g[:-1] == context}
        if not found:
            return lower
        taken = {v: float(self.taken[k][min(c, 3)]) for v, c in found.items()}
        return (found.get(w, 0) - taken.get(w, 0) + sum(taken.values()) * lower) / sum(found.values())


def law_after(model: NGrams, prefixes: list[Item]) -> Tensor:
    return model.step(model.begin(batch(prefixes)), None).exp()


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_reference(order: int) -> None:
    items = [*corpus(), (), (2,), (0, 0, 0, 0)]
    model, plain = fitted(items, order, at_most=9), Reference(items, order, 3)
    prefixes = every(3, 4)
    expect = torch.tensor([plain.law(p) for p in prefixes], dtype=torch.float64)
    assert (law_after(model, prefixes) - expect).abs().max() < 1e-12
    whole = torch.tensor([sum(np.log(plain.law(p[:i])[t]) for i, t in enumerate((*p, 3))) for p in prefixes])
    assert (model.log_prob(batch(prefixes)) - whole).abs().max() < 1e-12


def test_reference_where_a_packed_key_would_overflow() -> None:
    size, items = 70_000, [(5, 69_999, 5, 69_999, 7), (69_999, 5, 0), (5, 69_999, 5)]
    model, plain = fitted(items, 10, size, 9), Reference(items, 10, size)
    law = law_after(model, [(5, 69_999, 5), (1,)])
    assert (law.sum(1) - 1).abs().max() < 1e-12
    for row, context in enumerate([(5, 69_999, 5), (1,)]):
        padded = (*[size + 1] * (9 - len(context)), *context)
        assert all(abs(float(law[row, w]) - plain.p(padded, w)) < 1e-12 for w in (0, 5, 7, 69_999, size))


def test_discounts() -> None:
    times = np.array([1] * 8 + [2] * 4 + [3] * 2 + [4], np.int64)  # Y = 8 / (8 + 2 * 4) = 1/2
    assert np.allclose(discounts(times), [0, 1 - 2 * 0.5 * 4 / 8, 2 - 3 * 0.5 * 2 / 4, 3 - 4 * 0.5 * 1 / 2])
    assert discounts(np.array([5, 5])).tolist() == [0, 0.5, 1, 1.5]
    assert discounts(np.zeros(0, np.int64)).tolist() == [0, 0.5, 1, 1.5]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), max_size=8).map(tuple), max_size=12), st.integers(1, 6),
       st.lists(st.integers(0, 4), max_size=9).map(tuple))
def test_every_next_token_law_sums_to_one(items: list[Item], order: int, prefix: Item) -> None:
    model = fitted(items, order, 5, 8)
    law = law_after(model, [prefix, (), (4, 4, 4, 4)])
    assert (law.sum(1) - 1).abs().max() < 1e-12
    assert bool((law[1] > 0).all())
    assert abs(float(law_after(model, [(0,) * 8])[0, 5]) - 1) < 1e-12


@pytest.mark.parametrize("order", [1, 2, 4, 6])
def test_all_strings_sum_to_one(order: int) -> None:
    model = fitted(corpus(), order)
    everything = model.log_prob(batch(every(3, 4)))
    assert abs(float(everything.exp().sum()) - 1) < 1e-9
    assert model.log_prob(batch([(0,) * 5, (1,) * 5])).tolist() == [-torch.inf, -torch.inf]


def test_nothing_learned_is_uniform() -> None:
    model = NGram().build(Many(Discrete(3), 4), Rng(0))
    assert isinstance(model, NGrams)
    assert torch.allclose(law_after(model, [(), (1, 2)]), torch.full((2, 4), 0.25, dtype=torch.float64))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 2), max_size=6).map(tuple), min_size=2, max_size=20), st.integers(1, 5), st.data())
def test_statistics_add_up(items: list[Item], order: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(items)))
    whole, parts = fitted(items, order, at_most=6), NGram(order=order).build(Many(Discrete(3), 6), Rng(0))
    assert isinstance(parts, NGrams)
    parts.absorb(parts.add(parts.statistics(batch(items[:cut])), parts.statistics(batch(items[cut:]))))
    assert same(parts.state(), whole.state())
    assert torch.equal(parts.log_prob(batch(every(3, 3))), whole.log_prob(batch(every(3, 3))))


def same(one: State, other: State) -> bool:
    named = one.facts == other.facts and one.tensors.keys() == other.tensors.keys()
    return named and all(torch.equal(t, other.tensors[k]) for k, t in one.tensors.items())


def test_saved_and_restored(tmp_path: Path) -> None:
    model = fitted(corpus())
    save_state(tmp_path / "m", model.state())
    again = NGram(order=3).build(Many(Discrete(3), 4), Rng(9))
    assert isinstance(again, NGrams)
    again.restore(load_state(tmp_path / "m"))
    assert same(again.state(), model.state())
    assert torch.equal(again.log_prob(batch(every(3, 4))), model.log_prob(batch(every(3, 4))))
    assert items_of(again.sample(50, Rng(3))) == items_of(model.sample(50, Rng(3)))


@pytest.mark.parametrize("spoil", [
    lambda t: {"windows": t["windows"]}, lambda t: {**t, "windows": t["windows"][:, 1:]},
    lambda t: {**t, "counts": t["counts"][1:]},
    lambda t: {**t, "counts": t["counts"] * 0}, lambda t: {**t, "windows": t["windows"].flip(0)},
    lambda t: {**t, "windows": t["windows"] + 3},
    lambda t: {**t, "counts": t["counts"].double()}, lambda t: {k: torch.cat([v, v]) for k, v in t.items()},
    lambda t: {**t, "windows": t["windows"].float()}])
def test_nonsense_is_refused(spoil: object) -> None:
    model = fitted(corpus())
    good = model.state()
    with pytest.raises(ModelError) as why:
        model.restore(State(spoil(dict(good.tensors)), good.facts))  # type: ignore[operator]
    assert why.value.code == "WEIGHTS_SHAPE"
    with pytest.raises(ModelError):
        model.restore(State(good.tensors, {"items": "many"}))


def test_conditioned_exactly() -> None:
    model, all_items = fitted(corpus(), 3), every(3, 4)
    p = model.log_prob(batch(all_items)).exp()
    for prefix in [(), (0,), (2, 1), (1, 1, 1, 1)]:
        begun = model.given(Begin(torch.tensor(prefix, dtype=torch.long)), Rng(0))
        assert isinstance(begun, Posterior) and begun is not None
        agrees = torch.tensor([x[:len(prefix)] == prefix for x in all_items])
        assert abs(begun.met.log_mass - float(p[agrees].sum().log())) < 1e-12
        conditional = begun.log_prob(batch(all_items))
        assert torch.allclose(conditional.exp(), p.where(agrees, torch.tensor(0.0).double()) / p[agrees].sum(), atol=1e-12)
    over = model.given(Begin(torch.zeros(5, dtype=torch.long)), Rng(0))
    assert over is not None and over.met.log_mass == -torch.inf
    with pytest.raises(UsageError):
        over.sample(1, Rng(0))
    with pytest.raises(UsageError):
        model.given(Begin(torch.tensor([3])), Rng(0))
    assert model.given(Fix({0: 1.0}), Rng(0)) is None


@pytest.mark.parametrize("prefix", [(), (2, 1)])
def test_samples_follow_the_law(prefix: Item) -> None:
    model, all_items = fitted(corpus(), 3), every(3, 4)
    begun = model.given(Begin(torch.tensor(prefix, dtype=torch.long)), Rng(0))
    assert begun is not None
    made = Counter(items_of(begun.sample(20_000, Rng(1))))
    expect = begun.log_prob(batch(all_items)).exp() * 20_000
    often = expect > 5
    seen = torch.tensor([made[x] for x in all_items]).double()
    counts, wanted = [*seen[often].tolist(), float(seen[~often].sum())], [*expect[often].tolist(), float(expect[~often].sum())]
    keep = [i for i, w in enumerate(wanted) if w > 1e-9]
    assert sum(made.values()) == seen.sum()
    assert chisquare([counts[i] for i in keep], [wanted[i] for i in keep]).pvalue > 1e-4


def test_noise_is_each_items_own() -> None:
    model = fitted(corpus(200, 3, 80, 5), 2, at_most=300)
    many = items_of(model.sample(40, Rng(7)))
    assert max(map(len, many)) > 5
    assert items_of(model.sample(3, Rng(7))) == many[:3]
    assert items_of(model.sample(15, Rng(7).at(25))) == many[25:]
    begun = model.given(Begin(torch.tensor([1, 2])), Rng(0))
    assert begun is not None
    assert items_of(begun.sample(2, Rng(7).at(8))) == items_of(begun.sample(10, Rng(7)))[8:]
    assert items_of(model.sample(0, Rng(7))) == []


def test_long_prefixes_and_long_items() -> None:
    model = fitted([tuple(corpus(1, 3, 4, s)[0]) * 40 for s in range(8)], 4, at_most=1000)
    long = torch.tensor([0, 1, 2] * 60)
    begun = model.given(Begin(long), Rng(0))
    assert begun is not None
    made = begun.sample(6, Rng(2), Ancestral(most=150))
    assert all(item[:180] == tuple(long.tolist()) and len(item) <= 330 for item in items_of(made))
    whole = model.log_prob(made)
    assert torch.allclose(whole, begun.met.log_mass + begun.log_prob(made), atol=1e-9)


def test_steps_agree_with_the_score() -> None:
    model, items = fitted(corpus(), 3), corpus(20, seed=4)
    cache, padded = model.begin(batch([()] * len(items))), batch(items).padded(3)
    padded = torch.cat([padded, torch.full((len(items), 1), 3)], 1)
    total, law = torch.zeros(len(items)).double(), model.step(cache, None)
    for t in range(padded.shape[1]):
        total += law.gather(1, padded[:, t:t + 1])[:, 0]
        law = model.step(cache, padded[:, t])
    assert torch.allclose(total, model.log_prob(batch(items)), atol=1e-12)


def test_cache_picks_and_cuts() -> None:
    model = fitted(corpus(), 3)
    cache = model.begin(batch([(0, 1), (2,)]))
    model.step(cache, torch.tensor([1, 1]))
    picked = cache.pick(torch.tensor([1, 1, 0]))
    assert torch.equal(model.step(picked, torch.tensor([0, 2, 2])).exp(), law_after(model, [(2, 1, 0), (2, 1, 2), (0, 1, 1, 2)]))
    back = cache.cut(2)
    assert torch.equal(model.step(back, None).exp(), law_after(model, [(0, 1), (2, 1)]))
    assert torch.equal(model.step(cache, None).exp(), law_after(model, [(0, 1, 1), (2, 1)]))


def test_resumed_fit_is_the_same(tmp_path: Path) -> None:
    items, switch = corpus(9000, 3, 4, 3), Switch()
    events: list[object] = []

    def stop_after_one(event: object) -> None:
        events.append(event)
        if isinstance(event, Progress):
            switch.exit_code = 130

    model = NGram(order=3).build(Many(Discrete(3), 4), Rng(0))
    with pytest.raises(Stopped):
        model.fit(Memory(batch(items)), Run(checkpoint=tmp_path / "c", switch=switch, listeners=(stop_after_one,)))
    model.fit(Memory(batch(items)), Run(checkpoint=tmp_path / "c", resume=True, listeners=(events.append,)))
    assert same(model.state(), fitted(items).state())
    assert [type(e) for e in events] == [Began, Progress, Began, Progress, Progress, Ended]


def test_ways_of_drawing() -> None:
    law = torch.tensor([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4]], dtype=torch.float64)
    kept = {how: how.logits(law.log()).exp() > 0 for how in (TopK(k=2), TopP(p=0.85), MinP(p=0.5), Ancestral(temperature=2.0))}
    assert [k.tolist() for k in kept.values()] == [
        [[False, True, True], [True, False, True]], [[False, True, True], [True, True, True]],
        [[False, True, True], [True, True, True]], [[True] * 3] * 2]
    flat = Ancestral(temperature=2.0).logits(law.log()).exp()
    assert torch.allclose(flat, law.sqrt() / law.sqrt().sum(1, keepdim=True))
    model = fitted(corpus(), 3)
    greedy = items_of(model.sample(4, Rng(0), TopK(k=1)))
    assert len(set(greedy)) == 1
    assert all(len(x) <= 2 for x in items_of(model.sample(30, Rng(0), TopP(p=0.9, most=2))))
    with pytest.raises(UsageError):
        model.sample(1, Rng(0), How())


def test_what_it_is() -> None:
    model = fitted(corpus())
    assert all(isinstance(model, protocol) for protocol in (Samples, HasLogProb, HasStatistics, Conditions, NextToken))
    for space in (Reals((2,)), Many(Reals(), 3), Many(Discrete(2), 3, ordered=False), Many(Discrete(2, (3,)), 3)):
        assert NGram.refuses(space) is not None
        with pytest.raises(UsageError):
            NGram().build(space, Rng(0))
    with pytest.raises(UsageError):
        model.statistics(Batch(Batch(torch.tensor([0])), length=torch.tensor([1]), weight=torch.tensor([2.0])))
    assert items_of(ragged(torch.tensor([[1, 2]]), torch.tensor([1]))) == [(1,)]
