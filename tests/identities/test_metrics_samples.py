"""Identities of the metrics of samples: closed forms, brute force, SciPy and scikit-learn, and null laws: what real items get is nothing, on average."""
from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy, multivariate_normal
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import ilk
from ilk import registry
from ilk.dataset import Labels
from ilk.metric import Case, NotApplicable, Reading, measured
from ilk.metrics._gaussians import Gaussian, corrected, frechet
from ilk.metrics._kernels import Cubic, Radial, discrepancy, width_of
from ilk.metrics._nearest import Vectors
from ilk.metrics._points import chamfer
from ilk.metrics.inception_score import information
from ilk.metrics.kernel_stein import stein
from ilk.metrics.kid import blocks
from ilk.metrics.modes import reverse_kl
from ilk.metrics.nn_accuracy import told
from ilk.metrics.outlier_auc import joined
from ilk.rng import Rng

torch.set_num_threads(1)
ONCE = ilk.Steps(200)


def dice(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def read(name: str, case: Case, seed: int = 0) -> Reading:
    found = measured(registry.get("metrics", name)(), case, Rng(seed))
    assert isinstance(found, Reading), found
    return found


def reason(name: str, case: Case) -> str:
    found = measured(registry.get("metrics", name)(), case, Rng(0))
    assert isinstance(found, NotApplicable), found
    return found.reason


def nothing(values: Any, rest: float = 0.0) -> None:
    """The mean of some figures is 0 within four standard errors, and something that is allowed to be left."""
    assert abs(np.mean(values)) < 4 * np.std(values, ddof=1) / sqrt(len(values)) + rest


# Frechet distance without the bias of few items

@pytest.mark.parametrize(("d", "n"), [(1, 20), (6, 30), (20, 40), (20, 200)])
def test_frechet_of_one_law_is_nothing_on_average(d: int, n: int) -> None:
    g, scale = dice(d * n), np.linspace(0.3, 2, d)
    sides = [(g.normal(size=(n, d)) * scale, g.normal(size=(2 * n, d)) * scale) for _ in range(60)]
    plain, less = (np.array([sum(f) for f in found]) for found in ([frechet(Gaussian.of(x), Gaussian.of(y)) for x, y in sides], [corrected(x, y, Rng(1)) for x, y in sides]))
    nothing(less, 0.05 * plain.mean())
    assert plain.mean() > 8 * abs(less.mean()) and less.std() < 2.5 * plain.std() + 0.2


def test_frechet_of_two_laws_is_that_of_many_items() -> None:
    """The corrected figure of few items agrees with the closed form; the plain one lies above."""
    g, d, n = dice(1), 8, 60
    shift, scale = np.full(d, 0.4), np.linspace(0.5, 1.5, d)
    truth = float(np.square(shift).sum() + np.square(scale - 1).sum())
    sides = [(g.normal(size=(n, d)) * scale + shift, g.normal(size=(n, d))) for _ in range(60)]
    less = np.array([sum(corrected(x, y, Rng(0))) for x, y in sides])
    assert abs(less.mean() - truth) < 4 * less.std() / sqrt(60)
    assert np.mean([sum(frechet(Gaussian.of(x), Gaussian.of(y))) for x, y in sides]) > truth + 0.3


def test_frechet_of_singular_features_is_a_number() -> None:
    g = dice(2)
    thin = g.normal(size=(400, 2)) @ g.normal(size=(2, 12)) + 1e-9 * g.normal(size=(400, 12))
    for made in (thin[:150], thin[:150] * 1e-8, np.repeat(thin[:1], 150, axis=0), thin[:150] * 1e8):
        found = read("frechet", Case(made=made, train=thin, test=thin[200:]))
        assert np.isfinite([found.value, found.error, *found.parts.values()]).all()


def test_frechet_says_how_many_items_it_takes_and_keeps_the_order() -> None:
    g = dice(3)
    train, test = g.normal(size=(800, 10)), g.normal(size=(200, 10))
    assert "at least 11" in reason("frechet", Case(made=train[:10], train=train, test=test))
    floor, model = 2 * g.normal(size=(200, 10)), 1.2 * g.normal(size=(200, 10))
    found = [read("frechet", Case(made=made, train=train, test=test)) for made in (floor, model)]
    ceiling = found[0].parts["real"]
    assert found[0].value > found[1].value > ceiling and found[0].parts["plain"] > found[1].parts["plain"] > found[1].value
    assert ceiling == found[1].parts["real"] and abs(ceiling) < 3 * (found[1].error or 0.0)


# Kernels

def brute(x: Any, y: Any, kernel: Any) -> float:
    """The unbiased estimate, pair by pair."""
    own, other, across = kernel(x, x), kernel(y, y), kernel(x, y)
    n, m = len(x), len(y)
    return float((own.sum() - np.trace(own)) / (n * (n - 1)) + (other.sum() - np.trace(other)) / (m * (m - 1)) - 2 * across.mean())


def test_discrepancies_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilk.metrics._kernels.CHUNK", 500)   # several chunks
    g = dice(4)
    x, y = g.normal(0.3, 1.2, (70, 5)), g.normal(size=(90, 5))
    width = width_of(y)
    assert width == pytest.approx(np.median([np.square(a - b).sum() for i, a in enumerate(y) for b in y[:i]]), rel=0.01)
    assert discrepancy(x, y, Radial(width))[0] == pytest.approx(
        brute(x, y, lambda a, b: np.mean([rbf_kernel(a, b, 1 / (2 * width * f)) for f in (0.25, 0.5, 1, 2, 4)], axis=0)), abs=1e-6)
    assert discrepancy(x, y, Cubic())[0] == pytest.approx(brute(x, y, lambda a, b: polynomial_kernel(a, b, 3, 1 / 5, 1)), rel=1e-9)


def test_kid_is_the_mean_of_blocks() -> None:
    g = dice(5)
    train, test, made = g.normal(size=(600, 3)), g.normal(size=(300, 3)), g.normal(0.5, 1, (300, 3))
    found = read("kid", Case(made=made, train=train, test=test))
    from ilk.metrics._features import sides

    seen = sides(Case(made=made, train=train, test=test))
    assert not isinstance(seen, str)
    each = blocks(seen.made, seen.test)
    assert len(each) == 10 and found.value == pytest.approx(each.mean()) and found.error == pytest.approx(each.std(ddof=1) / sqrt(10))
    assert found.value == pytest.approx(discrepancy(seen.made, seen.test, Cubic())[0], abs=3 * (found.error or 0))
    assert "20 items" in reason("kid", Case(made=made[:19], train=train, test=test))


@pytest.mark.parametrize("d", [1, 8])
@pytest.mark.parametrize("kernel", [Radial(4.0), Cubic()], ids=["radial", "cubic"])
def test_discrepancies_of_one_law_are_nothing_on_average(d: int, kernel: Any) -> None:
    g = dice(6 + d)
    found, said = np.array([discrepancy(g.normal(size=(60, d)), g.normal(size=(90, d)), kernel) for _ in range(200)]).T
    nothing(found)
    assert found.min() < 0 < found.max() and found.std() / 2 < said.mean() < 2 * found.std()
    nothing([blocks(g.normal(size=(60, d)), g.normal(size=(60, d))).mean() for _ in range(100)])


def test_mmd_of_shifted_gaussians_is_the_closed_form() -> None:
    """E exp(-|X - Y|^2 / 2w) of normal X - Y of variance 2 and mean m is sqrt(w / (w + 2)) exp(-m^2 / 2(w + 2))."""
    g, width, shift = dice(7), 1.5, 0.8
    def mean(w: float, m: float) -> float:
        return sqrt(w / (w + 2)) * exp(-m**2 / (2 * (w + 2)))

    truth = np.mean([2 * mean(w, 0) - 2 * mean(w, shift) for w in width * np.array([0.25, 0.5, 1, 2, 4])])
    found = np.array([discrepancy(g.normal(shift, 1, (100, 1)), g.normal(size=(100, 1)), Radial(width)) for _ in range(100)])
    assert abs(found[:, 0].mean() - truth) < 4 * found[:, 0].std() / 10
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.3)


# The nearest neighbour

@pytest.mark.parametrize("seed", range(3))
def test_nn_accuracy_is_that_of_scikit_learn(seed: int) -> None:
    g = dice(seed)
    x, y = g.normal(0.5, 1, (60, 3)), g.normal(size=(60, 3))
    both, side = np.concatenate([x, y]), np.repeat([1, 0], 60)
    right, _ = told(Vectors(torch.from_numpy(x)), Vectors(torch.from_numpy(y)))
    assert float(right.mean()) == pytest.approx(cross_val_score(KNeighborsClassifier(1), both, side, cv=LeaveOneOut()).mean())


def test_nn_accuracy_of_one_law_apart_and_copied() -> None:
    g = dice(8)
    found = [told(*(Vectors(torch.from_numpy(g.normal(size=(100, 2)))) for _ in range(2))) for _ in range(100)]
    values = np.array([float(right.mean()) for right, _ in found])
    nothing(values - 0.5)
    assert np.mean([error for _, error in found]) == pytest.approx(values.std(), rel=0.3)
    x = g.normal(size=(300, 2))
    train, test = g.normal(size=(500, 2)), g.normal(size=(200, 2))
    assert read("nn_accuracy", Case(made=x + 50, train=train, test=test)).value == 1
    assert read("nn_accuracy", Case(made=test, train=train, test=test)).value == 0
    one = read("nn_accuracy", Case(made=np.repeat(x[:1], 200, axis=0), train=train, test=test))
    assert one.value > 0.95 and one.parts["made"] == 1      # one item again and again is told at once
    whole = np.ones((300, 2))
    assert read("nn_accuracy", Case(made=whole, train=whole, test=whole)).value == 0.5   # all equally near


def test_nn_accuracy_of_tables() -> None:
    pl = pytest.importorskip("polars")
    g = dice(9)

    def rows(n: int, off: float = 0.0) -> Any:
        x = g.normal(off, 1, n)
        return pl.DataFrame({"x": x, "c": np.where(x + g.normal(size=n) > 0, "u", "v")})

    same = read("nn_accuracy", Case(made=rows(400), train=rows(300), test=rows(400)))
    assert same.error and abs(same.value - 0.5) < 4 * same.error and same.n == 400
    assert read("nn_accuracy", Case(made=rows(400, 5.0), train=rows(300), test=rows(400))).value > 0.95


# Sets of points

def test_chamfer_is_that_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilk.metrics._points.CHUNK", 700)
    g = dice(10)
    x, y = g.normal(size=(7, 6, 3)) + 100, g.normal(size=(5, 9, 3)) + 100
    far = np.square(x[:, None, :, None] - y[None, :, None]).sum(-1)
    assert np.allclose(chamfer(x, y).numpy(), far.min(3).mean(2) + far.min(2).mean(2), atol=1e-4)
    assert chamfer(x, x).diagonal().abs().max() < 1e-5


def test_sets_of_points_covered_and_matched() -> None:
    g = dice(11)
    def circles(n: int) -> Any:
        turn, size = g.uniform(0, 7, (n, 20)), g.uniform(1, 2, (n, 1))
        return np.stack([size * np.cos(turn), size * np.sin(turn)], 2)

    test, fresh = circles(60), circles(60)
    noise, one = g.normal(size=(60, 20, 2)), np.repeat(fresh[:1], 60, axis=0)
    coverage, apart = ([read(name, Case(made=made, test=test)).value for made in (test, fresh, noise, one)] for name in ("chamfer_coverage", "chamfer_mmd"))
    assert coverage[0] == 1 and 0.4 < coverage[1] < 0.85 and coverage[2] < coverage[1] and coverage[3] == 1 / 60
    assert apart[0] < 1e-6 < apart[1] < 0.5 * apart[2] and apart[3] > 2 * apart[1]
    assert "sets of points" in reason("chamfer_mmd", Case(made=g.normal(size=(50, 4)), test=g.normal(size=(50, 4))))
    assert "fewer than 10 sets" in reason("chamfer_coverage", Case(made=test[:9], test=test))


# Labels and modes

def test_information_where_it_is_known() -> None:
    sure = np.eye(5)[np.arange(1000) % 5]
    assert exp(information(sure)[0]) == pytest.approx(5, rel=0.01)
    unsure = np.full((1000, 5), 0.2)
    assert information(unsure) == pytest.approx((0, 0), abs=1e-12)
    found, said = np.array([information(np.eye(6)[dice(k).integers(0, 6, 60)]) for k in range(200)]).T
    assert abs(found.mean() - log(6)) < 4 * found.std() / sqrt(200) + 2e-4           # few items: the plain figure lies 5 / 120 below
    soft = [dice(300 + k).dirichlet(np.full(4, 0.3), 40) for k in range(200)]
    values, errors = np.array([information(chances) for chances in soft]).T
    whole = information(dice(1).dirichlet(np.full(4, 0.3), 200_000))[0]
    assert abs(values.mean() - whole) < 4 * values.std() / sqrt(200) + 2e-3 and errors.mean() == pytest.approx(values.std(), rel=0.25)


def grid(g: np.random.Generator, n: int, among: int = 25) -> tuple[Any, Any]:
    """Normal items around the first of 25 places of a grid."""
    which = g.integers(0, among, n)
    return 4.0 * np.stack([which % 5, which // 5], 1) + 0.2 * g.normal(size=(n, 2)), which


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("made", [25, 12, 1])
def test_modes_of_a_grid_are_counted(labelled: bool, made: int) -> None:
    g = dice(12)
    train, labels = grid(g, 3000)
    found = read("modes", Case(made=grid(g, 1000, made)[0], train=train, train_labels=torch.from_numpy(labels) if labelled else None))
    assert (found.parts["count"], found.parts["of"], found.value) == (made, 25, made / 25) and found.parts["real"] > 0.999
    assert found.parts["reverse_kl"] == pytest.approx(log(25 / made), abs=0.05)
    assert ("labels" in found.convention) == labelled and ("25 clusters" in found.convention) != labelled


def test_data_without_clusters_are_cut_into_cells() -> None:
    g = dice(33)
    train, made = g.normal(size=(2000, 2)), g.normal(size=(600, 2))
    whole, half = (read("modes", Case(made=items, train=train)) for items in (made, np.abs(made)))
    assert "32 cells" in whole.convention and whole.value >= whole.parts["real"] - 0.05 and abs(whole.parts["reverse_kl"]) < 0.06
    assert 0.15 < half.value < 0.6 and half.parts["reverse_kl"] > 0.7   # a quarter of the plane, and the cells on its rim


def test_items_between_modes_are_of_none() -> None:
    g = dice(13)
    train = grid(g, 3000)[0]
    found = read("modes", Case(made=train[:500] + 2.0, train=train))
    assert (found.value, found.parts["outside"]) == (0, 1) and "reverse_kl" not in found.parts


def test_reverse_kl_is_that_of_scipy_less_its_bias() -> None:
    made, real = np.array([50, 30, 0, 20]), np.array([300, 400, 100, 200])
    p = (real + 0.5) / (real + 0.5).sum()
    bias = 2 / 200 + (made / 100 * (1 - p) / p).sum() / (2 * (real + 0.5).sum())
    assert reverse_kl(made, real) == pytest.approx(entropy(made / 100, p) - bias, rel=1e-9)
    g, share = dice(14), np.array([0.1, 0.2, 0.3, 0.4])
    nothing([reverse_kl(g.multinomial(300, share), g.multinomial(500, share)) for _ in range(300)], 1e-4)


def test_a_few_items_of_rare_modes_are_expected_of_no_one() -> None:
    """The ceiling is what as many real items reach: of modes with a share of 1 in 500, 100 items reach few."""
    g = dice(15)
    labels = np.concatenate([np.zeros(5000, int), np.repeat(np.arange(1, 6), 10)])
    train = np.stack([10.0 * labels, np.zeros(len(labels))], 1) + g.normal(size=(len(labels), 2))
    found = read("modes", Case(made=g.normal(size=(100, 2)), train=train, train_labels=labels))
    assert found.parts["of"] == 6 and found.parts["real"] < 0.5


def test_inception_score_of_arrays() -> None:
    g = dice(16)
    train, labels = grid(g, 3000)
    case = Case(made=grid(g, 800)[0], train=train, train_labels=labels)
    found, half = read("inception_score", case), read("inception_score", replace(case, made=grid(g, 800, 12)[0]))
    assert found.value == pytest.approx(25, rel=0.05) and found.parts["real"] == pytest.approx(25, rel=0.05) and half.value == pytest.approx(12, rel=0.05)
    assert "no labels" in reason("inception_score", replace(case, train_labels=None))
    assert "only one label" in reason("inception_score", replace(case, train_labels=np.zeros(3000, int)))
    assert "at least 20" in reason("inception_score", replace(case, made=train[:5]))


# The score function

def test_stein_is_that_of_the_kernel_by_its_definition() -> None:
    """u = k s.s' + s.grad' k + s'.grad k + tr grad grad' k, derivatives by torch."""
    g = torch.Generator().manual_seed(0)
    x, s = torch.randn(12, 3, generator=g, dtype=torch.float64), torch.randn(12, 3, generator=g, dtype=torch.float64)
    wide = float(torch.pdist(x).square().median())

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (wide + (a - b).square().sum()).rsqrt()

    total = 0.0
    for i in range(12):
        for j in range(12):
            if i != j:
                one, other = torch.func.grad(kernel, (0, 1))(x[i], x[j])
                mixed = torch.func.jacrev(torch.func.grad(kernel, 1), 0)(x[i], x[j])
                total += float(kernel(x[i], x[j]) * s[i] @ s[j] + s[i] @ other + s[j] @ one + mixed.trace())
    assert stein(x, s)[0] == pytest.approx(total / (12 * 11), rel=1e-9)


@pytest.mark.parametrize("d", [1, 6])
def test_stein_of_a_models_own_law_is_nothing_on_average(d: int) -> None:
    g = dice(17 + d)
    found, said = np.array([stein(x, -x) for x in (torch.from_numpy(g.normal(size=(120, d))) for _ in range(120))]).T
    nothing(found)
    assert found.std() / 2 < said.mean() < 2.5 * found.std()
    wider = torch.from_numpy(1.5 * g.normal(size=(400, d)))
    assert stein(wider, -wider)[0] > 2 * found.std()


def gaussian(seed: int, n: int, cov: Any) -> Any:
    return dice(seed).multivariate_normal(np.zeros(len(cov)), cov, n)


def test_slopes_are_those_of_gaussians() -> None:
    """Hyvarinen's loss of N(m, S) at N(0, C) with noise: E |S^-1 (x - m)|^2 / 2 - tr S^-1, in coordinates whose deviation is 1."""
    cov = np.array([[1.0, 0.6], [0.6, 1.0]])
    test = gaussian(18, 2000, cov)
    model = ilk.fit(gaussian(19, 4000, np.diag([1.5, 0.7])), ilk.GMM(components=1))
    found = read("fisher_divergence", Case(model=model, test=test))
    unit = test.std(0, ddof=1)
    own = np.cov(gaussian(19, 4000, np.diag([1.5, 0.7])), rowvar=False, bias=True) / np.outer(unit, unit)
    mean = gaussian(19, 4000, np.diag([1.5, 0.7])).mean(0) / unit
    back = np.linalg.inv(own)
    off = test / unit - mean
    noisy = off.T @ off / len(off) + 0.01 * np.eye(2)
    truth = 0.5 * np.trace(back @ back @ noisy) - np.trace(back)
    assert found.error and found.value == pytest.approx(truth, abs=4 * found.error) and found.value == pytest.approx(truth, abs=0.1)


def test_fisher_divergences_of_models_differ_by_what_hyvarinens_losses_do() -> None:
    """F(q || N(m, 1)) = m^2 / 2 for q = N(0, 1): the loss of a shifted model is that much above the true one's."""
    test = dice(20).normal(size=(2000, 1))
    fits = [ilk.fit(dice(21).normal(size=(20_000, 1)) + shift, ilk.GMM(components=1)) for shift in (0.0, 1.0)]
    near, far = (read("fisher_divergence", Case(model=m, test=test)) for m in fits)
    assert far.value - near.value == pytest.approx(0.5, abs=0.08) and near.value == pytest.approx(-0.5, abs=4 * (near.error or 0) + 0.02)
    right, wrong = (read("kernel_stein", Case(model=m, test=test)) for m in fits)
    assert abs(right.value) < 4 * (right.error or 0.0) and wrong.value > 10 * (wrong.error or 0.0)


@pytest.mark.parametrize("name", ["flow", "diffusion", "gmm"])
def test_score_functions_of_every_sort_are_near_those_of_the_data(name: str) -> None:
    """Of a standard normal law: -1/2 a coordinate; a model of another law does worse, by both figures."""
    family = {"flow": ilk.Flow(layers=2, width=16, transform="affine"), "diffusion": ilk.Diffusion(net=ilk.MLP(width=64, depth=2)), "gmm": ilk.GMM(components=2)}[name]
    train, test = dice(22).normal(size=(2000, 2)), dice(23).normal(size=(800, 2))
    right, wrong = (ilk.fit(x, family, budget=ONCE, seed=1) for x in (train, train * [1.0, 0.2] + [0.0, 2.0]))
    for figure in ("fisher_divergence", "kernel_stein"):
        good, bad = (read(figure, Case(model=m, test=test)) for m in (right, wrong))
        assert good.value < bad.value - 4 * (good.error or 0.0)
    good = read("fisher_divergence", Case(model=right, test=test))
    assert good.value == pytest.approx(-1, abs=0.25) and ("denoiser" in good.convention) == (name == "diffusion")


def test_slopes_do_not_see_the_normaliser_or_what_never_varies() -> None:
    test = np.concatenate([dice(24).normal(size=(500, 1)), np.full((500, 1), 7.0)], 1)
    found = read("kernel_stein", Case(model=ilk.fit(test, ilk.GMM(components=1)), test=test))
    assert abs(found.value) < 0.05
    alone = read("kernel_stein", Case(model=ilk.fit(test[:, :1], ilk.GMM(components=1)), test=test[:, :1]))
    assert found.value == pytest.approx(alone.value, abs=1e-6)


def test_models_without_a_score_function_are_refused() -> None:
    x = dice(25).normal(size=(200, 2))
    assert "lacks HasLogProb and Denoises" in reason("kernel_stein", Case(model=ilk.fit(x, ilk.VAE(codes=1), budget=ilk.Steps(3)), test=x))
    whole = (x > 0).astype(np.int8)
    for model in (ilk.fit(whole, ilk.GMM(components=1)), ilk.fit(whole, ilk.MADE(width=8), budget=ilk.Steps(3))):
        assert "density of real numbers" in reason("fisher_divergence", Case(model=model, test=whole))
    given = ilk.fit(x, ilk.GMM(components=1)).given({"0": 0.5})
    assert "nothing is given" in reason("fisher_divergence", Case(model=given, test=x))
    assert "no derivatives" in reason("kernel_stein", Case(model=ilk.fit(x, registry.get("families", "circuit")()), test=x))
    assert "all alike" in reason("kernel_stein", Case(model=ilk.fit(x, ilk.GMM(components=1)), test=np.ones((50, 2))))


def test_models_that_have_to_be_told_something_are_refused_and_do_not_break_the_others() -> None:
    g = dice(32)
    x = g.normal(size=(300, 2))
    model = ilk.fit(replace(ilk.read(x), beside={"sum": x.sum(1, keepdims=True)}), ilk.Flow(layers=1, width=8), budget=ilk.Steps(5), seed=1)
    for name in ("nats", "outlier_auc", "kernel_stein", "fisher_divergence"):
        assert "sum" in reason(name, Case(model=model, test=x))


def test_bits_per_dimension_is_the_score_in_another_unit() -> None:
    whole = dice(34).integers(0, 4, (400, 3))
    model = ilk.fit(whole, ilk.MADE(width=32), budget=ONCE, seed=1)
    found, nats = read("bits_per_dimension", Case(model=model, test=whole)), read("nats", Case(model=model, test=whole))
    assert found.value == pytest.approx(-nats.value / (3 * log(2))) and found.error == pytest.approx((nats.error or 0) / (3 * log(2)))
    assert found.value == pytest.approx(2, abs=0.05)       # four equal values are two bits
    x = dice(35).normal(size=(4000, 2))
    real = read("bits_per_dimension", Case(model=ilk.fit(x, ilk.GMM(components=1)), test=x))
    assert real.value == pytest.approx(0.5 * log(2 * np.pi * np.e) / log(2), abs=0.03)   # the entropy of a normal number


# Codes and outliers

def test_probe_accuracy_is_that_of_scikit_learn() -> None:
    g = dice(26)
    labels, asked = g.integers(0, 3, 600), g.integers(0, 3, 300)
    centers = 2 * g.normal(size=(3, 5))
    train, test = (centers[y] + 0.8 * g.normal(size=(len(y), 5)) for y in (labels, asked))
    model = ilk.fit(train, ilk.Autoencoder(codes=3, net=ilk.MLP(width=16)), budget=ONCE, seed=1)
    case = Case(model=model, train=train, test=test, train_labels=torch.from_numpy(labels), test_labels=Labels(torch.from_numpy(asked), (0, 1, 2)))
    found = read("probe_accuracy", case)
    one, other = ((x - train.mean(0)) / train.std(0) for x in (train, test))
    assert found.parts["raw"] == pytest.approx(LogisticRegression(max_iter=200).fit(one, labels).score(other, asked), abs=1e-9)
    assert found.parts["commonest"] == pytest.approx((asked == np.bincount(labels).argmax()).mean())
    chance = read("probe_accuracy", replace(case, test_labels=Labels(torch.from_numpy(g.permutation(asked)), (0, 1, 2))))
    assert found.value > 0.75 and chance.value == pytest.approx(1 / 3, abs=0.12)
    assert "lacks Encodes" in reason("probe_accuracy", replace(case, model=ilk.fit(train, ilk.GMM(components=1))))
    assert "no labels" in reason("probe_accuracy", replace(case, test_labels=None))


def test_outliers_are_halves_of_two_items() -> None:
    x = np.arange(40.0).reshape(10, 4)
    made = joined(x, Rng(0))
    assert (made[:, :2] == x[:, :2]).all() and sorted(made[:, 3]) == sorted(x[:, 3]) and (made[:, 2:] != x[:, 2:]).all()
    texts = joined([f"{i}{i}{i}{i}" for i in range(8)], Rng(0))
    assert all(t[:2] == f"{i}{i}" != t[2:] for i, t in enumerate(texts)) and joined(x[:, :1], Rng(0)) is None


def test_outlier_auc_of_a_known_law_is_that_of_its_density() -> None:
    cov = np.array([[1.0, 0.9], [0.9, 1.0]])
    train, test, many = gaussian(27, 5000, cov), gaussian(28, 1000, cov), gaussian(29, 40_000, cov)
    odd = np.stack([many[:, 0], np.roll(many[:, 1], 1)], 1)
    law = multivariate_normal(np.zeros(2), cov)
    truth = roc_auc_score(np.repeat([1, 0], 40_000), np.concatenate([law.logpdf(many), law.logpdf(odd)]))
    found = read("outlier_auc", Case(model=ilk.fit(train, ilk.GMM(components=1)), test=test))
    assert found.error and found.value == pytest.approx(truth, abs=4 * found.error) and truth > 0.7
    blind = read("outlier_auc", Case(model=ilk.fit(train, ilk.GMM(components=1, covariance="diag")), test=test))
    assert blind.value == pytest.approx(0.5, abs=0.1) and blind.value < truth - 0.1   # parts alone: only how strange ones fall together is told
    assert "fewer than 20" in reason("outlier_auc", Case(model=ilk.fit(train, ilk.GMM(components=1)), test=test[:19]))


# All of them

@pytest.mark.parametrize("name", ["chamfer_coverage", "chamfer_mmd", "inception_score", "kid", "mmd", "modes", "nn_accuracy"])
def test_errors_and_real_items_only_where_wanted(name: str) -> None:
    g = dice(30)
    shape = (300, 6, 2) if name.startswith("chamfer") else (300, 3)
    train, test, made = (g.normal(size=shape) for _ in range(3))
    case = Case(made=made[:100], train=train, test=test[:100], train_labels=(train.reshape(300, -1)[:, 0] > 0).astype(int))
    full, quick = read(name, case), read(name, replace(case, errors=False))
    assert full.value == quick.value and full.error is not None and quick.error is None and "real" not in quick.parts
    assert read(name, case, seed=5) == full or name in ("nn_accuracy",)


def test_evaluate_has_floor_and_ceiling_of_each() -> None:
    g = dice(31)
    x = grid(g, 1200, 9)[0]
    data = ilk.read(x)
    names = ("kid", "mmd", "modes", "nn_accuracy", "frechet", "kernel_stein", "fisher_divergence", "outlier_auc")
    found = ilk.evaluate(ilk.fit(data, ilk.GMM(components=9)), data, only=names)
    assert not found.skipped
    for figure in found.metrics:
        assert figure.floor is not None and figure.se is not None and figure.n > 0 and figure.convention
        assert (figure.ceiling is None) == (figure.name in ("kernel_stein", "fisher_divergence", "outlier_auc"))
    assert found["modes"].value == 1 and found["nn_accuracy"].floor > 0.7 > found["nn_accuracy"].value   # type: ignore[operator]
