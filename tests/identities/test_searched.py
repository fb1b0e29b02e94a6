"""Codes searched for a known part: exact draws where the model is linear; what is known is kept, the rest fits."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk.families._searched import NEAR
from ilk.given import Fix, Keep, Label, Weigh, Within
from ilk.rng import Rng
from ilk.space import Discrete, Reals

A = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])   # items = A z


class Straight(torch.nn.Module):
    """A linear map of codes, so that items have a normal law."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self.still = torch.nn.Parameter(torch.zeros(1))
        self.score = torch.nn.Linear(port.takes[0] + port.about, port.gives[0]) if port.role != "decode" else None

    def forward(self, x: torch.Tensor, *about: torch.Tensor) -> torch.Tensor:
        return x @ A.T if self.score is None else self.score(x)


@pytest.mark.parametrize("low", [1.2, -0.7])
def test_of_a_linear_model_they_are_draws_of_the_posterior(low: float) -> None:
    body = ilk.GAN(codes=2, net=Straight).build(Reals((3,)), Rng(0))
    found = body.given(Fix({0: low}), Rng(1))
    x = found.sample(4000, Rng(2)).tensor
    gain = 1 / (1 + NEAR**2)   # z0 given z0 + noise = low
    cov = torch.eye(2) - torch.tensor([[gain, 0], [0, 0]])
    assert found.met.sort == "guided" and bool((x[:, 0] - low).abs().max() < 1e-9)
    assert x[:, 1:].mean(0).tolist() == pytest.approx((A[1:] @ torch.tensor([gain * low, 0.0])).tolist(), abs=0.05)
    assert torch.allclose(x[:, 1:].T.cov(), (A[1:] @ cov @ A[1:].T).double(), atol=0.06)


def test_ranges_are_obeyed() -> None:
    body = ilk.GAN(codes=2, net=Straight).build(Reals((3,)), Rng(0))
    x = body.given(Within({1: (0.5, 2.0)}), Rng(1)).sample(500, Rng(2)).tensor
    assert bool(((x[:, 1] >= 0.5) & (x[:, 1] <= 2)).all()) and float(x[:, 1].std()) > 0.2 and float(x[:, 0].mean()) > 0.3


def test_rows_are_independent_of_their_number() -> None:
    body = ilk.GAN(codes=2, net=Straight).build(Reals((3,)), Rng(0))
    found = body.given(Fix({0: 1.0}), Rng(1))
    assert torch.allclose(found.sample(20, Rng(2)).tensor[:7], found.sample(7, Rng(2)).tensor, atol=1e-5)


def test_sets_that_are_no_range_are_left_to_others() -> None:
    body = ilk.VAE(codes=2, likelihood="logistic").build(Discrete(5, (2, 2)), Rng(0))
    off = torch.tensor([0.0, -torch.inf, 0.0, 0.0, 0.0])
    assert body.given(Weigh({1: off}), Rng(0)) is None
    x = body.given(Weigh({1: off.roll(1)[[1, 2, 3, 4, 0]]}), Rng(0))
    assert x is None
    x = body.given(Weigh({2: torch.tensor([-torch.inf, 0.0, 0.0, -torch.inf, -torch.inf])}), Rng(0)).sample(50, Rng(1)).tensor
    assert x.dtype == torch.long and set(x[:, 1, 0].tolist()) <= {1, 2}


@pytest.fixture(scope="module")
def halves() -> ilk.Model:
    """A model of pictures of two halves, one as much brighter than grey as the other is darker; the label says nothing."""
    rng = np.random.default_rng(0)
    level = rng.normal(0, 40, 800)
    base = np.repeat(level[:, None, None], 8, 1) * np.where(np.arange(8) < 4, 1, -1)[None, :, None] * np.ones((1, 1, 8))
    x = (base + rng.normal(0, 4, (800, 8, 8)) + 128).clip(0, 255).astype(np.uint8)[..., None]
    data = ilk.Dataset(ilk.read(x, "image").modality, x, labels=ilk.Labels(torch.from_numpy(rng.integers(0, 2, 800)), (0, 1)))
    return ilk.fit(data, ilk.VAE(codes=2, net=ilk.MLP(width=64, depth=1)), budget=ilk.Steps(600))


@pytest.mark.parametrize("level", [60, 190])
def test_pictures_are_completed_by_what_they_are(halves: ilk.Model, level: int) -> None:
    made = halves.given(Label(1)).given(Keep({f"{i},{j},0": level for i in range(3) for j in range(3)})).sample(20)
    assert (made[:, :3, :3] == level).all()
    assert made[:, :4, 4:].mean() == pytest.approx(level, abs=20) and made[:, 4:].mean() == pytest.approx(256 - level, abs=20)


def test_an_edit_keeps_the_rest(halves: ilk.Model) -> None:
    x = halves.sample(2, seed=5)
    found = halves.edit(x, ilk.box(3, 3, 8, 8), n=2)
    assert (found[:2, :3] == x[:1, :3]).all() and (found[2:, :3] == x[1:2, :3]).all()
