"""Laws of variational autoencoders: probabilistic PCA with its exact posterior, importance weighting, the KL of Gaussians."""
from __future__ import annotations

from dataclasses import dataclass, replace
from math import log
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from torch import Tensor, nn

from ilk.batch import Batch, Memory
from ilk.distribution import Port
from ilk.families.vae import VAE, Vae
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Reals, Space

torch.set_num_threads(1)


class Linear(nn.Module):
    """x -> A x + b, and a constant log variance beside the mean where an encoder wants one."""

    def __init__(self, takes: int, gives: tuple[int, ...]) -> None:
        super().__init__()
        self.map = nn.Linear(takes, gives[0])

    def forward(self, x: Tensor, about: Tensor | None = None) -> Tensor:
        out: Tensor = self.map(x.flatten(1))
        return out


@dataclass(frozen=True)
class Straight:
    """Linear networks for every port."""

    def __call__(self, port: Port) -> nn.Module:
        return Linear(int(np.prod(port.takes)), port.gives)


def ppca(d: int = 4, q: int = 2, draws: int = 1, seed: int = 0, off: float = 0.0) -> tuple[Vae, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """x = W z + mean + noise as a VAE whose encoder is the exact posterior; `off` moves it away. Covariances of q must be diagonal: W has orthogonal columns."""
    g = np.random.Generator(np.random.Philox(key=seed))
    basis, _ = np.linalg.qr(g.normal(size=(d, q)))
    w, mean, noise = basis * g.uniform(0.5, 1.5, q), g.normal(size=d), 0.3
    body = VAE(codes=q, draws=draws, net=Straight()).build(Reals((d,)), Rng(0))
    assert isinstance(body, Vae)
    inner = w.T @ w + noise * np.eye(q)
    gain = np.linalg.solve(inner, w.T)
    body.double()
    parts: Any = body
    with torch.no_grad():
        parts.decoder.map.weight.copy_(torch.from_numpy(w))
        parts.decoder.map.bias.copy_(torch.from_numpy(mean))
        parts.log_var.fill_(0.125)
        parts.log_var.fill_(log(noise) / (float(parts.noise().mean()) / 0.125))  # however it is kept, this is the log variance that is used
        parts.encoder.map.weight.copy_(torch.cat([torch.from_numpy(gain), torch.zeros(q, d)]))
        variance = np.diag(noise * np.linalg.inv(inner))
        parts.encoder.map.bias.copy_(torch.cat([torch.from_numpy(-gain @ mean) + off, torch.from_numpy(np.log(variance)) + off]))
    return body, w @ w.T + noise * np.eye(d), mean


class Doubled(Vae):
    """The same in float64: the law is exact, so rounding would hide it."""

    def _standard(self, batch: Batch) -> Tensor:
        return super()._standard(batch).double()

    def _noise(self, rng: Rng, n: int) -> Tensor:
        return rng.normal(n, self.family.codes)


def doubled(body: Vae) -> Vae:
    body.__class__ = Doubled
    return body


def points(n: int, d: int = 4) -> Tensor:
    """Numbers that float32 holds exactly."""
    return Rng(3).normal(n, d).float().double()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("d", "q", "n"), [(4, 2, 9), (3, 1, 1), (5, 5, 4)])
def test_with_the_exact_posterior_the_bound_is_the_density(seed: int, d: int, q: int, n: int) -> None:
    """Identity 8: ELBO = log N(x; mean, W W' + sigma^2 I) for every x, every draw, batch of one included."""
    body, cov, mean = ppca(d, q, seed=seed)
    x = points(n, d)
    want = torch.from_numpy(np.atleast_1d(multivariate_normal.logpdf(x.numpy(), mean, cov)))
    assert (doubled(body).log_prob_bound(Batch(x), Rng(1)) - want).abs().max() < 1e-10
    plain = ppca(d, q, seed=seed)[0].float()
    assert (plain.log_prob_bound(Batch(x), Rng(1)) - want).abs().max() < 1e-4 * d


@pytest.mark.parametrize("draws", [1, 5, 20])
def test_with_the_exact_posterior_there_is_no_variance(draws: int) -> None:
    body = doubled(ppca(draws=draws)[0])
    found = torch.stack([body.log_prob_bound(Batch(points(6)), Rng(k)) for k in range(8)])
    assert found.std(0).max() < 1e-12


def test_the_training_loss_is_the_bound_on_average() -> None:
    body, cov, mean = ppca(off=0.4)
    body = doubled(body)
    x = points(3)
    losses = torch.stack([-body._loss(Batch(x), Rng(k)) for k in range(1200)])
    bounds = torch.stack([body.log_prob_bound(Batch(x), Rng(k)) for k in range(1200)])
    error = (losses.std(0).square() + bounds.std(0).square()).sqrt() / 1200**0.5
    assert bool(((losses.mean(0) - bounds.mean(0)).abs() < 4 * error).all())
    assert bool((losses.mean(0) < torch.from_numpy(multivariate_normal.logpdf(x.numpy(), mean, cov))).all())


@pytest.mark.parametrize("off", [0.3, 0.8])
def test_more_draws_never_lower_the_bound(off: float) -> None:
    """Identity 9: E[IWAE_k] does not fall with k, and stays below log p."""
    x, before, far = points(1), (-1e9, 0.0), 400
    body, cov, mean = ppca(off=off)
    true = float(multivariate_normal.logpdf(x.numpy(), mean, cov))
    for draws in (1, 2, 5, 20):
        body.family = replace(body.family, draws=draws)
        found = doubled(body).log_prob_bound(Batch(x.expand(far, -1)), Rng(7))
        value, error = float(found.mean()), float(found.std()) / far**0.5
        assert value > before[0] - 2 * (error**2 + before[1] ** 2) ** 0.5 and value < true + 3 * error
        before = (value, error)
    assert true - before[0] < 0.6


@settings(max_examples=30, deadline=None)
@given(st.floats(-3, 3), st.floats(-4, 3))
def test_the_kl_of_gaussians(mean: float, log_var: float) -> None:
    """Identity 10: 1/2 (m^2 + s^2 - 1 - log s^2) = torch's, and = the mean of log q - log p."""
    m, v = torch.tensor(mean).double(), torch.tensor(log_var).double()
    closed = 0.5 * (m.square() + v.exp() - 1 - v)
    q, p = torch.distributions.Normal(m, (0.5 * v).exp()), torch.distributions.Normal(torch.zeros(()).double(), torch.ones(()).double())
    assert float(closed) == pytest.approx(float(torch.distributions.kl_divergence(q, p)), abs=1e-12)
    z = m + (0.5 * v).exp() * Rng(1).normal(4000)
    gap = q.log_prob(z) - p.log_prob(z)
    assert abs(float(gap.mean() - closed)) < 4 * float(gap.std()) / 4000**0.5 + 1e-12


@pytest.mark.parametrize("mean", [-1.3, 0.0, 2.0])
def test_the_kl_in_the_loss_is_that_one(mean: float) -> None:
    """A decoder that ignores z leaves loss = KL - log N(x): what remains is the closed form."""
    body, _, _ = ppca(3, 2)
    body = doubled(body)
    parts: Any = body
    with torch.no_grad():
        parts.decoder.map.weight.zero_()
        parts.encoder.map.weight.zero_()
        parts.encoder.map.bias.copy_(torch.tensor([mean, 0.5, -0.7, 0.4]))
    x = points(4, 3)
    base = torch.distributions.Normal(parts.decoder.map.bias, (0.5 * parts.noise()).exp()).log_prob(x).sum(1)
    want = 0.5 * (mean**2 + 0.5**2 + np.exp(-0.7) + np.exp(0.4) - 2 + 0.7 - 0.4)
    assert torch.allclose(body._loss(Batch(x), Rng(0)) + base, torch.full((4,), want).double(), atol=1e-6)


def test_scales_are_part_of_the_density() -> None:
    """Fitted to a x + b instead of x, it scores n log a less: units are the data's own."""
    x = Rng(1).normal(300, 2).float().double()
    found = []
    for scale, shift in ((1.0, 0.0), (64.0, 1024.0)):
        body = VAE(codes=1, draws=4).build(Reals((2,)), Rng(0))
        assert isinstance(body, Vae)
        batch = Batch(x * scale + shift)
        body.fit(Memory(batch), Run(seed=1, budget=Steps(5)))
        found.append(body.log_prob_bound(batch, Rng(2)))
    assert torch.allclose(found[0] - 2 * log(64), found[1], atol=2e-3)


def test_the_bound_of_bits_is_a_bound() -> None:
    """Sum over all 2^5 items of the mean bound is at most 1; with many draws it is near."""
    every = torch.cartesian_prod(*[torch.arange(2)] * 5)
    total = []
    for draws in (1, 200):
        body = VAE(codes=2, draws=draws).build(Discrete(2, (5,)), Rng(0))
        assert isinstance(body, Vae)
        body.fit(Memory(Batch(every.repeat(4, 1))), Run(seed=1, budget=Steps(20)))
        total.append(float(torch.stack([body.log_prob_bound(Batch(every), Rng(k)) for k in range(10)]).mean(0).exp().sum()))
    assert total[0] < 1 and 0.99 < total[1] < 1.005


def test_samples_are_decoder_plus_noise() -> None:
    body, cov, mean = ppca()
    body.float()
    x = body.sample(40_000, Rng(3)).tensor.numpy()
    assert np.abs(x.mean(0) - mean).max() < 5 * (cov.diagonal().max() / 40_000) ** 0.5 and np.abs(np.cov(x.T) - cov).max() < 0.05
    assert body.decode(body.encode(Batch(points(3)))).tensor.shape == (3, 4)


@pytest.mark.parametrize("binary", [True, False])
def test_bfloat16_reaches_what_float32_does(binary: bool) -> None:
    """Numbers far from 0 too: scales of data are kept in full."""
    x = (Rng(1).uniform(1500, 12) < Rng(2).uniform(1500, 1)).long() if binary else 1001.3 + 0.2 * Rng(1).normal(1500, 12) + Rng(2).normal(1500, 1)
    space: Space = Discrete(2, (12,)) if binary else Reals((12,))
    found = []
    for precision in ("float32", "bfloat16"):
        body = VAE(codes=2, net=MLP(width=64)).build(space, Rng(0))
        body.fit(Memory(Batch(x[:1200])), Run(precision=precision, budget=Steps(300)), Memory(Batch(x[1200:])))  # type: ignore[arg-type]
        found.append(float(body.log_prob_bound(Batch(x[1200:]), Rng(3)).mean()))  # type: ignore[attr-defined]
    assert abs(found[0] - found[1]) < 0.3   # .02 and .08
