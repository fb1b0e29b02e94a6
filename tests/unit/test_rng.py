"""Counter-based noise: any slice equals the whole, names part streams, laws are what they should be."""
from __future__ import annotations

import random  # noqa: TID251  it must stay as it was

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest

from ilk.rng import Elements, Joined, Rng, choose

torch.set_num_threads(1)
SHAPES = st.lists(st.integers(1, 5), max_size=2).map(tuple)


@settings(max_examples=80, deadline=None)
@given(st.integers(-2**70, 2**70), SHAPES, st.integers(0, 60), st.integers(0, 30))
def test_any_slice_equals_the_whole(seed: int, shape: tuple[int, ...], first: int, rows: int) -> None:
    rng = Rng(seed).child("x")
    whole = rng.uniform(90, *shape)
    assert torch.equal(rng.at(first).uniform(rows, *shape), whole[first:first + rows])
    assert torch.equal(rng.normal(rows, *shape), rng.normal(90, *shape)[:rows])
    assert torch.equal(rng.at(first).at(3).uniform(rows, *shape), rng.at(first + 3).uniform(rows, *shape))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=5) | st.integers(0, 99), max_size=3), st.lists(st.text(max_size=5) | st.integers(0, 99), max_size=3))
def test_streams_part_by_name(one: list[str | int], other: list[str | int]) -> None:
    a, b = Rng(1).child(*one), Rng(1).child(*other)
    assert torch.equal(a.uniform(3), b.uniform(3)) == (list(map(str, one)) == list(map(str, other)))
    assert a.key() == Rng(1).child(*one).key() < 2**128


def test_names_do_not_run_together() -> None:
    keys = [Rng(1).child(*names).key() for names in (("ab",), ("a", "b"), ("a", "", "b"), (), ("",), ("2:ab",), (1, 2), (12,))]
    assert len(set(keys)) == len(keys) and Rng(12).key() != Rng(1).child(2).key() and Rng(-1).key() != Rng(1).key()


@pytest.mark.parametrize("kind", ["single", "coarse"])
@settings(max_examples=30, deadline=None)
@given(shape=SHAPES, first=st.integers(0, 60), rows=st.integers(0, 30))
def test_float32_noise_is_sliced_alike(kind: str, shape: tuple[int, ...], first: int, rows: int) -> None:
    rng = Rng(3).child("s")
    assert torch.equal(getattr(rng.at(first), kind)(rows, *shape), getattr(rng, kind)(90, *shape)[first:first + rows])


@pytest.mark.parametrize("kind", ["single", "coarse"])
def test_float32_noise_is_uniform(kind: str) -> None:
    u = getattr(Rng(3).child("s"), kind)(20_000, 5)
    assert u.dtype == torch.float32 and float(u.min()) >= 0 and float(u.max()) < 1 and len(u[:, 0].unique()) > 15_000
    assert all(kstest(u[:, i].numpy(), "uniform").pvalue > 1e-4 for i in range(5)) and float(torch.corrcoef(u.T).fill_diagonal_(0).abs().max()) < 5 / 20_000**0.5


def test_a_long_way_ahead_costs_nothing() -> None:
    assert Rng(1).at(10**15).uniform(2, 3).shape == (2, 3)
    assert not torch.equal(Rng(1).at(10**15).uniform(2, 3), Rng(1).uniform(2, 3))


def test_laws() -> None:
    n = 100_000
    u, z = Rng(4).child("u").uniform(n), Rng(4).child("z").normal(n)
    assert kstest(u.numpy(), "uniform").pvalue > 1e-3 and kstest(z.numpy(), "norm").pvalue > 1e-3
    assert float(u.min()) > 0 and float(u.max()) < 1 and bool(z.isfinite().all()) and u.dtype == z.dtype == torch.double
    assert chisquare(torch.bincount(Rng(4).integers(n, 7)).numpy()).pvalue > 1e-3
    wide = Rng(4).child("w").uniform(2000, 50)
    assert abs(float(torch.corrcoef(wide.T).fill_diagonal_(0).abs().max())) < 5 / 2000**0.5
    assert abs(float(np.corrcoef(u[:-1], u[1:])[0, 1])) < 4 / n**0.5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-700, 50) | st.just(-float("inf")), min_size=1, max_size=6), st.integers(0, 99))
def test_choose_never_takes_what_weighs_nothing(weights: list[float], seed: int) -> None:
    law = torch.tensor(weights, dtype=torch.double)
    if not bool((law > -torch.inf).any()):
        return
    u = torch.cat([Rng(seed).uniform(50), torch.tensor([1e-300, 2.0**-53, 1 - 2.0**-52, 1 - 2.0**-53], dtype=torch.double)])
    one, many = choose(law, u), choose(law.expand(len(u), -1), u)
    assert torch.equal(one, many)
    assert bool((law[one] > -torch.inf).all())


def test_choose_follows_the_weights() -> None:
    p = np.array([0.1, 0.0, 0.6, 0.3])
    seen = torch.bincount(Rng(2).pick(torch.tensor(p).log(), 50_000), minlength=4).numpy()
    assert seen[1] == 0 and chisquare(seen[[0, 2, 3]], 50_000 * p[[0, 2, 3]]).pvalue > 1e-3


def test_shuffle_is_a_permutation() -> None:
    found = Rng(3).shuffle(1000)
    assert found.sort().values.tolist() == list(range(1000)) and not torch.equal(found, torch.arange(1000)) and len(Rng(3).shuffle(0)) == 0


def test_global_generators_are_put_back() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
    Rng(1).uniform(3), Rng(1).normal(3), Rng(1).shuffle(9), Rng(1).pick(torch.zeros(3), 4)
    with Rng(1).as_global():
        one = torch.randn(3)
    with Rng(1).as_global():
        assert torch.equal(torch.randn(3), one)
    with pytest.raises(RuntimeError, match="inside"), Rng(2).as_global():
        torch.randn(3)
        raise RuntimeError("inside")
    assert torch.equal(before[0], torch.get_rng_state()) and before[1] == np.random.get_state()[1].tolist() and before[2] == random.getstate()  # type: ignore[index]


def test_known_numbers_stay() -> None:
    """A change here changes every model that was ever seeded."""
    assert Rng(7).child("init").key() == int.from_bytes(__import__("hashlib").blake2b(b"1:74:init", digest_size=16).digest(), "big")
    bits = np.random.Philox(key=Rng(7).key()).random_raw(4)
    assert Rng(7).uniform(1, 4).tolist()[0] == [((int(b) >> 12) + 0.5) * 2.0**-52 for b in bits]


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=5), st.integers(1, 9), st.data())
def test_joined_streams_give_every_row_what_it_would_get_apart(parts: list[tuple[int, int, int]], width: int, data: st.DataObject) -> None:
    some = [(Rng(seed).at(first), rows) for seed, rows, first in parts]
    whole = torch.cat([rng.child("a", 3).uniform(rows, width) for rng, rows in some])
    both = Joined.of(some).child("a", 3)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    assert torch.equal(both.at(start).uniform(end - start, width), whole[start:end])
    middle = data.draw(st.integers(0, start))
    assert torch.equal(both.at(middle).at(start - middle).uniform(end - start, width), whole[start:end])


def test_elements_of_joined_streams() -> None:
    row, place = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 17, 3, 1, 40])
    both = Elements.of(Joined.of([(Rng(1), 1), (Rng(2), 2)]).child("x"), row, place).uniform(5, 2)
    one, two = Elements.of(Rng(1).child("x"), row[:2], place[:2]).uniform(2, 2), Elements.of(Rng(2).child("x"), row[2:] - 1, place[2:]).uniform(3, 2)
    assert torch.equal(both, torch.cat([one, two]))


def test_no_rows_beyond_the_last_stream() -> None:
    with pytest.raises(IndexError):
        Joined.of([(Rng(1), 2)]).uniform(3)
