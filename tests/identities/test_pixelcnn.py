"""Laws of the PixelCNN: what a pixel sees, total mass, drawing against scoring, beginnings, logistics cut into cells."""
from __future__ import annotations

from math import log, prod
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, logistic
from torch import Tensor

from ilk.batch import Batch, Memory
from ilk.errors import UsageError
from ilk.families.pixelcnn import PixelCNN, PixelCnn
from ilk.given import Held, Weigh
from ilk.nets._logistic import drawn, log_mass
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Reals, Space

torch.set_num_threads(1)


def body(shape: tuple[int, ...], levels: int = 2, about: dict[str, Space] | None = None, **options: Any) -> PixelCnn:
    """Weights large enough that every part of the network shows."""
    made = PixelCNN(**{"layers": 3, "width": 6, "parts": 3, **options}).build(Discrete(levels, shape), Rng(0), about)
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.add_(0.5 * Rng(0).child("shake", i).normal(p.numel(), 1).reshape(p.shape).float())
    return made


def every(shape: tuple[int, ...], levels: int = 2) -> Tensor:
    return torch.cartesian_prod(*[torch.arange(levels)] * prod(shape)).reshape(-1, *shape)


@pytest.mark.parametrize("reach", [1, 2])
def test_a_pixel_sees_all_before_it_and_nothing_else(reach: int) -> None:
    """By gradients: no place from a pixel on is looked at, and within reach there is no blind spot."""
    net = body((9, 9), 256, reach=reach, layers=6).net
    x = torch.zeros(1, 1, 9, 9)
    net.planes = lambda y: torch.cat([y, torch.ones_like(y[:, :1])], 1)  # type: ignore[method-assign]
    for i, j in ((0, 0), (0, 4), (4, 4), (8, 8), (5, 0)):
        y = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(net(y, None)[0, i, j].sum(), y, allow_unused=True)
        seen = (slope[0, 0] != 0).flatten()
        assert seen.tolist() == [place < i * 9 + j for place in range(81)]


def test_channels_of_a_pixel_see_those_before_them() -> None:
    b = body((3, 3, 3), 4)
    x = Rng(2).integers(27, 4).reshape(1, 3, 3, 3)
    law = b.laws(Batch(x))
    for rank, place in enumerate(b.order.tolist()):
        y = x.flatten(1).clone()
        y[0, place] = (y[0, place] + 1) % 4
        changed = (b.laws(Batch(y.reshape(1, 3, 3, 3))) - law)[0].abs() > 1e-6
        assert not bool(changed[:rank].any()) and bool(changed[rank]) and bool(changed[rank + 1:rank + 4].all())


SHAPES = [((3, 3), 2, "auto"), ((2, 2, 2), 3, "categorical"), ((2, 2), 6, "logistic"), ((7,), 2, "auto"), ((1, 3, 3), 2, "logistic")]


@pytest.mark.parametrize(("shape", "levels", "output"), SHAPES)
def test_all_pictures_together_have_mass_one_and_are_drawn_by_it(shape: tuple[int, ...], levels: int, output: str) -> None:
    b, x = body(shape, levels, output=output), every(shape, levels)
    law = b.log_prob(Batch(x)).exp()
    assert float(law.sum()) == pytest.approx(1.0, abs=1e-5)
    place = (b.sample(6000, Rng(1)).tensor.flatten(1) * levels ** torch.arange(prod(shape) - 1, -1, -1)).sum(1)
    seen, want = torch.bincount(place, minlength=len(x)).double(), 6000 * law
    few = want < 5
    pooled = [torch.cat([t[~few], t[few].sum()[None]]).numpy() for t in (seen, want)]
    assert chisquare(pooled[0], pooled[1] / pooled[1].sum() * 6000).pvalue > 1e-4


def test_drawing_works_out_what_scoring_does() -> None:
    """Every pixel's law as it is drawn from is the one that scores it."""
    b, said = body((2, 5, 4), 256, {"size": Reals((2,))}), []
    context = {"size": Batch(Rng(3).normal(3, 2))}

    def draw(told: Tensor, place: int, channel: int) -> Tensor:
        said.append(told)
        return Rng(4).child(place, channel).integers(3, 256)

    x = b.net.fill(torch.zeros(3, 2, 5, 4, dtype=torch.long), 0, b._about(Batch(torch.zeros(3), context=context)), draw)
    whole = b.net(x, b._about(Batch(x, context=context))).flatten(1, 3)
    assert torch.allclose(torch.stack(said, 1), whole, atol=1e-4)


@pytest.mark.parametrize("levels", [2, 3, 16, 256])
def test_cells_of_a_mixture_are_differences_of_distribution_functions(levels: int) -> None:
    told = Rng(0).normal(7, 6).float() * torch.tensor([1, 1, 1, 1, 3, 3])
    law = log_mass(told[:, None].expand(7, levels, 6), torch.arange(levels).expand(7, levels), levels).double()
    assert torch.allclose(law.exp().sum(1), torch.ones(7).double(), atol=1e-5)
    weight, mean, scale = told.double()[:, :2].softmax(1).numpy(), told[:, 2:4].double().numpy(), (told[:, 4:].double() - 2).clamp_min(-7).exp().numpy()
    edges = (np.arange(levels + 1) - 0.5) * 2 / (levels - 1) - 1
    edges[0], edges[-1] = -np.inf, np.inf
    cells = np.diff(logistic.cdf(edges[None, :, None], mean[:, None], scale[:, None]), axis=1)
    want = np.log((cells * weight[:, None]).sum(2) + 1e-300)
    seen = want > -12
    assert np.abs(law.numpy() - want)[seen].max() < 1e-3


def test_a_mixture_is_drawn_by_its_law() -> None:
    told = torch.tensor([0.3, -0.4, 0.5, -0.6, 0.2, 2.0])
    made = drawn(told.expand(20_000, 6), Rng(1).uniform(20_000, 2), 12)
    law = log_mass(told.expand(12, 6), torch.arange(12), 12).double().exp()
    assert chisquare(torch.bincount(made, minlength=12).numpy(), (law / law.sum() * 20_000).numpy()).pvalue > 1e-3


def test_the_first_pixels_are_kept_exactly() -> None:
    b, x = body((3, 3)), every((3, 3))
    mask = torch.zeros(3, 3, dtype=torch.bool)
    mask[0] = mask[1, 0] = True
    kept = torch.tensor([[1, 0, 1], [1, 0, 0], [0, 0, 0]])
    found = b.given(Held(mask, kept), Rng(0))
    assert found is not None and found.met.sort == "exact"
    agrees = (x[:, mask] == kept[mask]).all(1)
    law = b.log_prob(Batch(x))
    assert found.met.log_mass == pytest.approx(float(law[agrees].logsumexp(0)), abs=1e-5)
    assert float(found.log_prob(Batch(x)).exp().sum()) == pytest.approx(1.0, abs=1e-5)
    made = found.sample(4000, Rng(1)).tensor
    assert bool((made[:, mask] == kept[mask]).all())
    last = (made[:, 2, 2].double().mean() - (law.exp() * x[:, 2, 2])[agrees].sum() / law[agrees].exp().sum()).abs()
    assert float(last) < 0.04


def test_what_is_said_far_from_the_beginning_is_not_met() -> None:
    assert body((8, 8), 256).given(Weigh({60: torch.zeros(256)}), Rng(0)) is None


def test_a_large_beginning_is_met_at_the_price_of_one_pass() -> None:
    b = body((12, 12), 256)
    x = b.sample(1, Rng(5)).tensor
    mask = torch.zeros(12, 12, dtype=torch.bool)
    mask[:6] = True
    found = b.given(Held(mask, x[0]), Rng(0))
    assert found is not None
    assert found.met.log_mass == pytest.approx(float(b.laws(Batch(x))[:, :72].detach().double().sum()), abs=1e-3)
    assert bool((found.sample(3, Rng(1)).tensor[:, :6] == x[0, :6]).all())


def test_before_it_learns_it_knows_how_often_each_level_comes() -> None:
    x = (Rng(0).uniform(200, 4, 4) < 0.2).long()
    b = PixelCNN(width=4, layers=1).build(Discrete(2, (4, 4)), Rng(0))
    b.prepare(Memory(Batch(x)))
    share = float(x.double().mean())
    entropy = -16 * (share * log(share) + (1 - share) * log(1 - share))
    assert -float(b.log_prob(Batch(x)).mean()) == pytest.approx(entropy, abs=0.02)


@pytest.mark.learns
def test_it_learns_stripes() -> None:
    """Rows repeat the first one: beyond it all is certain."""
    row = (Rng(0).uniform(400, 1, 5) < 0.5).long()
    x = Batch(row.repeat(1, 4, 1))
    b = PixelCNN(width=12, layers=2).build(Discrete(2, (4, 5)), Rng(0))
    b.fit(Memory(x), Run(seed=0, budget=Steps(200), batch=32, rate=5e-3))
    assert -float(b.log_prob(x).mean()) < 5 * log(2) + 0.3
    made = b.sample(200, Rng(1)).tensor
    assert float((made == made[:, :1]).double().mean()) > 0.97


def test_records_of_several_sizes_are_refused() -> None:
    for space in (Discrete((2, 3), (2,)), Discrete(1, (3,)), Discrete(2), Reals((3,))):
        with pytest.raises(UsageError, match="pictures"):
            PixelCNN().build(space, Rng(0))
