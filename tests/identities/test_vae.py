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
from ilk.distribution import Infers, Port
from ilk.families._likelihoods import QUICK
from ilk.families._vae_units import Units, divergence
from ilk.families.vae import VAE, Vae, normal
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Noted, Run, Steps
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
        parts.likelihood.log_var.fill_(log(noise) / QUICK)
        parts.encoder.map.weight.copy_(torch.cat([torch.from_numpy(gain), torch.zeros(q, d)]))
        variance = np.diag(noise * np.linalg.inv(inner))
        parts.encoder.map.bias.copy_(torch.cat([torch.from_numpy(-gain @ mean) + off, torch.from_numpy(np.log(variance)) + off]))
    return body, w @ w.T + noise * np.eye(d), mean


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
    assert (body.log_prob_bound(Batch(x), Rng(1)) - want).abs().max() < 1e-10
    plain = ppca(d, q, seed=seed)[0].float()
    assert (plain.log_prob_bound(Batch(x), Rng(1)) - want).abs().max() < 1e-4 * d


@pytest.mark.parametrize("draws", [1, 5, 20])
def test_with_the_exact_posterior_there_is_no_variance(draws: int) -> None:
    body = ppca(draws=draws)[0]
    found = torch.stack([body.log_prob_bound(Batch(points(6)), Rng(k)) for k in range(8)])
    assert found.std(0).max() < 1e-12


def test_the_training_loss_is_the_bound_on_average() -> None:
    body, cov, mean = ppca(off=0.4)
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
        found = body.log_prob_bound(Batch(x.expand(far, -1)), Rng(7))
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
    parts: Any = body
    with torch.no_grad():
        parts.decoder.map.weight.zero_()
        parts.encoder.map.weight.zero_()
        parts.encoder.map.bias.copy_(torch.tensor([mean, 0.5, -0.7, 0.4]))
    x = points(4, 3)
    base = torch.distributions.Normal(parts.decoder.map.bias, (0.5 * parts.likelihood.noise()).exp()).log_prob(x).sum(1)
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


# what the options make of the bound

def linear(seed: int = 0, **options: Any) -> Vae:
    """The same as a VAE of these options, its encoder off."""
    body = ppca(seed=seed, off=0.3)[0]
    body.family = replace(body.family, **options)
    return body


def test_what_is_inferred_explains_the_items() -> None:
    """With the exact posterior log p(x | z) + log p(z) - log q(z | x) is log p(x) for every z drawn, alone or in a batch."""
    body, cov, mean = ppca()
    x = points(7)
    want = torch.from_numpy(multivariate_normal.logpdf(x.numpy(), mean, cov))
    for batch, wanted in ((Batch(x), want), (Batch(x[:1]), want[:1])):
        codes, log_q = body.infer(batch, Rng(4))
        prior = torch.distributions.Normal(0.0, 1.0).log_prob(codes.tensor).sum(1)
        assert torch.allclose(body.log_likelihood(batch, codes) + prior - log_q, wanted, atol=1e-10)
    assert isinstance(body, Infers) and body.emit(codes, Rng(1)).tensor.shape == (1, 4)


def test_gradients_through_noise_are_those_of_the_score_function() -> None:
    """grad E_q f(z) with z = m + s e equals E_q f(z) grad log q(z), both with their errors (Kingma & Welling 2014, section 2.3)."""
    body, n = linear(), 60_000
    x = points(1)
    mean, log_var = (t.detach().expand(n, -1).clone().requires_grad_() for t in body.posterior(Batch(x)))
    noise = Rng(6).normal(n, 2)

    def gain(z: Tensor) -> Tensor:
        return body._fits(Batch(x.expand(n, -1)), body._heard(Batch(x.expand(n, -1)), z[:, None]), 1)[:, 0] + normal(z)
    through = torch.autograd.grad(gain(mean + (0.5 * log_var).exp() * noise).sum(), [mean, log_var])
    z = (mean + (0.5 * log_var).exp() * noise).detach()
    log_q = torch.distributions.Normal(mean, (0.5 * log_var).exp()).log_prob(z).sum(1)
    scored = torch.autograd.grad(((gain(z) - gain(z).mean()).detach() * log_q).sum(), [mean, log_var])
    for one, other in zip(through, scored, strict=True):
        error = (one.var(0) + other.var(0)).sqrt() / n**0.5
        assert bool(((one.mean(0) - other.mean(0)).abs() < 4 * error).all())
        assert bool((one.mean(0).abs() > 10 * error).any())   # and they are not both nothing


def test_several_draws_are_trained_on_their_bound() -> None:
    """The loss of importance=k is minus the bound of k draws in the mean; with the exact posterior it is -log p(x) without noise."""
    body, cov, mean = ppca()
    x, want = points(3), torch.from_numpy(multivariate_normal.logpdf(points(3).numpy(), *ppca()[2:0:-1]))
    body.family = replace(body.family, importance=5)
    assert torch.allclose(-body._loss(Batch(x), Rng(1)), want, atol=1e-10)
    off = linear(importance=5, draws=5)
    losses = torch.stack([-off._loss(Batch(x), Rng(k)).detach() for k in range(500)])
    bounds = torch.stack([off.log_prob_bound(Batch(x), Rng(k)) for k in range(500)])
    error = (losses.var(0) + bounds.var(0)).sqrt() / 500**0.5
    assert bool(((losses.mean(0) - bounds.mean(0)).abs() < 4 * error).all()) and bool((losses.mean(0) < want).all())


def test_beta_weighs_the_kl_alone() -> None:
    x = Batch(points(5))
    plain, heavy = (linear(beta=beta) for beta in (1.0, 3.5))
    kl = divergence(*plain.posterior(x)).sum(1)
    assert torch.allclose(heavy._loss(x, Rng(2)) - plain._loss(x, Rng(2)), 2.5 * kl, atol=1e-9)
    assert torch.equal(heavy.log_prob_bound(x, Rng(2)), plain.log_prob_bound(x, Rng(2)))


def test_free_bits_are_not_charged_for() -> None:
    """Codes whose mean KL is below the least cost the least and are pulled nowhere; the others cost their KL."""
    x = Batch(points(40))
    body = linear()
    kl = divergence(*body.posterior(x)).detach()
    least = float(kl.mean(0).mean())   # between the two codes
    free = linear(free_bits=least)
    below = kl.mean(0) <= least
    want = kl[:, ~below].sum(1) + least * int(below.sum())
    assert int(below.sum()) == 1
    assert torch.allclose(free._loss(x, Rng(2)) - body._loss(x, Rng(2)), want - kl.sum(1), atol=1e-9)
    mean = torch.zeros(40, 2).double().requires_grad_()
    free._toll(divergence(mean + 0.01, torch.zeros(40, 2).double())).sum().backward()  # type: ignore[no-untyped-call]
    assert mean.grad is None or float(mean.grad.abs().max()) == 0


def test_the_kl_warms_up_with_the_budget() -> None:
    """A fit tells the phase how much is used: the weight rises from 0 to beta within the share, and held-out items are judged at beta."""
    body = VAE(codes=1, warm_up=0.5, beta=2.0, net=MLP(width=4)).build(Reals((2,)), Rng(0))
    assert isinstance(body, Vae)
    seen, objective = [], body._objective
    body._objective = lambda batch, rng, weight: (seen.append(weight), objective(batch, rng, weight))[1]  # type: ignore[assignment, func-returns-value, method-assign]
    body.fit(Memory(Batch(Rng(1).normal(40, 2))), Run(budget=Steps(10)))
    assert seen == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.6, *[2.0] * 5])
    body.validate(Batch(Rng(1).normal(4, 2)), Rng(0))
    assert seen[-1] == 2.0


# posterior collapse, and what codes hold

def test_units_are_what_was_planted() -> None:
    """Two codes that move with the items and one that does not: variances of means and KLs by hand."""
    mean, log_var = torch.stack([Rng(1).normal(5000), 0.5 * Rng(2).normal(5000), torch.zeros(5000)], 1), torch.zeros(5000, 3).double()
    units = Units.of(mean, log_var)
    assert units.active.tolist() == [True, True, False]
    assert torch.allclose(units.variance, torch.tensor([1.0, 0.25, 0.0]).double(), rtol=0.1) and torch.allclose(units.kl, mean.square().mean(0) / 2)


def waves(n: int = 600) -> Tensor:
    """Ten numbers that two hidden ones say, and some noise."""
    hidden = Rng(1).normal(n, 2)
    return (hidden @ Rng(2).normal(2, 10)).sin() + 0.1 * Rng(3).normal(n, 10)


@pytest.mark.parametrize(("recipe", "fires"), [
    (VAE(codes=4, net=MLP(width=32)), False), (VAE(codes=4, net=MLP(width=32), beta=500.0), True), (VAE(codes=4, net=MLP(width=32), beta=500.0, free_bits=0.5), False),
    (VAE(codes=4, net=MLP(width=32), variance="decoded", warm_up=0.5), False)])
def test_the_alarm_of_collapse(recipe: VAE, fires: bool) -> None:
    said: list[str] = []
    body = recipe.build(Reals((10,)), Rng(0))
    assert isinstance(body, Vae)
    data = Memory(Batch(waves()))
    body.fit(data, Run(budget=Steps(300), listeners=(lambda e: said.append(e.text) if isinstance(e, Noted) else None,)))
    assert bool(said) == fires and (float(body.units(data).kl.sum()) < 0.1) == fires
    assert not fires or ("posterior collapse" in said[0] and "free_bits" in said[0] and "warm_up" in said[0] and "beta" in said[0])


def test_more_beta_less_kl_more_error() -> None:
    """The law of beta: each step up lowers the KL and raises the error of what is decoded."""
    x, found = waves(900), []
    for beta in (0.1, 0.3, 0.9, 2.7):
        body = VAE(codes=4, beta=beta, variance="fixed", net=MLP(width=32)).build(Reals((10,)), Rng(0))
        assert isinstance(body, Vae)
        body.fit(Memory(Batch(x[:700])), Run(budget=Steps(250)))
        held = Batch(x[700:])
        found.append((float(body.units(Memory(held)).kl.sum()), float((body.decode(body.encode(held)).tensor - held.tensor).square().mean())))
    for (kl, error), (less, worse) in zip(found, found[1:], strict=False):
        assert less < 0.9 * kl and worse > 1.1 * error


def shapes(n: int = 300) -> Tensor:
    """Bars of 12 x 12 pixels at a place and of a length that two numbers say."""
    place, length = Rng(1).integers(n, 8)[:, None, None], 3 + Rng(2).integers(n, 7)[:, None, None]
    down, right = torch.arange(12)[None, :, None], torch.arange(12)[None, None, :]
    return ((down - place - 2).abs() < 2) & (right < length)


def test_a_perceptual_term_is_of_training_only() -> None:
    """It is 0 for what looks the same, lowers the distance between features where it is asked for, and leaves the score the bound."""
    x, space = shapes()[:, None].long(), Discrete(2, (1, 12, 12))
    bodies = []
    for weight in (0.0, 3.0):
        body = VAE(codes=2, net=MLP(width=32), perceptual=weight).build(space, Rng(0))
        assert isinstance(body, Vae)
        body.fit(Memory(Batch(x)), Run(budget=Steps(80)))
        bodies.append(body)
    plain, seeing = bodies
    assert plain.looks is None and seeing.looks is not None
    batch, looks = Batch(x), seeing.looks
    shown = seeing.likelihood.shown(x)
    assert float(looks(shown, shown).abs().max()) == 0 and not any(p.requires_grad for p in looks.parameters())
    far = [float(looks(shown, b.likelihood.expected(b.heard(b.encode(batch)))).detach().mean()) for b in bodies]
    assert far[1] < 0.95 * far[0]
    y = seeing._heard(batch, seeing.posterior(batch)[0][:, None])
    assert float((seeing.log_likelihood(batch, seeing.encode(batch)) - seeing.likelihood.log_prob(y, x)).detach().abs().max()) < 1e-3
    assert "pictures" in str(VAE(perceptual=1.0).refuses(Reals((4,))))
