"""Laws of items given what a decoder says: against torch and SciPy, masses that sum to 1, samples that follow them."""
from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from ilk.families._likelihoods import Bernoulli, Categorical, DiscretisedLogistic, Gaussian, Likelihood, Variance
from ilk.families.vae import VAE
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.space import Discrete, Reals
from ilk.testing import SPACES, check_family

torch.set_num_threads(1)
VARIANCES: tuple[Variance, ...] = ("learned", "decoded", "fixed")


def logistic(variance: Variance = "decoded", levels: int = 7, shape: tuple[int, ...] = (1,)) -> DiscretisedLogistic:
    made = DiscretisedLogistic((levels,) * prod(shape), shape, variance)
    made.prepare(Rng(5).integers(400, levels).reshape(-1, *[1] * len(shape)).expand(-1, *shape))
    return made


def outputs(law: Likelihood, n: int = 1) -> Tensor:
    return Rng(1).normal(n, *law.outputs).float()


@pytest.mark.parametrize("variance", VARIANCES)
def test_a_gaussian_is_torchs_in_the_datas_units(variance: Variance) -> None:
    law, x = Gaussian((3,), variance), 50 + 7 * Rng(2).normal(200, 3)
    law.prepare(x)
    if law.log_var is not None:
        torch.nn.init.normal_(law.log_var, std=0.1)
    y = outputs(law, 200)
    mean, log_var = law.spread(y)
    want = torch.distributions.Normal(mean.double() * law.scale + law.center, (0.5 * log_var.double()).exp() * law.scale).log_prob(x).sum(1)
    assert torch.allclose(law.log_prob(y, x), want, atol=2e-4)


def test_scales_of_pictures_are_of_channels() -> None:
    law, x = Gaussian((2, 5, 4), "fixed"), torch.tensor([3.0, 500.0]).double()[:, None, None] * Rng(3).normal(300, 2, 5, 4)
    law.prepare(x)
    assert law.scale.shape == (2, 1, 1) and torch.allclose(law.scale.flatten(), torch.tensor([3.0, 500.0]), rtol=0.05)
    want = torch.distributions.Normal(law.mean(torch.zeros(300, 2, 5, 4)), law.scale.double()).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(law.log_prob(torch.zeros(300, 2, 5, 4), x), want, atol=1e-3)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("levels", [1, 2, 7, 256])
def test_masses_of_levels_sum_to_one(levels: int, variance: Variance) -> None:
    law = logistic(variance, levels)
    y = outputs(law, 20)
    total = torch.stack([law.log_prob(y, torch.full((20, 1), k)) for k in range(levels)]).logsumexp(0)
    assert float(total.detach().abs().max()) < 1e-5


def test_masses_of_levels_are_differences_of_the_logistic_law() -> None:
    law = logistic(levels=11)
    y = outputs(law, 6)
    center, width = (t.double().numpy()[:, 0] for t in law.law(y))
    edges = np.concatenate([[-np.inf], (np.arange(10) + 0.5) / 5 - 1, [np.inf]])
    for k in range(11):
        want = np.diff(stats.logistic.cdf(edges[None, k:k + 2], center[:, None], width[:, None]))[:, 0]
        assert np.allclose(law.log_prob(y, torch.full((6, 1), k)).exp().detach().numpy(), want, atol=1e-6)


@pytest.mark.parametrize("far", [-200.0, 200.0])
def test_far_off_levels_have_finite_masses_and_slopes(far: float) -> None:
    """Differences of sigmoids would be 0 there."""
    law = logistic(levels=256)
    y = torch.tensor([[far, -30.0], [far, 30.0]], requires_grad=True)
    nats = law.log_prob(y, torch.full((2, 1), 128))
    nats.sum().backward()  # type: ignore[no-untyped-call]
    assert bool(nats.isfinite().all()) and y.grad is not None and bool(y.grad.isfinite().all()) and float(y.grad[:, 0].abs().min()) > 0


def test_samples_of_levels_follow_their_masses() -> None:
    law, n = logistic(levels=9), 20_000
    y = outputs(law).expand(n, -1)
    made = torch.bincount(law.sample(y, Rng(4))[:, 0], minlength=9)
    want = torch.stack([law.log_prob(y[:1], torch.full((1, 1), k)) for k in range(9)]).exp()[:, 0]
    assert stats.chisquare(made.numpy(), (want / want.sum()).numpy() * n).pvalue > 1e-3


def test_categories_are_torchs_and_stay_within_their_sizes() -> None:
    sizes, n = (1, 2, 5), 20_000
    law = Categorical(sizes, (3,))
    y = outputs(law)
    logits = y.reshape(5, 3).T
    made = law.sample(y.expand(n, -1), Rng(4))
    for place, size in enumerate(sizes):
        want = torch.distributions.Categorical(logits=logits[place, :size])
        share = torch.bincount(made[:, place], minlength=size).double() / n
        assert len(share) == size and float((share - want.probs).abs().max()) < 0.02
    x = torch.stack([torch.randint(s, (30,), generator=torch.Generator().manual_seed(1)) for s in sizes], 1)
    wanted = torch.stack([torch.distributions.Categorical(logits=logits[i, :s]).log_prob(x[:, i]) for i, s in enumerate(sizes)]).sum(0)
    assert torch.allclose(law.log_prob(y.expand(30, -1), x), wanted.double(), atol=1e-5)
    assert torch.equal(law.shown(x).reshape(30, 5, 3).argmax(1), x) and torch.equal(law.shown(x).sum(1), torch.full((30,), 3.0))


def test_bits_are_torchs() -> None:
    law, y, x = Bernoulli((4,)), Rng(1).normal(30, 4).float(), (Rng(2).uniform(30, 4) < 0.5).long()
    assert torch.allclose(law.log_prob(y, x), torch.distributions.Bernoulli(logits=y).log_prob(x.float()).double().sum(1), atol=1e-5)
    assert float((law.sample(y[:1].expand(20_000, -1), Rng(3)).double().mean(0) - y[0].sigmoid()).abs().max()) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "space"), [
    (VAE(codes=2, likelihood="categorical", net=MLP(width=16)), SPACES["record"]), (VAE(codes=2, likelihood="logistic", net=MLP(width=16)), SPACES["record"]),
    (VAE(codes=2, variance="decoded", net=MLP(width=16)), Discrete(5, (2,))),
    (VAE(codes=2, variance="decoded", net=MLP(width=16)), Reals((2,))), (VAE(codes=2, variance="fixed", importance=3, net=MLP(width=16)), Reals((3,))),
    (VAE(codes=2, likelihood="categorical", free_bits=0.1, warm_up=0.5, net=MLP(width=16)), SPACES["categories"])])
def test_every_likelihood_keeps_the_contract(recipe: VAE, space: Discrete | Reals) -> None:
    check_family(recipe, space)
    assert recipe.refuses(Reals((2,))) is None or recipe.likelihood != "auto"


def test_a_likelihood_of_other_numbers_is_refused() -> None:
    assert "whole numbers" in str(VAE(likelihood="logistic").refuses(Reals((2,))))
    assert VAE().refuses(Discrete(5, (2,))) is None and "likelihood=" in str(VAE().refuses(Discrete((2, 5), (2,))))
    assert "one draw" in str(VAE(free_bits=0.1, importance=5).refuses(Reals((2,))))
    assert float(logistic(levels=256).reach) * 2 == pytest.approx(2 / 255)
