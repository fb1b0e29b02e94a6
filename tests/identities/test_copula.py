"""Gaussian copulas against SciPy: densities, conditionals, masses of boxes; planted correlations and margins found again."""
from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import expon, kstest, lognorm, multivariate_normal, norm

import ilk
from ilk.batch import Batch, Memory
from ilk.errors import ModelError
from ilk.families._margins import Margin, edges
from ilk.families.copula import Copula, Joined, JoinedBound, JoinedExact
from ilk.given import Fix, Within
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Maybe, Reals, Row
from ilk.store import State

torch.set_num_threads(1)
R = torch.tensor([[1.0, 0.7, -0.4], [0.7, 1.0, 0.1], [-0.4, 0.1, 1.0]]).double()


def normals(n: int, seed: int = 0, corr: torch.Tensor = R) -> torch.Tensor:
    return Rng(seed).normal(n, len(corr)) @ torch.linalg.cholesky(corr).T


def skewed(z: torch.Tensor) -> torch.Tensor:
    """Three margins: normal, lognormal, exponential."""
    u = torch.special.ndtr(z[:, 2])
    return torch.stack([3 + 2 * z[:, 0], (0.8 * z[:, 1]).exp(), -(1 - u).clamp_min(1e-16).log() / 2], 1)


def fitted(batch: Batch, space: Any, **options: Any) -> Any:
    body = Copula(**options).build(space, Rng(0))
    body.fit(Memory(batch), Run(seed=1))
    return body


def test_margins_are_laws_and_scores_go_there_and_back() -> None:
    x = torch.cat([Rng(1).normal(700), 4 + 0.2 * Rng(2).normal(300)])
    margin = Margin.learned(x)
    assert len(margin.mean) > 4
    total = quad(lambda v: float(margin.log_density(torch.tensor([v]).double()).exp()), -12, 12, points=[0, 4], limit=400)[0]
    assert total == pytest.approx(1.0, abs=1e-7)
    want = norm.ppf(norm.cdf(x.numpy()[:, None], margin.mean.numpy(), margin.spread.numpy()).mean(1))
    assert np.abs(margin.score(x).numpy() - want).max() < 1e-7
    z = torch.linspace(-9, 9, 301).double()
    assert float((margin.score(margin.number(z)) - z).abs().max()) < 1e-8
    far = torch.tensor([-30.0, 40.0]).double()   # where a probability is no longer told from 0 or 1
    assert bool(margin.score(far).isfinite().all()) and bool(margin.log_density(far).isfinite().all())


@pytest.mark.parametrize(("draw", "true"), [(lambda n, s: Rng(s).normal(n), norm()), (lambda n, s: (0.8 * Rng(s).normal(n)).exp(), lognorm(0.8)),
                                           (lambda n, s: -Rng(s).uniform(n).log(), expon())])
def test_margins_come_near_the_truth(draw: Any, true: Any) -> None:
    """Within 0.04 nats of the planted density on held-out numbers, and not above it by more than noise."""
    test = draw(4000, 7)
    gap = float((torch.from_numpy(true.logpdf(test.numpy())) - Margin.learned(draw(4000, 3)).log_density(test)).mean())
    assert -0.01 < gap < 0.06


def test_a_constant_column_is_no_accident() -> None:
    margin = Margin.learned(torch.full((50,), 7.0).double())
    assert bool(margin.spread.min() > 0) and float(margin.number(torch.zeros(1).double())) == pytest.approx(7.0, abs=1e-5)


def test_the_density_is_the_copula_times_its_margins() -> None:
    x = skewed(normals(800))
    body = fitted(Batch(x), Reals((3,)))
    assert isinstance(body, JoinedExact)
    z = np.stack([m.score(x[:, j]).numpy() for j, m in enumerate(body.margins)], 1)
    alone = sum(m.log_density(x[:, j]).numpy() for j, m in enumerate(body.margins))
    want = multivariate_normal(np.zeros(3), body.correlation.numpy()).logpdf(z) - norm.logpdf(z).sum(1) + alone
    assert np.abs(body.log_prob(Batch(x)).numpy() - want).max() < 1e-9


def test_planted_correlations_and_margins_are_found() -> None:
    """Within 0.1 nats of the true density, where one Gaussian is far behind."""
    body, test = fitted(Batch(skewed(normals(4000))), Reals((3,))), normals(4000, seed=5)
    x = skewed(test)
    assert float((body.correlation - R).abs().max()) < 0.04
    truth = multivariate_normal(np.zeros(3), R.numpy()).logpdf(test.numpy()) - norm.logpdf(test.numpy()).sum(1)
    truth = truth + norm(3, 2).logpdf(x[:, 0]) + lognorm(0.8).logpdf(x[:, 1]) + expon(scale=0.5).logpdf(x[:, 2])
    gap = float((torch.from_numpy(np.asarray(truth)) - body.log_prob(Batch(x))).mean())
    plain = ilk.GMM(components=1).build(Reals((3,)), Rng(0))
    plain.fit(Memory(Batch(skewed(normals(4000)))), Run())
    assert -0.01 < gap < 0.12 and float((body.log_prob(Batch(x)) - plain.log_prob(Batch(x))).mean()) > 0.3  # type: ignore[attr-defined]


def test_kept_numbers_by_quadrature() -> None:
    """p(x1 | x0 = v) = p(v, x1) / integral, and samples follow it."""
    body = fitted(Batch(skewed(normals(800))[:, :2]), Reals((2,)))
    found = body.given(Fix({0: 4.5}), Rng(0))
    at = torch.linspace(0.0, 25.0, 20_001).double()
    joint = body.log_prob(Batch(torch.stack([torch.full_like(at, 4.5), at], 1))).exp().numpy()
    low = torch.linspace(-5.0, 0.0, 2001).double()
    below = body.log_prob(Batch(torch.stack([torch.full_like(low, 4.5), low], 1))).exp().numpy()
    mass = np.trapezoid(joint, at.numpy()) + np.trapezoid(below, low.numpy())
    assert found.met.sort == "exact" and found.met.log_mass == pytest.approx(np.log(mass), abs=1e-4)
    made = found.sample(4000, Rng(3)).tensor.numpy()
    assert (made[:, 0] == 4.5).all()
    cdf = np.concatenate([[0], np.cumsum((joint[1:] + joint[:-1]) / 2 * np.diff(at.numpy()))]) + np.trapezoid(below, low.numpy())
    assert kstest(made[:, 1], lambda v: np.interp(v, at.numpy(), cdf / mass)).pvalue > 1e-3


def test_ranges_keep_to_their_ends() -> None:
    body = fitted(Batch(skewed(normals(800))), Reals((3,)))
    one, two = body.given(Within({1: (2.0, inf)}), Rng(0)), body.given(Within({1: (2.0, 3.0), 0: (-inf, 2.0)}), Rng(0))
    assert (one.met.sort, two.met.sort) == ("exact", "estimate")
    drawn = body.sample(100_000, Rng(2)).tensor
    assert one.met.log_mass == pytest.approx(float((drawn[:, 1] >= 2).double().mean().log()), abs=0.03)
    inside = ((drawn[:, 1] >= 2) & (drawn[:, 1] <= 3) & (drawn[:, 0] <= 2)).double().mean()
    assert two.met.log_mass == pytest.approx(float(inside.log()), abs=0.15)
    made = two.sample(500, Rng(4)).tensor
    assert bool(((made[:, 1] >= 2) & (made[:, 1] <= 3) & (made[:, 0] <= 2)).all())


PAIR = Row({"a": Discrete(2), "b": Discrete(3)})


def cut(z: torch.Tensor) -> Batch:
    return Batch({"a": Batch((z[:, 0] > 0.3).long()), "b": Batch((z[:, 1] > -0.5).long() + (z[:, 1] > 0.8).long())})


def test_scores_of_whole_numbers_have_the_correlation_that_was_planted() -> None:
    """The polychoric correlation, not the smaller one of jittered ranks; margins are the shares."""
    corr = torch.tensor([[1.0, 0.7], [0.7, 1.0]]).double()
    batch = cut(normals(6000, corr=corr))
    body = fitted(batch, PAIR)
    assert isinstance(body, JoinedBound) and float(body.correlation[0, 1]) == pytest.approx(0.7, abs=0.05)
    made = body.sample(20_000, Rng(1))
    real = cut(normals(200_000, seed=3, corr=corr))
    for a in range(2):
        for b in range(3):
            here, there = (float(((x.parts["a"].tensor == a) & (x.parts["b"].tensor == b)).double().mean()) for x in (made, real))
            assert here == pytest.approx(there, abs=0.02)


def test_masses_of_boxes_by_scipy_lie_above_the_bound_and_near_it() -> None:
    body: Joined = fitted(cut(normals(3000, corr=R[:2, :2])), PAIR, draws=400)
    law = multivariate_normal(np.zeros(2), body.correlation.numpy())
    ends = [np.clip(e.numpy(), -12, 12) for e in body.edges]
    every = Batch({"a": Batch(torch.arange(2).repeat_interleave(3)), "b": Batch(torch.arange(3).repeat(2))})
    want = []
    for a, b in zip(every.parts["a"].tensor.tolist(), every.parts["b"].tensor.tolist(), strict=True):
        corner = {(i, j): law.cdf([ends[0][a + i], ends[1][b + j]]) for i in (0, 1) for j in (0, 1)}
        want.append(corner[1, 1] - corner[0, 1] - corner[1, 0] + corner[0, 0])
    assert isinstance(body, JoinedBound) and sum(want) == pytest.approx(1.0, abs=1e-6)
    found = torch.stack([body.log_prob_bound(every, Rng(s)) for s in range(16)])
    gap, error = torch.tensor(want).log() - found.mean(0), found.std(0) / 4
    assert bool((error < 0.03).all()) and bool((gap.abs() < 5 * error + 0.001).all())


def test_values_that_are_missing_cost_nothing_and_lean_on_what_is_there() -> None:
    z = normals(5000, corr=R[:2, :2])
    seen = z[:, 0] + 0.5 * Rng(8).normal(5000) < 0.5   # the larger x, the more often y is missing
    space = Row({"x": Reals(), "y": Maybe(Reals())})
    body = fitted(Batch({"x": Batch(z[:, 0].clone()), "y": Batch(z[:, 1].where(seen, 77.0), seen)}), space)
    assert float(body.correlation[0, 1]) > 0.45 and float(body.correlation[0, 2]) == pytest.approx(-0.9, abs=0.08)
    made = body.sample(5000, Rng(2))
    there = made.parts["y"].seen
    assert there is not None and float(there.double().mean()) == pytest.approx(float(seen.double().mean()), abs=0.03)
    assert float(made.parts["x"].tensor[there].mean()) == pytest.approx(float(z[seen, 0].mean()), abs=0.08)


def test_strange_states_are_refused() -> None:
    body = fitted(Batch(skewed(normals(200))), Reals((3,)))
    for strange in (-torch.ones(3, 3).double(), torch.full((3, 3), torch.nan).double(), torch.ones(3, 3).double()):
        with pytest.raises(ModelError):
            Copula().build(Reals((3,)), Rng(0)).restore(State({**body.state().tensors, "correlation": strange}))


def test_edges_of_masses() -> None:
    assert np.allclose(edges(torch.tensor([0.25, 0.5, 0.25]).double().log()).numpy(), [-inf, norm.ppf(0.25), norm.ppf(0.75), inf])


def test_tables_in_raw_units() -> None:
    z = normals(1500).numpy()
    rows = pl.DataFrame({"paid": np.exp(z[:, 0]), "kind": np.where(z[:, 1] > 0, "a", "b"), "age": np.round(40 + 10 * z[:, 2]).astype(int)})
    model = ilk.fit(rows, Copula(), seed=1)
    assert model.score(rows).sort == "bound"
    made = model.sample(3000, seed=2)
    assert float((made["kind"] == "a").mean()) == pytest.approx(0.5, abs=0.05)
    high, low = (made.filter(pl.col("kind") == k)["paid"].median() for k in "ab")
    assert high > 2 * low   # 2.9 times in the truth
    told = model.given("kind == 'a'")
    assert told.met.met.sort == "rejected" and set(told.sample(50, seed=1)["kind"]) == {"a"}
    numbers = ilk.fit(rows.select("paid").with_columns(x=pl.Series(z[:, 1])), Copula(), seed=1)
    assert numbers.given("paid > 2").met.met.sort == "exact" and numbers.score(rows.select("paid").with_columns(x=pl.Series(z[:, 1]))).sort == "exact"
