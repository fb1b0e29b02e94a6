"""Samplers against what is known of them: the flow of a Gaussian and of a mixture in closed form, orders of error, laws without a draw."""
from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import log2, sqrt

import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import norm
from torch import Tensor

from ilk.rng import Rng
from ilk.samplers._contract import Denoise, Sampler
from ilk.samplers.churn import Churn, parting
from ilk.samplers.ddim import DDIM
from ilk.samplers.ddpm import DDPM
from ilk.samplers.dpm_solver import DPMSolver
from ilk.samplers.euler import Euler
from ilk.samplers.heun import Heun
from ilk.samplers.langevin import Langevin

torch.set_num_threads(1)

EVERY = [Euler(), Heun(), DPMSolver(), DDIM(), DDIM(eta=0.4), DDIM(eta=1.0), DDPM(), DDPM(variance="large")]
STILL = [Euler(), Heun(), DPMSolver(), DDIM()]   # those that draw no noise after the first


def name(sampler: Sampler) -> str:
    return f"{type(sampler).__name__}{getattr(sampler, 'eta', '')}{getattr(sampler, 'variance', '')}"


def grid(steps: int, least: float = 0.002, most: float = 80.0) -> list[float]:
    """`steps` + 1 levels of Karras et al. 2022, equation 5, without the 0."""
    time = torch.linspace(1, 0, steps + 1, dtype=torch.double)
    levels: list[float] = ((least ** (1 / 7) + time * (most ** (1 / 7) - least ** (1 / 7))) ** 7).tolist()
    return levels


def gaussian(mean: float, spread: float) -> Denoise:
    """The expected data given x = data + sigma noise, for data from N(mean, spread^2)."""
    return lambda x, sigma: (spread**2 * x + sigma**2 * mean) / (spread**2 + sigma**2)


SHARE, MEANS, SPREADS = (torch.tensor(v, dtype=torch.double) for v in ((0.3, 0.7), (-1.0, 1.2), (0.3, 0.5)))


def mixture(x: Tensor, sigma: float) -> Tensor:
    """The same for a mixture of two Gaussians."""
    variance = SPREADS**2 + sigma**2
    gap = x[:, None] - MEANS
    weight = (SHARE.log() - 0.5 * variance.log() - 0.5 * gap**2 / variance).softmax(1)
    return (weight * (MEANS + SPREADS**2 / variance * gap)).sum(1)


def quantile(p: float, sigma: float) -> float:
    """Of the mixture with noise."""
    spread = (SPREADS**2 + sigma**2).sqrt()
    return float(brentq(lambda x: float(SHARE @ torch.from_numpy(norm.cdf(x, MEANS, spread))) - p, -500, 500, xtol=1e-13))


def nothing(step: int) -> Tensor:
    raise AssertionError("no noise is wanted")


def last(sampler: Sampler, denoise: Denoise, x: Tensor, sigmas: list[float], noise: Callable[[int], Tensor] = nothing) -> Tensor:
    *_, end = sampler.states(denoise, x, sigmas, noise)
    return end


def order(errors: list[float]) -> list[float]:
    """Halvings of the step -> how often the error was halved."""
    return [log2(a / b) for a, b in pairwise(errors)]


@pytest.mark.parametrize(("sampler", "low", "high"), [(Euler(), 0.9, 1.1), (DDIM(), 0.9, 1.1), (Heun(), 1.9, 2.3), (DPMSolver(), 1.9, 2.3)], ids=str)
def test_order_on_the_flow_of_a_gaussian(sampler: Sampler, low: float, high: float) -> None:
    """x' = m + (x - m) sqrt((s^2 + sigma'^2) / (s^2 + sigma^2)): first order, or second."""
    mean, spread = 1.5, 0.7
    x = 80 * Rng(0).normal(5)
    true = mean + (x - mean) * sqrt((spread**2 + 0.002**2) / (spread**2 + 80.0**2))
    errors = [float((last(sampler, gaussian(mean, spread), x, grid(n)) - true).abs().max()) for n in (80, 160, 320)]
    assert all(low < slope < high for slope in order(errors)) and errors[2] < 0.05


@pytest.mark.parametrize(("sampler", "low", "high"), [(Euler(), 0.85, 1.15), (Heun(), 1.85, 2.15), (DPMSolver(), 1.85, 2.15)], ids=["euler", "heun", "dpm"])
def test_order_on_the_flow_of_a_mixture(sampler: Sampler, low: float, high: float) -> None:
    """On a line the flow keeps the order of points, hence quantiles: the p-quantile with noise goes to the p-quantile without.

    The mean over points, since between the modes (near .31) the flow is steep and errors are late to fall as they must.
    """
    at = (0.05, 0.2, 0.31, 0.5, 0.9)
    x = torch.tensor([quantile(p, 80.0) for p in at], dtype=torch.double)
    true = torch.tensor([quantile(p, 0.002) for p in at], dtype=torch.double)
    errors = [float((last(sampler, mixture, x, grid(n)) - true).abs().mean()) for n in (40, 80, 160)]
    assert all(low < slope < high for slope in order(errors)) and errors[2] < (0.02 if low < 1 else 0.001)


def test_heun_with_a_last_step_to_nothing() -> None:
    """18 levels of Karras et al. are within .005 (in sigma itself it would be .08), and four times as many within an eighth of that."""
    x = 80 * Rng(1).normal(5)
    true = 1.5 + (x - 1.5) * 0.7 / sqrt(0.7**2 + 80.0**2)
    errors = [float((last(Heun(), gaussian(1.5, 0.7), x, [*grid(n - 1), 0.0]) - true).abs().max()) for n in (18, 36, 72)]
    assert errors[0] < 0.005 and errors[2] < errors[0] / 8


@pytest.mark.parametrize("sampler", STILL, ids=name)
def test_a_single_point_is_reached_in_a_straight_line(sampler: Sampler) -> None:
    x, sigmas = 80 * Rng(2).normal(4), [80.0, 3.0, 0.5, 0.01, 0.0]
    states = list(sampler.states(lambda x, sigma: torch.full_like(x, 2.5), x, sigmas, nothing))
    assert len(states) == 4
    for state, sigma in zip(states, sigmas[1:], strict=True):
        assert (state - (2.5 + (x - 2.5) * sigma / 80)).abs().max() < 1e-12


@pytest.mark.parametrize("sampler", EVERY, ids=name)
def test_calls_of_the_network(sampler: Sampler) -> None:
    """One a step; Heun two, but one in the last. There are as many states as steps, and the last is what the network said."""
    asked: list[float] = []

    def denoise(x: Tensor, sigma: float) -> Tensor:
        asked.append(sigma)
        return x / (1 + sigma**2)
    sigmas = [*grid(6), 0.0]
    states = list(sampler.states(denoise, Rng(3).normal(9), sigmas, lambda i: Rng(4).child(i).normal(9)))
    assert len(states) == 7 and len(asked) == (13 if isinstance(sampler, Heun) else 7)
    assert asked[-1] == sigmas[-2] and min(asked) > 0
    assert (states[-1] - states[-2] / (1 + sigmas[-2] ** 2)).abs().max() < 1e-12


def test_ddim_lies_between_euler_and_ddpm() -> None:
    x, sigmas = 80 * Rng(5).normal(50), [*grid(12), 0.0]

    def noise(i: int) -> Tensor:
        return Rng(6).child(i).normal(50)
    still, euler = last(DDIM(), mixture, x, sigmas), last(Euler(), mixture, x, sigmas)
    full, ddpm = last(DDIM(eta=1.0), mixture, x, sigmas, noise), last(DDPM(), mixture, x, sigmas, noise)
    assert (still - euler).abs().max() < 1e-12 and (full - ddpm).abs().max() < 1e-12
    assert (full - still).abs().max() > 0.1


def law(sampler: Sampler, denoise: Denoise, sigmas: list[float], moves: int = 1) -> tuple[float, float]:
    """Mean and variance of what comes out, without a draw: with a Gaussian's denoiser everything is linear in the start and the noises."""
    start = torch.zeros(moves * (len(sigmas) - 1) + 2, dtype=torch.double)
    start[1] = sigmas[0]

    def noise(i: int) -> Tensor:
        one = torch.zeros_like(start)
        one[2 + i] = 1
        return one
    out = last(sampler, denoise, start, sigmas, noise)
    return float(out[0]), float((out[1:] - out[0]).square().sum())


@pytest.mark.parametrize("sampler", EVERY, ids=name)
@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_many_steps_give_the_law(sampler: Sampler, spread: float) -> None:
    """Every sampler, whatever its noise, tends to the same law."""
    mean, variance = law(sampler, gaussian(0.8, spread), [*grid(2000), 0.0])
    assert mean == pytest.approx(0.8, abs=0.03) and variance == pytest.approx(spread**2, rel=0.03)


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_ddpm_encloses_the_variance(spread: float) -> None:
    """The small variance gives too little spread, the large one too much, and both err half as much with twice the steps."""
    gaps = {kind: [law(DDPM(variance=kind), gaussian(0.0, spread), grid(n, 0.01))[1] - spread**2 - 0.01**2 for n in (100, 200, 400)] for kind in ("small", "large")}  # type: ignore[arg-type]
    assert all(g < 0 for g in gaps["small"]) and all(g > 0 for g in gaps["large"])
    assert all(1.7 < a / b < 2.6 for found in gaps.values() for a, b in pairwise(found))


@pytest.mark.parametrize(("now", "ahead", "data", "at"), [(3.0, 1.0, 0.4, -2.0), (0.05, 0.01, -1.1, -1.0), (80.0, 79.0, 2.0, 100.0)])
def test_a_step_of_ddpm_is_the_law_of_less_noise_given_more(now: float, ahead: float, data: float, at: float) -> None:
    """(x at `ahead`, x at `now`) given the data is a Gaussian of covariance [[a^2, a^2], [a^2, n^2]]: conditioned by the inverse of its matrix."""
    cov = torch.tensor([[ahead**2, ahead**2], [ahead**2, now**2]], dtype=torch.double)
    precision = torch.linalg.inv(cov)
    mean = data - float(precision[0, 1] / precision[0, 0]) * (at - data)
    x = torch.tensor([at], dtype=torch.double)
    made = [float(last(DDPM(), lambda x, s: torch.full_like(x, data), x, [now, ahead], lambda i, z=z: torch.tensor([z], dtype=torch.double))) for z in (0.0, 1.0)]  # type: ignore[misc]
    assert made[0] == pytest.approx(mean, abs=1e-10) and (made[1] - made[0]) ** 2 == pytest.approx(1 / float(precision[0, 0]), rel=1e-10)


@pytest.mark.parametrize("size", [0.05, 0.4, 1.0, 2.0])
def test_langevin_keeps_the_law_of_a_single_point(size: float) -> None:
    """Data at 2.5 with noise sigma: many moves at one level end with that mean and variance, whatever their size."""
    moves = round(60 / size)
    mean, variance = law(Langevin(moves=moves, size=size), lambda x, s: torch.full_like(x, 2.5), [3.0, 0.7], moves)
    assert mean == pytest.approx(2.5, abs=1e-6) and variance == pytest.approx(0.7**2, rel=1e-6)


@pytest.mark.parametrize("spread", [0.3, 1.0, 2.0])
def test_small_moves_of_langevin_give_the_law_of_a_gaussian(spread: float) -> None:
    """At every level the moves tend to N(m, spread^2 + sigma^2): as they get smaller the error is halved."""
    gaps = []
    for size in (0.4, 0.2, 0.1):
        moves = round(40 * (1 + spread**2 / 0.5**2) / size)
        mean, variance = law(Langevin(moves=moves, size=size), gaussian(0.8, spread), [1.0, 0.5], moves)
        gaps.append(abs(variance - spread**2 - 0.25))
        assert mean == pytest.approx(0.8, abs=1e-6)
    assert all(a / b > 1.7 for a, b in pairwise(gaps)) and gaps[-1] < 0.05 * spread**2


def test_annealed_langevin_finds_planted_modes() -> None:
    """25 modes of unequal shares, drawn with the analytic score: all are found, each as often as it is likely, as tight as it is."""
    centres = torch.cartesian_prod(*[torch.linspace(-1.5, 1.5, 5, dtype=torch.double)] * 2)
    share = torch.linspace(1, 3, 25, dtype=torch.double)
    share, spread = share / share.sum(), 0.05

    def denoise(x: Tensor, sigma: float) -> Tensor:
        gap, variance = x[:, None] - centres, spread**2 + sigma**2
        weight = (share.log() - 0.5 * gap.square().sum(2) / variance).softmax(1)
        return (weight[:, :, None] * (centres + spread**2 / variance * gap)).sum(1)
    n, sigmas = 3000, [float(80 * (0.004 / 80) ** (i / 64)) for i in range(64)] + [0.0]
    made = last(Langevin(), denoise, 80 * Rng(1).normal(n, 2), sigmas, lambda i: Rng(2).child(i).normal(n, 2))
    far, which = torch.cdist(made, centres).min(1)
    found = torch.bincount(which, minlength=25) / n
    error = (share * (1 - share) / n).sqrt()
    assert float((far < 3 * spread).double().mean()) > 0.97
    assert float(((found - share) / error).square().sum()) < 60
    assert float(far.square().mean().sqrt()) == pytest.approx(2**0.5 * spread, rel=0.12)


def test_langevin_asks_once_a_move() -> None:
    asked: list[float] = []

    def denoise(x: Tensor, sigma: float) -> Tensor:
        asked.append(sigma)
        return x / (1 + sigma**2)
    states = list(Langevin(moves=3).states(denoise, Rng(3).normal(9), [5.0, 2.0, 0.5, 0.0], lambda i: Rng(4).child(i).normal(9)))
    assert asked == [2.0] * 3 + [0.5] * 4 and len(states) == 3


@pytest.mark.parametrize(("now", "ahead"), [(5.0, 2.0), (0.7, 0.3), (2.0, 0.0)])
def test_churn_draws_the_reverse_diffusion(now: float, ahead: float) -> None:
    """Data of N(0, 1): given x at sigma, what comes at s has mean x (1 + s^2) / (1 + sigma^2) and variance (1 + s^2) (sigma^2 - s^2) / (1 + sigma^2), in many steps."""
    sigmas = [now + (ahead - now) * i / 40 for i in range(41)]
    made = last(Churn(), lambda x, sigma: x / (1 + sigma**2), torch.full((40_000,), 1.3, dtype=torch.double), sigmas, lambda i: Rng(7).child(i).normal(40_000))
    assert float(made.mean()) == pytest.approx(1.3 * (1 + ahead**2) / (1 + now**2), abs=0.02)
    assert float(made.var()) == pytest.approx((1 + ahead**2) * (now**2 - ahead**2) / (1 + now**2), rel=0.03)


def test_churn_keeps_the_laws_with_noise() -> None:
    """Of a mixture: its spread and third moment, from one level to the next, with noise put back on the way."""
    pick, noise = Rng(1).uniform(60_000) < float(SHARE[0]), Rng(2).normal(60_000, 2)
    data = torch.where(pick, MEANS[0] + SPREADS[0] * noise[:, 0], MEANS[1] + SPREADS[1] * noise[:, 0])
    made = last(Churn(), mixture, data + 2.0 * noise[:, 1], [2.0, 1.5, 1.1, 0.8, 0.6, 0.45, 0.3, 0.2, 0.1], lambda i: Rng(8).child(i).normal(60_000))
    true = data + 0.1 * Rng(3).normal(60_000)
    for power in (1, 2, 3):
        assert float(made.pow(power).mean()) == pytest.approx(float(true.pow(power).mean()), abs=0.04)


def test_which_samplers_part() -> None:
    assert all(isinstance(parting(s), Churn) for s in STILL) and all(parting(s) is s for s in EVERY if s not in STILL)
