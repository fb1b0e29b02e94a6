"""Laws of vector quantisation: nearest entries, k-means steps, perplexity, straight-through gradients; and that digits use the book."""
from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.distribution import Port
from ilk.errors import UsageError
from ilk.families._books import Averages, Book, Lattice, lattice_levels
from ilk.families.vqvae import VQVAE, Vqvae
from ilk.nets.grid import Grid
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Event, Noted, Run, Steps
from ilk.space import Discrete, Reals, Space
from ilk.testing import check_family

torch.set_num_threads(1)


def books() -> list[Book]:
    """Both sorts, the first one with entries of its own."""
    book = Averages(37, 5, 0.9)
    book.entries.copy_(Rng(1).normal(37, 5).float())
    return [book, Lattice(240)]


def build(space: Space, seed: int = 0, **options: object) -> Vqvae:
    body = VQVAE(**options).build(space, Rng(seed))  # type: ignore[arg-type]
    assert isinstance(body, Vqvae)
    return body


@pytest.mark.parametrize("which", [0, 1])
def test_the_index_is_the_nearest_by_brute_force(which: int) -> None:
    book = books()[which]
    v = 0.7 * Rng(2).normal(400, 3, book.width).float()
    far = (v[:, :, None].double() - book.entries.double()).square().sum(-1)
    inside = v if which == 0 else v.clamp(-1, 1)
    want = (inside[:, :, None].double() - book.entries.double()).square().sum(-1).argmin(-1)
    assert torch.equal(book.nearest(v), want)
    assert torch.equal(book.nearest(v), far.argmin(-1))  # a box is its own nearest part: clamping changes nothing


@pytest.mark.parametrize("which", [0, 1])
def test_quantising_twice_is_quantising_once(which: int) -> None:
    """Identity 11: Q(Q(z)) = Q(z); every entry is its own."""
    book = books()[which]
    passed, index, _ = book(Rng(3).normal(200, book.width).float())
    twice, again, off = book(book.entries[index])
    assert torch.equal(index, again) and torch.equal(twice, book.entries[index]) and torch.allclose(passed, twice, atol=1e-6) and float(off.max()) == 0
    assert torch.equal(book.nearest(book.entries), torch.arange(book.size))


def test_with_decay_0_an_update_is_a_step_of_k_means() -> None:
    """Identity 11, against scikit-learn's Lloyd step from the same start; entries without vectors stay."""
    book = Averages(6, 2, 0.0)
    x = Rng(4).normal(300, 2).float()
    book.entries.copy_(x[:6])
    book.entries[5] = 50.0
    start = book.entries.clone()
    book.learn(x, book.nearest(x))
    lloyd = KMeans(5, init=start[:5].numpy(), n_init=1, max_iter=1, algorithm="lloyd").fit(x.numpy())
    assert np.abs(book.entries[:5].numpy() - lloyd.cluster_centers_).max() < 1e-5 and torch.equal(book.entries[5], start[5])
    for _ in range(100):
        book.learn(x, book.nearest(x))
    settled = KMeans(5, init=start[:5].numpy(), n_init=1, max_iter=300, tol=0, algorithm="lloyd").fit(x.numpy())
    assert np.abs(book.entries[:5].numpy() - settled.cluster_centers_).max() < 1e-4


def test_averages_are_exponential() -> None:
    """Two updates with decay d by the recursion of the paper, counts and sums kept apart."""
    d, book = 0.7, Averages(3, 2, 0.7)
    book.count.copy_(torch.tensor([2.0, 1.0, 4.0]))
    counts, sums = book.count.clone(), book.entries * book.count[:, None]
    for k in range(2):
        v = Rng(k).normal(50, 2).float()
        index = book.nearest(v)
        counts = d * counts + (1 - d) * torch.bincount(index, minlength=3)
        sums = d * sums + (1 - d) * torch.stack([v[index == i].sum(0) for i in range(3)])
        book.learn(v, index)
        assert torch.allclose(book.entries, sums / counts[:, None], atol=1e-5) and torch.allclose(book.count, counts)


def test_dead_entries_begin_anew_on_vectors_of_the_batch() -> None:
    book = Averages(8, 2, 0.9)
    v = Rng(1).normal(80, 2).float()
    book.begin(v, Rng(2))
    assert all(bool((v == e).all(1).any()) for e in book.entries) and len(book.entries.unique(dim=0)) == 8
    kept = book.entries.clone()
    book.count[3] = 0.5
    book.begin(v, Rng(3))
    moved = (book.entries != kept).any(1)
    assert moved.tolist() == [i == 3 for i in range(8)] and float(book.count[3]) == 10


def test_the_gradient_goes_straight_through() -> None:
    book, v = books()[0], Rng(5).normal(9, 5).float().requires_grad_()
    weight = Rng(6).normal(9, 5).float()
    passed, index, off = book(v)
    assert torch.equal(torch.autograd.grad((passed * weight).sum(), v)[0], weight)
    assert torch.allclose(torch.autograd.grad(book(v)[2].sum(), v)[0], 2 * (v - book.entries[index]).detach(), atol=1e-6)
    assert not bool(Lattice(64)(v[:, :2])[2].any()) and bool((off > 0).all())


@pytest.mark.parametrize("most", [2, 3, 7, 15, 64, 100, 256, 1024, 65536])
def test_a_lattice_has_at_most_as_many_entries(most: int) -> None:
    levels, book = lattice_levels(most), Lattice(most)
    assert most / 2 < book.size == int(np.prod(levels)) <= most and min(levels) >= min(most, 3)
    assert len(book.entries.unique(dim=0)) == book.size and float(book.entries.abs().max()) == 1


@pytest.mark.parametrize("quantiser", ["vq", "fsq"])
def test_perplexity(quantiser: str) -> None:
    """At most the size of the book; exp of the entropy of the entries' shares."""
    body = build(Reals((4,)), book=16, slots=3, quantiser=quantiser, net=MLP(width=16))
    x = Batch(Rng(1).normal(300, 4))
    body.fit(Memory(x), Run(budget=Steps(30)))
    share = np.bincount(body.encode(x).tensor.flatten().numpy(), minlength=16) / 900
    assert body.perplexity(x) == pytest.approx(exp(-sum(p * log(p) for p in share if p)), rel=1e-9) and 1 <= body.perplexity(x) <= body.book.size
    one = Batch(torch.zeros(50, 4))
    assert body.perplexity(one) <= 3 + 1e-9


def test_the_likelihood_is_a_density() -> None:
    """Of one real number: exp(log p(x | codes)) integrates to 1 for every code, in the data's own units."""
    body = build(Reals(), book=4, slots=1, net=MLP(width=8))
    x = 100 + 7 * Rng(1).normal(200)
    body.fit(Memory(Batch(x)), Run(budget=Steps(30)))
    grid = torch.arange(0, 200, 0.01, dtype=torch.double)
    for code in range(4):
        codes = Batch(torch.full((len(grid), 1), code))
        assert float((body.log_likelihood(Batch(grid), codes).exp() * 0.01).sum()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("space", "likelihood"), [(Discrete(2, (3,)), "auto"), (Discrete(5, (3,)), "logistics"), (Discrete(5, (3,)), "categorical")])
def test_the_likelihood_is_a_mass_and_emit_follows_it(space: Discrete, likelihood: str) -> None:
    body = build(space, book=4, slots=1, likelihood=likelihood, net=MLP(width=8))
    every = torch.cartesian_prod(*[torch.arange(n) for n in space.each])
    body.fit(Memory(Batch(every.repeat(2, 1))), Run(budget=Steps(20)))
    codes = Batch(torch.full((len(every), 1), 2))
    mass = body.log_likelihood(Batch(every), codes).exp()
    assert float(mass.sum()) == pytest.approx(1, abs=1e-5)
    made = body.emit(Batch(torch.full((20_000, 1), 2)), Rng(1)).tensor
    place = space.each[0] ** torch.arange(2, -1, -1)
    seen = torch.bincount((made * place).sum(1), minlength=len(every)) / 20_000
    assert float((seen - mass).abs().max()) < 5 * (0.25 / 20_000) ** 0.5


def test_any_prior_over_codes_makes_a_bound() -> None:
    """log p(x | q(x)) + log prior(q(x)) sums over all items to at most 1, and is below the sum over codes."""
    space = Discrete(2, (6,))
    body = build(space, book=4, slots=2, net=MLP(width=16))
    every = Batch(torch.cartesian_prod(*[torch.arange(2)] * 6))
    body.fit(Memory(every), Run(budget=Steps(60)))
    codes, certain = body.infer(every, Rng(0))
    assert torch.equal(certain, torch.zeros(64).double()) and body.code_space().holds(codes)
    prior = Rng(3).normal(4, 4).flatten().log_softmax(0)
    bound = body.log_likelihood(every, codes) + prior[codes.tensor[:, 0] * 4 + codes.tensor[:, 1]]
    pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    whole = torch.stack([body.log_likelihood(every, Batch(p.expand(64, 2))) + prior[i] for i, p in enumerate(pairs)]).logsumexp(0)
    assert bool((bound <= whole + 1e-6).all()) and float(bound.exp().sum()) <= 1 + 1e-6
    assert float(whole.exp().sum()) == pytest.approx(1, abs=1e-4)


def test_in_bfloat16_the_book_learns_too() -> None:
    """The networks compute in bfloat16, the book and its averages in float32, and it is the fitted one's own book. Around the mean 2.26 is left."""
    x = Batch(1001.3 + 3 * (Rng(1).uniform(600, 1) < 0.5) * torch.ones(600, 4) + 0.1 * Rng(2).normal(600, 4))
    for precision in ("float32", "bfloat16"):
        body = build(Reals((4,)), book=4, slots=1, net=MLP(width=32))
        body.fit(Memory(x), Run(precision=precision, budget=Steps(100)))  # type: ignore[arg-type]
        left = (body.decode(body.encode(x)).tensor - x.tensor).square().mean()
        assert float(left) < 0.3 and body.book.entries.dtype == torch.float32 and float(body.book.count.sum()) > 0  # type: ignore[union-attr, operator]


@pytest.mark.parametrize(("sides", "halvings", "grid"), [((9, 13), 2, (3, 4)), ((8, 8), 0, (8, 8)), ((5, 1), 3, (1, 1))])
def test_grids_cover_pictures_of_any_sides(sides: tuple[int, int], halvings: int, grid: tuple[int, int]) -> None:
    """And a code reaches no farther than convolutions do: changing a corner leaves far codes as they are."""
    body = build(Discrete(2, (1, *sides)), halvings=halvings, net=Grid(width=8, blocks=0))
    x = (Rng(1).uniform(20, 1, *sides) < 0.5).long()
    codes = body.encode(Batch(x))
    assert body.grid == grid and tuple(codes.tensor.shape) == (20, *grid) and body.decode(codes).tensor.shape == x.shape
    other = x.clone()
    other[:, :, 0, 0] = 1 - other[:, :, 0, 0]
    flat = build(Discrete(2, sides), halvings=halvings, slots=3, net=MLP(width=8)).encode(Batch(x[:, 0])).tensor.shape[1:]
    assert tuple(flat) == (grid if min(sides) >= 8 else (3,))   # an array of 8 rows and columns at least is a picture of one channel
    if grid == (8, 8):
        assert torch.equal(body.encode(Batch(other)).tensor[:, 4:, 4:], codes.tensor[:, 4:, 4:])


@pytest.mark.parametrize("port", [Port("encode", (1, 8, 8), (4, 3, 3)), Port("decode", (4,), (1, 8, 8)), Port("denoise", (1, 8, 8), (1, 8, 8)),
                                  Port("encode", (1, 8, 8), (4, 2, 2), 3)])
def test_a_grid_says_what_it_can_not(port: Port) -> None:
    with pytest.raises(UsageError, match="Grid"):
        Grid()(port)


@pytest.mark.slow
@pytest.mark.parametrize("quantiser", ["vq", "fsq"])
def test_the_contract_holds_for_levels_of_pictures(quantiser: Any) -> None:
    check_family(VQVAE(likelihood="logistics", quantiser=quantiser, book=8, net=Grid(width=8, blocks=1)), Discrete(7, (1, 5, 3)))


def digits() -> Tensor:
    return torch.from_numpy(load_digits().images).reshape(-1, 1, 8, 8).double()


@pytest.mark.learns
@pytest.mark.slow
@pytest.mark.parametrize("quantiser", ["vq", "fsq"])
def test_digits_use_more_than_half_of_the_book(quantiser: str) -> None:
    """And the codes carry the digits: reconstructions are nearer than the mean digit by far."""
    x, said = digits(), []

    def listen(event: Event) -> None:
        if isinstance(event, Noted):
            said.append(event.text)

    body = build(Reals((1, 8, 8)), quantiser=quantiser)
    body.fit(Memory(Batch(x[:1400])), Run(budget=Steps(300), listeners=(listen,)), Memory(Batch(x[1400:1600])))
    test = Batch(x[1600:])
    assert body.perplexity(Batch(x[:1400])) > body.book.size / 2 and "perplexity" in said[-1]
    left = (body.decode(body.encode(test)).tensor - test.tensor).square().mean() / (test.tensor - x[:1400].mean(0)).square().mean()
    assert float(left) < 0.5


def test_it_is_the_code_of_a_model_and_no_model_by_itself() -> None:
    x = Rng(1).normal(200, 3).numpy()
    model = ilk.fit(x, VQVAE(book=8, slots=2), budget=Steps(10))
    with pytest.raises(UsageError, match="Samples"):
        model.sample(3)
    with pytest.raises(UsageError):
        model.score(x)
