"""Figures of series against the closed forms of an autoregression x[t] = share x[t - 1] + noise."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk import registry
from ilk.metric import Case, NotApplicable, Reading, measured
from ilk.metrics._series import correlations, powers, products
from ilk.rng import Rng

torch.set_num_threads(1)
NAMES = ("autocorrelation", "spectrum", "discriminative_score", "predictive_score")


def series(seed: int, share: float, n: int = 400, steps: int = 64, channels: int = 0) -> Any:
    """Stationary from the first step."""
    g = np.random.Generator(np.random.Philox(key=seed))
    x = g.normal(size=(n, steps, max(1, channels)))
    x[:, 0] /= (1 - share**2) ** 0.5
    for t in range(1, steps):
        x[:, t] += share * x[:, t - 1]
    return x if channels else x[..., 0]


def read(name: str, case: Case, seed: int = 0) -> Reading:
    found = measured(registry.get("metrics", name)(), case, Rng(seed))
    assert isinstance(found, Reading), found
    return found


def case(share: float, seed: int = 1, n: int = 400) -> Case:
    """Series made with another share, beside real ones of .8."""
    return Case(made=series(seed, share, n), train=series(seed + 1000, 0.8, n), test=series(seed + 2000, 0.8, n))


def test_autocorrelation_is_the_share_to_the_power_of_the_lag() -> None:
    lags = np.arange(1, 33)
    found = read("autocorrelation", case(0.5))
    assert found.error and abs(found.value - np.mean(0.8**lags - 0.5**lags)) < 4 * found.error
    assert [found.parts[f"lag_{k}"] for k in (1, 2, 4)] == pytest.approx([0.5, 0.25, 0.0625], abs=0.03)
    assert [found.parts[f"test_lag_{k}"] for k in (1, 2, 4)] == pytest.approx([0.8, 0.64, 0.4096], abs=0.04)


def test_autocorrelation_is_that_of_the_definition() -> None:
    x = series(3, 0.6, n=5, steps=20, channels=2)
    centred = x - x.mean((0, 1))
    for k in (1, 7, 10):
        by_hand = [np.mean([centred[i, t, c] * centred[i, t + k, c] for i in range(5) for t in range(20 - k)]) / np.mean(centred[..., c] ** 2) for c in (0, 1)]
        assert correlations(products(x))[k - 1] == pytest.approx(by_hand, abs=1e-12)
    assert products(x).shape == (5, 11, 2) and not correlations(products(np.ones((3, 20, 1)))).any()


def test_the_spectrum_is_that_of_an_autoregression() -> None:
    at = np.arange(1, 33) / 64
    expected = 10 * np.log10(abs(1 - 0.8 * np.exp(-2j * np.pi * at)) ** 2 / abs(1 - 0.5 * np.exp(-2j * np.pi * at)) ** 2)
    found = read("spectrum", case(0.5, n=2000))
    assert found.error and abs(found.value - np.sqrt(np.mean(expected**2))) < 0.2 and found.parts["low"] < 0 < found.parts["high"]
    white = powers(series(4, 0.0, n=4000, steps=50)[..., None])
    assert white.shape == (4000, 25, 1) and white.mean(0) == pytest.approx(np.ones((25, 1)), abs=0.12)
    whole = powers(series(4, 0.0, n=3, steps=100)[..., None], bands=5).shape
    assert whole == (3, 5, 1)


def test_twice_the_amplitude_is_six_decibels() -> None:
    test = series(5, 0.8)
    assert read("spectrum", Case(made=test * 2, test=test)).value == pytest.approx(20 * np.log10(2), abs=1e-6)
    assert read("spectrum", Case(made=test, test=test)).value == 0 == read("autocorrelation", Case(made=test * 2, test=test)).value
    moved = Case(made=test + 7, test=test)
    assert read("spectrum", moved).value < 1e-9 and read("autocorrelation", moved).value < 1e-9, "a level is not seen"


def test_predictive_score_is_what_a_wrong_share_costs() -> None:
    """E|noise| = (2/pi)^1/2; foretelling share' x instead of share x costs noise of sd (1 + (share - share')^2 / (1 - share^2))^1/2."""
    off, half = 1 / (1 - 0.64) ** 0.5, (2 / np.pi) ** 0.5
    blind = read("predictive_score", case(0.0, n=150))
    assert (blind.parts["mae_real"], blind.parts["mae_made"]) == pytest.approx((half / off, half), rel=0.07)
    assert blind.parts["mae_last"] == pytest.approx(half * (1 + 0.04 * off**2) ** 0.5 / off, rel=0.05)
    fair = read("predictive_score", case(0.8, n=150))
    assert fair.error and abs(fair.value) < 0.02 and 0.02 < read("predictive_score", case(0.5, n=150)).value < blind.value


def test_discriminative_score_is_nought_by_chance_and_a_half_for_others() -> None:
    fair, far = read("discriminative_score", case(0.8, n=200)), read("discriminative_score", case(0.0, n=200))
    assert fair.error and fair.value < 3.5 * fair.error and far.value > 0.47
    test = series(7, 0.8, 200)
    moved = read("discriminative_score", Case(made=series(8, 0.8, 200) + 20, test=test))
    assert moved.value > 0.45, "a level is seen"


def test_a_gaussian_with_the_right_covariance_passes_for_what_is_linear_and_for_nothing_else() -> None:
    """Sines of two frequencies and any phase, beside a Gaussian process with their covariance."""
    def sines(seed: int) -> Any:
        g, t = np.random.default_rng(seed), np.arange(32)
        return np.sin(2 * np.pi * (g.choice([2, 5], (200, 1)) * t / 32 + g.random((200, 1)))) + 0.1 * g.normal(size=(200, 32))

    train, test = sines(1), sines(2)
    made = np.random.default_rng(3).multivariate_normal(np.zeros(32), np.cov(sines(4).T), 200)
    found = {name: read(name, Case(made=made, train=train, test=test)) for name in ("autocorrelation", "spectrum", "discriminative_score", "predictive_score")}
    assert found["autocorrelation"].value < 0.06 and found["spectrum"].value < 1.2
    assert found["discriminative_score"].value > 0.4 and found["predictive_score"].value > 5 * (found["predictive_score"].error or 1)


@pytest.mark.parametrize("name", ["autocorrelation", "spectrum"])
def test_errors_cover(name: str) -> None:
    found = [read(name, case(0.5, seed, n=100)) for seed in range(30)]
    assert 0.6 < np.mean([f.error or 0 for f in found]) / np.std([f.value for f in found], ddof=1) < 1.6


@pytest.mark.parametrize("name", NAMES)
def test_channels_are_seen(name: str) -> None:
    """One channel of three is made wrongly."""
    train, test, made = (series(seed, 0.8, 90, 24, 3) for seed in (1, 2, 3))
    wrong = made.copy()
    wrong[..., 1] = series(9, 0.0, 90, 24)
    fair, bad = (read(name, Case(made=x, train=train, test=test)) for x in (made, wrong))
    assert bad.value > fair.value + 2 * (fair.error or 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("made", [
    np.zeros((50, 8)), np.zeros((50, 40)), series(1, 0.5, 50, 30), np.zeros((50, 20, 20, 3)), ["a"] * 50, series(1, 0.5, 1), series(1, 0.5, 1)[:0]])
def test_what_is_no_series_is_told(name: str, made: Any) -> None:
    test = made if isinstance(made, np.ndarray) and made.shape[1:] != (30,) else series(2, 0.5, 50)
    found = measured(registry.get("metrics", name)(), Case(made=made, train=test, test=test), Rng(0))
    assert isinstance(found, NotApplicable) and found.reason


@pytest.mark.parametrize("name", NAMES)
def test_huge_and_missing_numbers_give_a_finite_figure_or_a_reason(name: str) -> None:
    test, made = series(1, 0.5, 60, 20), series(2, 0.5, 60, 20)
    made[3, 4], made[5, 6], made[7] = np.inf, np.nan, 1e300
    for one in (made, np.zeros_like(made), np.sign(test) * 1e-300):
        found = measured(registry.get("metrics", name)(), Case(made=one, train=test, test=test), Rng(0))
        assert isinstance(found, NotApplicable) or (np.isfinite(found.value) and all(map(np.isfinite, found.parts.values())))


def test_evaluate_puts_floor_and_ceiling_beside() -> None:
    x = series(1, 0.9, 400, 24)
    data = ilk.read(x)
    model = ilk.fit(data, ilk.GMM(components=1), seed=1)
    found = ilk.evaluate(model, data, only=["autocorrelation", "predictive_score"])
    for name in ("autocorrelation", "predictive_score"):
        figure = found[name]
        assert figure.floor is not None and figure.ceiling is not None and figure.value < figure.floor / 2 and figure.ceiling < figure.floor / 2
