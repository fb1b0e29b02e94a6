"""Laws of Gaussian mixtures: closed forms, sklearn at equal parameters, scipy for what is missing, kept or bounded."""
from __future__ import annotations

from math import inf, log, pi
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import ks_2samp, kstest, multivariate_normal, norm, truncnorm
from sklearn.datasets import load_iris
from sklearn.mixture import GaussianMixture

from ilk.batch import Batch, Memory
from ilk.families.gmm import GMM
from ilk.families.gmm import GaussianMixture as Mixture
from ilk.given import Evidence, Fix, Parts, Presence, Weigh, Within
from ilk.rng import Rng
from ilk.run import Progress, Run, Steps
from ilk.space import Discrete, Maybe, Reals, Row
from ilk.store import State

torch.set_num_threads(1)
IRIS = torch.from_numpy(load_iris().data).double()
KINDS = ["full", "tied", "diag", "spherical"]


def fitted(x: Batch, space: Any, **options: Any) -> Mixture:
    model = GMM(**options).build(space, Rng(0))
    assert isinstance(model, Mixture)
    model.fit(Memory(x), Run(seed=1))
    return model


def of(weights: Any, means: Any, covs: Any, center: Any = 0.0, scale: Any = 1.0) -> Mixture:
    """A mixture with these parameters in raw units, seen through some centre and scale."""
    means, covs = np.asarray(means, float), np.asarray(covs, float)
    d = means.shape[1]
    model = GMM(components=len(means)).build(Reals((d,)), Rng(0))
    assert isinstance(model, Mixture)
    c, s = np.broadcast_to(np.asarray(center, float), d), np.broadcast_to(np.asarray(scale, float), d)
    t = {"log_weight": np.log(weights), "mean": (means - c) / s, "cov": covs / np.outer(s, s), "center": c, "scale": s,
         "log_there": np.zeros((len(means), 0)), "log_gone": np.zeros((len(means), 0))}
    model.restore(State({k: torch.from_numpy(np.array(v)) for k, v in t.items()}))
    return model


def random_mixture(seed: int, d: int = 3, k: int = 3) -> tuple[Mixture, np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    g = np.random.Generator(np.random.Philox(key=seed))
    roots = g.normal(size=(k, d, d))
    w, m, c = g.dirichlet(np.ones(k)), g.normal(size=(k, d)) * 2, roots @ roots.transpose(0, 2, 1) + 0.3 * np.eye(d)
    return of(w, m, c, g.normal(size=d), g.uniform(0.5, 3, d)), w, m, c


def test_one_component_is_the_gaussian_of_the_data() -> None:
    """LL = -n/2 (d log 2 pi + log |S| + d), S the biased covariance."""
    x = IRIS.numpy()
    n, d = x.shape
    want = -n / 2 * (d * log(2 * pi) + np.linalg.slogdet(np.cov(x.T, bias=True))[1] + d)
    assert want == pytest.approx(-379.91463012, abs=1e-7)
    for ridge, near in ((0.0, 1e-8), (1e-6, 1e-3)):
        model = fitted(Batch(IRIS), Reals((4,)), components=1, ridge=ridge)
        assert float(model.log_prob(Batch(IRIS)).sum()) == pytest.approx(want, abs=near)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_parameters_equal_sklearn(kind: Any) -> None:
    sk = GaussianMixture(3, covariance_type=kind, random_state=0, reg_covar=1e-6).fit(IRIS.numpy())
    model = GMM(components=3, covariance=kind).build(Reals((4,)), Rng(0))
    assert isinstance(model, Mixture)
    covs = {"full": sk.covariances_, "tied": np.repeat(sk.covariances_[None], 3, 0) if kind == "tied" else 0,
            "diag": sk.covariances_, "spherical": np.repeat(np.reshape(sk.covariances_, (-1, 1))[:3], 4, 1) if kind == "spherical" else 0}[kind]
    t = {"log_weight": np.log(sk.weights_), "mean": sk.means_, "cov": covs, "center": np.zeros(4), "scale": np.ones(4), "log_there": np.zeros((3, 0)),
        "log_gone": np.zeros((3, 0))}
    model.restore(State({k: torch.from_numpy(np.array(v)) for k, v in t.items()}))
    assert np.abs(model.log_prob(Batch(IRIS)).numpy() - sk.score_samples(IRIS.numpy())).max() <= 1e-8
    assert model.bic(Memory(Batch(IRIS))) == pytest.approx(sk.bic(IRIS.numpy()), abs=1e-6)


@pytest.mark.parametrize(("k", "bic"), [(2, 574.0178), (3, 580.8389)])
def test_bic_of_iris(k: int, bic: float) -> None:
    """-2 LL + p log n with p = K - 1 + K d + K d (d + 1) / 2; our best of a few starts is no worse than sklearn's."""
    found = []
    for seed in range(3):
        model = GMM(components=k, tolerance=1e-9, rounds=500, ridge=1e-9).build(Reals((4,)), Rng(0))
        assert isinstance(model, Mixture)
        model.fit(Memory(Batch(IRIS)), Run(seed=seed))
        assert model.parameters() == k - 1 + 4 * k + 10 * k
        nats = float(model.log_prob(Batch(IRIS)).sum())
        assert model.bic(Memory(Batch(IRIS))) == pytest.approx(-2 * nats + model.parameters() * log(150), abs=1e-9)
        found.append(model.bic(Memory(Batch(IRIS))))
    assert min(found) < bic + 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_every_round_lifts_the_likelihood(kind: Any) -> None:
    told: list[float] = []

    def listen(event: Any) -> None:
        if isinstance(event, Progress) and event.loss is not None:
            told.append(-event.loss)

    model = GMM(components=4, covariance=kind, ridge=0.0, tolerance=0.0).build(Reals((4,)), Rng(0))
    model.fit(Memory(Batch(IRIS)), Run(seed=3, budget=Steps(40), listeners=(listen,)))
    assert len(told) > 10 and all(b >= a - 1e-10 for a, b in zip(told, told[1:], strict=False))


def holes(seed: int, n: int = 300) -> tuple[Batch, Row, np.ndarray[Any, Any]]:
    """Three correlated numbers, each missing in a fifth of the rows, as three parts of a Row."""
    g = np.random.Generator(np.random.Philox(key=seed))
    x = g.multivariate_normal([1, -2, 0.5], [[2, 1, 0.3], [1, 1.5, -0.2], [0.3, -0.2, 0.7]], n)
    x[g.random((n, 3)) < 0.2] = np.nan
    seen = ~np.isnan(x)
    parts = {f"x{j}": Batch(torch.from_numpy(np.where(seen[:, j], x[:, j], 1e9)), torch.from_numpy(seen[:, j])) for j in range(3)}
    return Batch(parts), Row({name: Maybe(Reals()) for name in parts}), x


def raw(model: Mixture) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    s = model.scale.numpy()
    return model.law.log_weight.exp().numpy(), model.law.gauss.mean.numpy() * s + model.center.numpy(), model.law.gauss.cov.numpy() * np.outer(s, s)


@pytest.mark.parametrize("k", [1, 2])
def test_missing_cells_are_marginalised_to_the_last_digit(k: int) -> None:
    _check_marginal(k, 1e-10)


@pytest.mark.parametrize("k", [1, 2])
def test_missing_cells_are_marginalised(k: int) -> None:
    """log p(row) = log of the sum over components of weight x presence x N(observed sub-block)."""
    _check_marginal(k, 1e-6)


def _check_marginal(k: int, near: float) -> None:
    batch, space, x = holes(0)
    model = fitted(batch, space, components=k)
    w, m, c = raw(model)
    there = model.law.log_there.exp().numpy()
    want = []
    for row in x:
        seen = ~np.isnan(row)
        each = [log(w[j]) + (np.log(np.where(seen, there[j], 1 - there[j]))).sum()
                + (multivariate_normal.logpdf(row[seen], m[j][seen], c[j][np.ix_(seen, seen)]) if seen.any() else 0.0) for j in range(k)]
        want.append(logsumexp(each))
    assert np.abs(model.log_prob(batch).numpy() - want).max() < near


def test_em_with_missing_cells_maximises_the_marginal_likelihood() -> None:
    """Against a general optimiser on the likelihood of what was observed; and it is not that of complete rows alone."""
    batch, space, x = holes(1, 60)
    model = fitted(batch, space, components=1, ridge=0.0, tolerance=0.0, rounds=400)
    _, m, c = raw(model)

    def loss(theta: Any) -> float:
        root = np.zeros((3, 3))
        root[np.tril_indices(3)] = theta[3:]
        cov = root @ root.T + 1e-12 * np.eye(3)
        return -float(sum(multivariate_normal.logpdf(row[s], theta[:3][s], cov[np.ix_(s, s)]) for row in x if (s := ~np.isnan(row)).any()))

    start = np.concatenate([m[0], np.linalg.cholesky(c[0])[np.tril_indices(3)]])
    found = minimize(loss, start, method="BFGS", options={"maxiter": 8})
    assert loss(start) - found.fun < 1e-4 and np.abs(found.x - start).max() < 1e-2
    whole = x[~np.isnan(x).any(1)]
    assert np.abs(whole.mean(0) - m[0]).max() > 1e-3


def test_shards_add_up_to_the_whole() -> None:
    batch, space, _ = holes(2)
    model = fitted(batch, space, components=3)
    whole = model.statistics(batch)
    parts = [model.statistics(batch.cut(a, b)) for a, b in ((0, 1), (1, 120), (120, 300))]
    summed = model.add(model.add(parts[0], parts[1]), parts[2])
    for name, tensor in whole.tensors.items():
        assert torch.allclose(tensor, summed.tensors[name], rtol=1e-9, atol=1e-9), name


def test_weights_are_repeats() -> None:
    """An item of weight 3 counts as three items."""
    x = IRIS[:60]
    times = (Rng(1).uniform(60) * 4).long()
    model = fitted(Batch(IRIS), Reals((4,)), components=2)
    a = model.statistics(Batch(x, weight=times.double()))
    b = model.statistics(Batch(x.repeat_interleave(times, 0)))
    for name in ("nats", "count", "first", "second"):
        assert torch.allclose(a.tensors[name], b.tensors[name], rtol=1e-9), name


def test_weighted_items_are_counted_by_weight() -> None:
    model = fitted(Batch(IRIS), Reals((4,)), components=2)
    a = model.statistics(Batch(IRIS[:10], weight=torch.full((10,), 3.0).double()))
    assert float(a.tensors["items"]) == 30


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sets(st.integers(0, 3), min_size=1, max_size=3))
def test_a_kept_number_gives_the_conditional_gaussian(seed: int, kept: set[int]) -> None:
    """Mean m_u + C_uo C_oo^-1 (v - m_o), covariance C_uu - C_uo C_oo^-1 C_ou, weights by N(v; m_o, C_oo)."""
    model, w, m, c = random_mixture(seed, 4, 3)
    o, u = sorted(kept), [i for i in range(4) if i not in kept]
    v = np.random.Generator(np.random.Philox(key=seed + 1)).normal(size=len(o))
    found = model.given(Fix(dict(zip(o, v.tolist(), strict=True))), Rng(0))
    assert found is not None and found.met.sort == "exact"
    logs = np.log(w) + [multivariate_normal.logpdf(v, m[j][o], c[j][np.ix_(o, o)]) for j in range(3)]
    assert found.met.log_mass == pytest.approx(logsumexp(logs), abs=1e-8)
    s = model.scale.numpy()[u]
    for j in range(3):
        gain = c[j][np.ix_(u, o)] @ np.linalg.inv(c[j][np.ix_(o, o)])
        assert np.allclose(found.free.mean[j].numpy() * s + model.center.numpy()[u], m[j][u] + gain @ (v - m[j][o]), atol=1e-8)
        assert np.allclose(found.free.cov[j].numpy() * np.outer(s, s), c[j][np.ix_(u, u)] - gain @ c[j][np.ix_(o, u)], atol=1e-8)
    made = found.sample(50, Rng(1)).tensor
    assert np.allclose(made[:, o], v, atol=1e-12) and torch.allclose(found.log_prob(Batch(made)), model.log_prob(Batch(made)) - found.met.log_mass, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 2), st.sampled_from([(-inf, 0.0), (-1.0, 2.5), (0.3, 0.4), (6.0, inf), (-inf, inf), (-30.0, -20.0)]))
def test_the_mass_of_a_range_is_a_normal_distribution_function(seed: int, i: int, span: tuple[float, float]) -> None:
    model, w, m, c = random_mixture(seed)
    found = model.given(Within({i: span}), Rng(0))
    assert found is not None
    low, high = span
    sd = np.sqrt(c[:, i, i])
    a, b = (low - m[:, i]) / sd, (high - m[:, i]) / sd
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    want = float(logsumexp(np.log(w) + norm.logcdf(b) + np.log1p(-np.exp(np.minimum(norm.logcdf(a) - norm.logcdf(b), 0)))))
    assert found.met.log_mass == pytest.approx(want, rel=1e-6, abs=1e-8)
    made = found.sample(100, Rng(1)).tensor[:, i]
    assert float(made.min()) >= low - 1e-9 and float(made.max()) <= high + 1e-9


def test_samples_in_a_range_are_truncated_normal() -> None:
    model = of([1.0], [[0.5, 1.0]], [[[2.0, 0.8], [0.8, 1.0]]], 3.0, 2.0)
    found = model.given(Within({0: (1.0, 4.0)}), Rng(0))
    assert found is not None
    x = found.sample(20_000, Rng(2)).tensor.numpy()
    assert kstest(x[:, 0], truncnorm((1 - 0.5) / 2**0.5, (4 - 0.5) / 2**0.5, 0.5, 2**0.5).cdf).pvalue > 1e-4
    rest = (x[:, 1] - 1.0 - 0.8 / 2 * (x[:, 0] - 0.5)) / (1 - 0.8**2 / 2) ** 0.5
    assert kstest(rest, "norm").pvalue > 1e-4 and abs(np.corrcoef(rest, x[:, 0])[0, 1]) < 4 / len(x) ** 0.5


def test_several_ranges_of_a_diagonal_mixture_are_a_product() -> None:
    model = fitted(Batch(IRIS), Reals((4,)), components=2, covariance="diag")
    box = Within({0: (5.0, 6.5), 2: (-inf, 4.0)})
    found = model.given(box, Rng(0))
    assert found is not None
    w, m = model.law.log_weight.exp().numpy(), (model.law.gauss.mean * model.scale + model.center).numpy()
    sd = (model.law.gauss.cov.sqrt() * model.scale).numpy()
    p = [(norm.cdf(b, m[:, i], sd[:, i]) - norm.cdf(a, m[:, i], sd[:, i])) for i, (a, b) in box.ranges.items()]
    assert np.exp(found.met.log_mass) == pytest.approx(float((w * p[0] * p[1]).sum()), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_box_of_correlated_numbers_is_declined_or_near_the_multivariate_normal(seed: int) -> None:
    """Its mass by Genz's algorithm in scipy; its samples are inside, and an estimate says that it is one."""
    model, w, m, c = random_mixture(seed)
    box = {0: (-1.0, 2.0), 2: (-inf, 1.0)}
    found = model.given(Within(box), Rng(0))
    if found is None:
        return
    ends = list(box)
    low, high = (np.array([r[e] for r in box.values()]) for e in (0, 1))
    want = log(sum(w[j] * multivariate_normal.cdf(high, m[j][ends], c[j][np.ix_(ends, ends)], lower_limit=low) for j in range(3)))
    assert found.met.sort == "estimate" and found.met.ess is not None and found.met.ess > 30
    assert abs(found.met.log_mass - want) < 5 * found.met.log_mass_error + 1e-4
    x = found.sample(4000, Rng(1)).tensor.numpy()
    assert all((x[:, i] >= a - 1e-9).all() and (x[:, i] <= b + 1e-9).all() for i, (a, b) in box.items())
    free = model.sample(200_000, Rng(2)).tensor.numpy()
    free = free[np.logical_and.reduce([(free[:, i] >= a) & (free[:, i] <= b) for i, (a, b) in box.items()])]
    for i in range(3):
        assert ks_2samp(x[:, i], free[:20_000, i]).pvalue > 1e-4


def test_parts_of_every_sort_together() -> None:
    """A category, a kept number and a missing cell: components are weighed by all of them."""
    g = Rng(3)
    n = 800
    side = g.uniform(n) < 0.4
    space = Row({"c": Discrete(3), "x": Reals((2,)), "m": Maybe(Reals())})
    batch = Batch({"c": Batch((side + g.child("c").integers(n, 2)).long()), "x": Batch(g.child("x").normal(n, 2) + 2 * side[:, None]),
                   "m": Batch(g.child("m").normal(n) - side.double(), g.child("there").uniform(n) < 0.3 + 0.5 * side)})
    model = fitted(batch, space, components=2)
    said: dict[str, Evidence] = {"c": Weigh({0: torch.tensor([0.0, -1.0, -inf]).double()}), "x": Fix({1: 0.7}), "m": Presence(-inf, 0.0)}
    found = model.given(Parts(said), Rng(0))
    assert found is not None
    w, m, c = raw(model)
    table = model.law.tables[0].exp().numpy()
    logs = [log(w[j]) + log(table[j] @ np.exp([0, -1, -inf])) + norm.logpdf(0.7, m[j][1], c[j][1, 1] ** 0.5) + float(model.law.log_gone[j, 0]) for j in range(2)]
    assert found.met.log_mass == pytest.approx(logsumexp(logs), abs=1e-9)


@pytest.mark.parametrize("n", [0, 1, 7])
def test_far_away_and_few(n: int) -> None:
    """Numbers of huge size and offset lose nothing to rounding; no items give no numbers."""
    x = 1e9 + 1e-3 * Rng(1).normal(500, 2)
    model = fitted(Batch(x), Reals((2,)), components=1, ridge=0.0)
    want = multivariate_normal.logpdf((x - 1e9).numpy(), (x - 1e9).mean(0).numpy(), np.cov((x - 1e9).numpy().T, bias=True))
    assert np.abs(model.log_prob(Batch(x)).numpy() - want).max() < 1e-3
    assert model.log_prob(Batch(x[:n])).shape == (n,) and len(model.sample(n, Rng(0))) == n


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_fewer_items_than_numbers_beat_independent_ones(kind: Any) -> None:
    d = 60
    root = torch.linalg.cholesky(0.7 ** (torch.arange(d)[:, None] - torch.arange(d)).abs().double())
    x, held = Batch(Rng(1).normal(30, d) @ root.T), Batch(Rng(2).normal(500, d) @ root.T)

    def nats(covariance: Any) -> float:
        model = GMM(components=1, covariance=covariance).build(Reals((d,)), Rng(0))
        model.fit(Memory(x), Run(seed=1))
        return float(model.log_prob(held).mean())

    assert nats(kind) > nats("diag") + 4
