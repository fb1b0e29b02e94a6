"""A prior over codes: bounds below exact densities, any nesting, and that the parts fit together."""
from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import ilk
from ilk.batch import Batch, Memory
from ilk.distribution import HasBound, HasLogProb, Port, Samples
from ilk.errors import UsageError
from ilk.families.latent import CodedBound
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Many, Reals
from ilk.store import State


def linear(port: Port) -> nn.Module:
    """A network that any of these ports can have."""
    return nn.Sequential(nn.Flatten(), nn.Linear(int(torch.tensor(port.takes).prod()), int(torch.tensor(port.gives).prod())), nn.Unflatten(1, port.gives))


def blobs(n: int, seed: int) -> Batch:
    """Two clusters along a line in four dimensions."""
    rng = Rng(seed)
    along = torch.where(rng.child("side").uniform(n) < 0.3, -2.0, 2.0).double() + 0.3 * rng.child("along").normal(n)
    return Batch(along[:, None] * torch.tensor([1.0, 0.5, -0.5, 1.0]).double() + 0.1 * rng.child("x").normal(n, 4))


def fitted(recipe: ilk.Latent, seed: int, steps: int = 600) -> CodedBound:
    body = recipe.build(Reals((4,)), Rng(seed))
    body.fit(Memory(blobs(2000, 1)), Run(seed=seed, budget=Steps(steps)))
    assert isinstance(body, CodedBound)
    return body


@pytest.mark.parametrize("seed", [0, 1])
def test_a_prior_of_two_clusters_beats_a_normal_prior_and_stays_below_the_truth(seed: int) -> None:
    code = ilk.VAE(codes=1, net=ilk.MLP(width=32), beta=0.2)
    held = blobs(500, 2)
    bounds = {k: float(fitted(ilk.Latent(code=code, prior=ilk.GMM(components=k), draws=32), seed).log_prob_bound(held, Rng(3)).mean()) for k in (1, 4)}
    exact = ilk.GMM(components=2).build(Reals((4,)), Rng(0))
    exact.fit(Memory(blobs(20_000, 5)), Run())
    truth = float(exact.log_prob(held).mean())
    assert bounds[1] + 0.1 < bounds[4] < truth + 0.1, (bounds, truth)


def test_its_samples_have_the_shares_of_the_prior() -> None:
    body = fitted(ilk.Latent(code=ilk.VAE(codes=1, net=ilk.MLP(width=32), beta=0.2), prior=ilk.GMM(components=4)), 0)
    x = body.sample(4000, Rng(7)).tensor
    assert abs(float((x[:, 0] < 0).double().mean()) - 0.3) < 0.06 and abs(float(x[:, 0].abs().mean()) - 2.0) < 0.25


def test_more_draws_make_a_better_bound() -> None:
    body = fitted(ilk.Latent(code=ilk.VAE(codes=2, net=ilk.MLP(width=16)), prior=ilk.GMM(components=2), draws=1), 0, 200)
    held, found = blobs(300, 2), []
    for draws in (1, 8, 64):
        other = ilk.Latent(code=body.family.code, prior=body.family.prior, draws=draws).build(Reals((4,)), Rng(0))
        other.restore(body.state())
        assert isinstance(other, CodedBound)
        found.append(float(other.log_prob_bound(held, Rng(3)).mean()))
    assert found[0] < found[1] < found[2] + 1e-3


def test_a_code_without_codes_and_codes_without_a_prior_are_refused() -> None:
    for recipe, said in ((ilk.Latent(code=ilk.GMM()), "has none"), (ilk.Latent(prior=ilk.NGram()), "NGram")):
        with pytest.raises(UsageError, match=said):
            recipe.build(Reals((4,)), Rng(0))


def test_nesting_goes_as_deep_as_one_likes() -> None:
    inner = ilk.Latent(code=ilk.VAE(codes=2, net=ilk.MLP(width=16)), prior=ilk.GMM(components=2))
    body = ilk.Latent(code=ilk.VAE(codes=3, net=ilk.MLP(width=16)), prior=inner).build(Reals((4,)), Rng(0))
    body.fit(Memory(blobs(200, 1)), Run(budget=Steps(30)))
    again = body.family.build(Reals((4,)), Rng(1))
    again.restore(body.state())
    assert torch.equal(again.sample(5, Rng(2)).tensor, body.sample(5, Rng(2)).tensor)
    assert isinstance(body, HasBound) and bool(body.log_prob_bound(blobs(5, 3), Rng(0)).isfinite().all())


def test_codes_that_are_whole_numbers_have_priors_of_whole_numbers() -> None:
    space = Reals((1, 8, 8))
    x = torch.tensor(load_digits().images[:400] / 16.0)[:, None]
    for prior in (ilk.MADE(epochs=3) if hasattr(ilk.MADE, "epochs") else ilk.MADE(), ilk.Transformer(layers=1, heads=2, width=16, epochs=1)):
        body = ilk.Latent(code=ilk.VQVAE(), prior=prior).build(space, Rng(0))
        body.fit(Memory(Batch(x)), Run(budget=Steps(40)))
        assert isinstance(body, Samples) and body.sample(3, Rng(0)).tensor.shape == (3, 1, 8, 8)
        assert isinstance(body, HasBound) and not isinstance(body, HasLogProb)
        assert isinstance(body.code_space(), Discrete) and not isinstance(body.code_space(), Many)


def test_a_deep_belief_net_whose_layers_mirror_each_other_is_one_machine() -> None:
    """With p(h) the hidden law of the first machine itself, every draw of the bound is log p(v) (Hinton et al. 2006)."""
    space = Discrete(2, (6,))
    body = ilk.Latent(code=ilk.RBM(hidden=4), prior=ilk.RBM(hidden=6), draws=2).build(space, Rng(0))
    code, prior = body.code, body.prior
    rng = Rng(1)
    weight, visible, hidden = (rng.child(name).normal(*shape).float() for name, shape in (("w", (6, 4)), ("v", (6,)), ("h", (4,))))
    code.restore(State({**code.state().tensors, "weight": weight, "visible": visible, "hidden": hidden}))
    code.log_z = torch.tensor([code.machine.log_z(), 0.0]).double()
    prior.restore(State({**prior.state().tensors, "weight": weight.T.contiguous(), "visible": hidden, "hidden": visible}))
    prior.log_z = torch.tensor([prior.machine.log_z(), 0.0]).double()
    every = Batch(torch.cartesian_prod(*[torch.arange(2)] * 6))
    assert isinstance(body, CodedBound)
    assert torch.allclose(body.log_prob_bound(every, Rng(2)), code.log_prob(every), atol=1e-6)
    assert float(code.log_prob(every).exp().sum()) == pytest.approx(1)
