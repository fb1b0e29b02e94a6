"""Laws of autoencoders: a linear one is principal components, a curved one beats them, noise teaches to clean; no law of codes, so no samples."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from torch import Tensor, nn

import ilk
from ilk.batch import Batch, Memory
from ilk.distribution import Encodes, HasBound, HasEstimate, HasLogProb, Port, Samples
from ilk.errors import UsageError
from ilk.families.autoencoder import Autoencoder, Coder
from ilk.nets.conv import Conv
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Reals, Space

torch.set_num_threads(1)


class Linear(nn.Linear):
    """A linear map, as any Port wants it."""

    def __init__(self, port: Port) -> None:
        super().__init__(int(np.prod(port.takes)), int(np.prod(port.gives)))


@dataclass(frozen=True)
class Straight:
    """Linear networks for every port."""

    def __call__(self, port: Port) -> nn.Module:
        return Linear(port)


def fitted(recipe: Autoencoder, x: Tensor, space: Space, seed: int = 0, **run: Any) -> Coder:
    body = recipe.build(space, Rng(seed))
    assert isinstance(body, Coder)
    body.fit(Memory(Batch(x)), Run(seed=seed, **run))
    return body


def error(body: Encodes, x: Tensor, of: Tensor | None = None) -> float:
    """Mean squared error of what comes back."""
    back = body.decode(body.encode(Batch(x))).tensor
    return float((back - (x if of is None else of)).double().square().mean())


def test_a_linear_one_finds_principal_components() -> None:
    """Baldi & Hornik (1989): the least squared error of linear maps through k numbers is that of the first k components, and nothing is below it."""
    x = Rng(1).normal(400, 6) @ torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.5, 0.3, 0.2]).double()) @ Rng(2).normal(6, 6)
    x = (x - x.mean(0)) / x.std(0, correction=0)
    body = fitted(Autoencoder(codes=2, net=Straight()), x, Reals((6,)), budget=Steps(1500), batch=400, rate=2e-2)
    pca = PCA(2).fit(x.numpy())
    least = float(np.square(pca.inverse_transform(pca.transform(x.numpy())) - x.numpy()).mean())
    assert least - 1e-6 < error(body, x) < 1.01 * least


@pytest.mark.learns
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("width", [2, 8])
def test_it_beats_principal_components_of_the_same_width(seed: int, width: int) -> None:
    """On digits it has not seen, at its defaults: error against PCA's."""
    pixels = load_digits().data
    order = np.random.Generator(np.random.Philox(key=seed)).permutation(len(pixels))
    train, test = torch.from_numpy(pixels[order[:1440]]), torch.from_numpy(pixels[order[1440:]])
    body = Autoencoder(codes=width).build(Reals((64,)), Rng(seed))
    assert isinstance(body, Coder)
    body.fit(Memory(Batch(train[:1300])), Run(seed=seed), Memory(Batch(train[1300:])))
    pca = PCA(width).fit(train.numpy())
    theirs = float(np.square(pca.inverse_transform(pca.transform(test.numpy())) - test.numpy()).mean())
    assert error(body, test) < 0.8 * theirs


def test_noise_teaches_to_clean() -> None:
    """With codes enough for a copy, a linear one learns not to copy but the Wiener filter: C (C + noise^2)^-1, C the covariance of clean items."""
    x = Rng(1).normal(2000, 4) @ Rng(2).normal(4, 4)
    x = (x - x.mean(0)) / x.std(0, correction=0)
    cov = x.T @ x / len(x)
    found = fitted(Autoencoder(codes=4, noise=0.8, net=Straight()), x, Reals((4,)), budget=Steps(1000), batch=500, rate=2e-2)
    zero, one = (found.decode(found.encode(Batch(points))).tensor for points in (torch.zeros(1, 4), torch.eye(4).double()))
    assert float((one - zero - torch.linalg.solve(cov + 0.64 * torch.eye(4), cov)).abs().max()) < 0.05


def test_bits_come_back() -> None:
    """Four patterns of bits fit through three numbers; nine tenths of the flipped bits are made good."""
    patterns = (Rng(1).uniform(4, 24) < 0.5).long()
    x = patterns[Rng(2).integers(800, 4)]
    body = fitted(Autoencoder(codes=3, noise=0.3, net=MLP(width=32)), x, Discrete(2, (24,)), budget=Steps(400))
    flipped = x.where(Rng(3).uniform(*x.shape) > 0.15, 1 - x)
    assert torch.equal(body.decode(body.encode(Batch(x))).tensor, x)
    assert float((body.decode(body.encode(Batch(flipped))).tensor != x).double().mean()) < 0.015


def test_the_loss_is_half_the_squared_error_and_a_constant() -> None:
    x = 5 + 3 * Rng(1).normal(50, 4)
    body = Autoencoder(codes=2, noise=0.4, net=MLP(width=8)).build(Reals((4,)), Rng(0))
    assert isinstance(body, Coder)
    body.prepare(Memory(Batch(x)))
    off = (body.decode(body.encode(Batch(x))).tensor - x) / body.likelihood.scale  # type: ignore[operator]
    rest = body.validate(Batch(x), Rng(0)).detach() - 0.5 * off.square().sum(1)
    assert float(rest.std()) < 1e-5 and float((body._loss(Batch(x), Rng(0)) - body.validate(Batch(x), Rng(0))).detach().abs().max()) > 1e-3


def test_it_makes_and_scores_nothing_and_says_why() -> None:
    model = ilk.fit(Rng(1).normal(60, 3).numpy(), Autoencoder(codes=1, net=MLP(width=4)), budget=Steps(5))
    assert isinstance(model.body, Encodes) and not isinstance(model.body, Samples | HasLogProb | HasBound | HasEstimate)
    for ask in (lambda: model.sample(3), lambda: model.score(Rng(2).normal(3, 3).numpy()), lambda: model.given("`0` > 1")):
        with pytest.raises(UsageError, match="which codes are likely") as why:
            ask()
        assert why.value.code == "CAPABILITY" and "Latent(" in str(why.value.remedy) and "vae" in str(why.value.remedy)
    between = ilk.interpolate(model, Rng(3).normal(1, 3).numpy(), Rng(4).normal(1, 3).numpy(), 4)
    assert between.shape == (4, 3)


@pytest.mark.parametrize("image", [(1, 28, 28), (3, 9, 8), (2, 4, 5), (1, 64, 40)])
@pytest.mark.parametrize("about", [0, 3])
def test_convolutions_of_any_size(image: tuple[int, ...], about: int) -> None:
    """Shapes are the port's, an item does not depend on its batch, and every pixel is seen and made."""
    net = Conv(width=4, hidden=16)
    there, back = net(Port("encode", image, (5,), about)), net(Port("decode", (5,), image, about))
    x, told = torch.randn(3, *image, generator=torch.Generator().manual_seed(1)), [torch.eye(3)] if about else []
    x.requires_grad_()
    codes = there(x, *told)
    made = back(codes, *told)
    assert codes.shape == (3, 5) and made.shape == (3, *image)
    alone = back(there(x[:1], *(t[:1] for t in told)), *(t[:1] for t in told))
    assert torch.allclose(alone, made[:1], atol=1e-5)
    assert there(x[:0], *(t[:0] for t in told)).shape == (0, 5) and back(codes[:0], *(t[:0] for t in told)).shape == (0, *image)
    codes.square().sum().backward(retain_graph=True)
    assert x.grad is not None and bool((x.grad != 0).all())
    moved = back(codes + 1, *told)
    assert float((moved != made).double().mean()) > 0.99


def test_convolutions_are_of_images() -> None:
    for port in (Port("denoise", (1, 8, 8), (1, 8, 8)), Port("encode", (64,), (2,)), Port("decode", (2,), (1, 3, 8))):
        with pytest.raises(UsageError, match="Conv encodes and decodes images"):
            Conv()(port)
