"""Laws of what noise levels do to items that are there: on Gaussian data everything is known in closed form."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

import ilk
from ilk.batch import Batch, Memory
from ilk.errors import UsageError
from ilk.families._denoising import Denoising
from ilk.families.cascade import BLUR, LOW, Levels
from ilk.given import About, Fix
from ilk.nets._noise import levels
from ilk.nets._pictured import regridded
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.samplers.ddpm import DDPM
from ilk.samplers.dpm_solver import DPMSolver
from ilk.samplers.heun import Heun
from ilk.space import Discrete, Maybe, Reals

torch.set_num_threads(1)

D = 3
ROOT = torch.tensor([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-0.3, 0.5, 0.7]], dtype=torch.double)
COV, MEAN = ROOT @ ROOT.T, torch.tensor([0.5, -1.0, 2.0], dtype=torch.double)
ITEM = torch.tensor([[2.0, 0.0, 1.0]], dtype=torch.double)
N = 20_000
SIDE = 4
PLACES = torch.cartesian_prod(torch.arange(SIDE), torch.arange(SIDE)).double()
WIDE = torch.linalg.inv(1.5 * torch.eye(SIDE * SIDE, dtype=torch.double) - 0.12 * (torch.cdist(PLACES, PLACES) < 1.5))   # neighbours lean on each other


def gain(cov: Tensor, sigma: float) -> Tensor:
    """Cov (Cov + sigma^2)^-1: how much of a deviation is data."""
    return cov @ torch.linalg.inv(cov + sigma**2 * torch.eye(len(cov), dtype=torch.double))


def ideal(mean: Tensor = MEAN, cov: Tensor = COV) -> Denoising:
    """A diffusion whose network is the closed form of N(mean, cov), in its own standardised numbers."""
    body = ilk.Diffusion(net=MLP(width=4, depth=1)).build(Reals((len(mean),)), Rng(0))
    assert isinstance(body, Denoising)
    body.center.copy_(mean)
    body.scale.fill_(2.0)

    def denoise(x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor:
        return torch.stack([gain(cov / 4, float(s)) @ row for row, s in zip(x.double(), sigma, strict=True)]).float() if len(set(sigma.tolist())) > 1 \
            else (x.double() @ gain(cov / 4, float(sigma[0])).T).float()
    wide: Any = body
    wide.denoise = denoise
    return body


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean(0), torch.cov(x.T)


# --- denoise

@pytest.mark.parametrize("sigma", [0.05, 0.7, 3.0])
def test_the_restored_item_is_the_posterior_mean(sigma: float) -> None:
    """E[x | x + sigma noise] = mean + Cov (Cov + sigma^2)^-1 (y - mean), in the items' own units."""
    y = MEAN + Rng(1).normal(50, D)
    found = ideal().restored(Batch(y), torch.full((50,), sigma, dtype=torch.double)).tensor
    assert (found - (MEAN + (y - MEAN) @ gain(COV, sigma).T)).abs().max() < 1e-4


def test_every_item_has_its_own_noise_and_none_is_left_alone() -> None:
    y = MEAN + Rng(1).normal(3, D)
    found = ideal().restored(Batch(y), torch.tensor([0.0, 0.5, 2.0], dtype=torch.double)).tensor
    wanted = torch.stack([y[0], *(MEAN + gain(COV, s) @ (row - MEAN) for row, s in zip(y[1:], (0.5, 2.0), strict=True))])
    assert torch.equal(found[0], y[0]) and (found - wanted).abs().max() < 1e-4


def test_channels_of_different_scale_are_restored_at_their_own_levels() -> None:
    """Independent numbers of spreads 1 and 100 under the same noise: each has the gain of its own."""
    spread = torch.tensor([1.0, 100.0], dtype=torch.double)
    body = ilk.Diffusion(net=MLP(width=4, depth=1)).build(Reals((2,)), Rng(0))
    body.scale.copy_(spread)
    body.denoise = lambda x, s, context: x / (1 + s[:, None] ** 2)   # type: ignore[method-assign]
    found = body.restored(Batch(torch.full((1, 2), 10.0, dtype=torch.double)), torch.tensor([5.0], dtype=torch.double)).tensor[0]
    assert torch.allclose(found, 10 * spread**2 / (spread**2 + 25), rtol=1e-4)


def test_estimated_noise_is_the_noise() -> None:
    """Smooth pictures with noise of 2, 8 and 20 levels; the estimate is off by a tenth at most, on a hundred of each."""
    from ilk.verbs.denoise import estimated

    wave = torch.linspace(0, 3, 32, dtype=torch.double).sin()
    smooth = 60 * wave[:, None] * wave[None]
    for sigma in (2.0, 8.0, 20.0):
        found = estimated(smooth + sigma * Rng(2).normal(100, 1, 32, 32))
        assert abs(float(found.mean()) / sigma - 1) < 0.1


# --- revise

@pytest.mark.parametrize("strength", [0.3, 0.5])
def test_revised_items_follow_the_law_of_noise_that_is_denoised(strength: float) -> None:
    """z = x + sigma noise, then a draw of p(data | z): mean + G (x - mean), covariance Cov - G Cov + G sigma^2 G'."""
    body, steps = ideal(), 300
    sigma = 2.0 * levels(body.path, steps, strength)[0]   # a scale of 2
    g = gain(COV, sigma)
    found = body.revise(Batch(ITEM.expand(8000, D)), strength, Rng(3), DDPM(steps=steps))
    mean, cov = moments(found.tensor)
    assert (mean - (MEAN + (ITEM[0] - MEAN) @ g.T)).abs().max() < 0.05
    assert (cov - (COV - g @ COV + sigma**2 * g @ g.T)).abs().max() < 0.08


@pytest.mark.parametrize("strength", [0.3, 0.6])
def test_revising_by_the_flow_moves_noise_along_it(strength: float) -> None:
    """The probability flow of Gaussian data is linear: A = Cov^1/2 (Cov + sigma^2)^-1/2; mean + A (x - mean), covariance sigma^2 A A'."""
    body = ideal()
    sigma = 2.0 * levels(body.path, 60, strength)[0]
    value, vector = torch.linalg.eigh(COV)
    a = vector @ torch.diag((value / (value + sigma**2)).sqrt()) @ vector.T
    mean, cov = moments(body.revise(Batch(ITEM.expand(N, D)), strength, Rng(3), Heun(steps=60)).tensor)
    assert (mean - (MEAN + (ITEM[0] - MEAN) @ a.T)).abs().max() < 0.05
    assert (cov - sigma**2 * a @ a.T).abs().max() < 0.06


def test_strength_has_its_two_ends() -> None:
    """0 is the item to the bit, 1 is what `sample` makes of the same noise, and between the distance grows."""
    body = ideal()
    items = Batch(ITEM.expand(40, D).contiguous())
    assert torch.equal(body.revise(items, 0.0, Rng(4)).tensor, items.tensor)
    assert torch.equal(body.revise(items, 1.0, Rng(4)).tensor, body.sample(40, Rng(4)).tensor)
    far = [float((body.revise(items, s, Rng(4)).tensor - items.tensor).norm(dim=1).mean()) for s in (0.05, 0.2, 0.4, 0.7)]
    assert far == sorted(far) and far[0] < 0.1
    assert torch.allclose(body.revise(items, 0.4, Rng(4)).tensor[:3], body.revise(items.cut(0, 3), 0.4, Rng(4)).tensor, atol=1e-5)


def test_kept_numbers_stay_while_the_rest_is_revised() -> None:
    told = ideal().given(Fix({0: 2.0}), Rng(0))
    assert told is not None
    found = told.revise(Batch(ITEM.expand(200, D)), 0.6, Rng(5)).tensor
    assert bool((found[:, 0] - 2.0).abs().max() < 1e-12) and float(found[:, 1].std()) > 0.3


@pytest.mark.parametrize(("cov", "known"), [(COV, 1), (None, 8)])
def test_what_is_kept_moves_the_rest_as_a_gaussian_says(cov: Tensor | None, known: int) -> None:
    """Kept numbers of Gaussian data: the rest has the mean of the conditional within a few hundredths, and its spread within a tenth or so."""
    cov = WIDE if cov is None else cov
    body = ideal(torch.zeros(len(cov), dtype=torch.double), cov)
    values = torch.linspace(-1, 1.5, known, dtype=torch.double)
    told = body.given(Fix({i: float(v) for i, v in enumerate(values)}), Rng(0))
    assert told is not None
    mean, spread = moments(told.sample(4000, Rng(1), DPMSolver(steps=20)).tensor[:, known:])
    back = cov[known:, :known] @ torch.linalg.inv(cov[:known, :known])
    ratio = (spread.diag() / (cov[known:, known:] - back @ cov[:known, known:]).diag()).sqrt()
    assert (mean - back @ values).abs().max() < 0.06 and float(ratio.min()) > 0.85 and float(ratio.max()) < 1.15


# --- invert

def test_the_flow_leads_back_where_it_came_from() -> None:
    """Noise of standard normal law, and items back within a hundredth of their spread."""
    body = ideal()
    x = MEAN + Rng(6).normal(2000, D) @ ROOT.T
    codes = body.encode(Batch(x))
    assert float((body.decode(codes).tensor - x).abs().max()) < 0.02
    mean, cov = moments(codes.tensor)
    assert mean.abs().max() < 0.1 and (cov - torch.eye(D, dtype=torch.double)).abs().max() < 0.12


# --- pictures beside pictures

def test_pictures_are_brought_to_the_grid_by_areas_and_lines() -> None:
    x = Rng(7).normal(2, 3, 4, 6)
    assert torch.equal(regridded(x, (4, 6)), x)
    assert torch.allclose(regridded(x, (12, 18)), interpolate(x, (12, 18), mode="bilinear", align_corners=False))
    flat = torch.full((1, 1, 9, 9), 3.0)
    assert torch.allclose(regridded(flat, (4, 5)), torch.full((1, 1, 4, 5), 3.0), atol=1e-5)
    large = Rng(8).normal(2, 1, 32, 32)
    assert abs(float(regridded(large, (8, 8)).mean() - large.mean())) < 0.02   # every pixel counts, not every fourth


class Seeing(torch.nn.Module):
    """A network that answers nothing and remembers what it was shown."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels, self.shown = channels, list[Tensor]()
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, time: Tensor, about: Tensor | None = None) -> Tensor:
        self.shown.append(x.detach())
        return x[:, :self.channels] * 0 + self.bias


def test_what_is_beside_is_shown_as_channels_with_a_flag() -> None:
    about = {"label": Discrete(3), "edges": Reals((2, 4, 4)), "depth": Maybe(Reals((1, 8, 8)))}
    body = ilk.Diffusion(net=lambda port: Seeing(port.gives[0])).build(Reals((1, 8, 8)), Rng(0), about)
    edges, depth = 5 + 3 * Rng(1).normal(64, 2, 4, 4), Rng(2).normal(64, 1, 8, 8)
    seen = torch.arange(64) % 2 == 0
    context = {"label": Batch(torch.zeros(64, dtype=torch.long)), "edges": Batch(edges), "depth": Batch(depth.where(seen[:, None, None, None], torch.tensor(99.0)), seen)}
    data = Batch(Rng(3).normal(64, 1, 8, 8), context=context)
    body.prepare(Memory(data))
    body.denoise(torch.zeros(64, 1, 8, 8), torch.ones(64), context)
    shown = body.net.shown[-1]
    assert shown.shape == (64, 1 + 3 + 2, 8, 8) and body.context.width == 3 + 1   # label and whether it is told: no channels
    standard = (edges - edges.mean((0, 2, 3), keepdim=True)) / edges.std((0, 2, 3), correction=0, keepdim=True)
    assert (shown[:, 1:3] - interpolate(standard, (8, 8), mode="bilinear")).abs().max() < 1e-5
    assert bool((shown[:, 3] == 0).all()) and bool((shown[seen, 5] == 0).all()) and bool((shown[~seen, 5] == 1).all()) and bool((shown[~seen, 4] == 0).all())
    body.denoise(torch.zeros(64, 1, 8, 8), torch.ones(64), {})
    assert bool((body.net.shown[-1][:, [1, 2, 4]] == 0).all()) and bool((body.net.shown[-1][:, [3, 5]] == 1).all())


def test_what_is_beside_is_left_out_now_and_then_in_training() -> None:
    """With drop .25 and two parts each is told with chance .75^2; untold ones are zeros and a flag."""
    about = {"label": Discrete(2), "edges": Reals((1, 4, 4))}
    body = ilk.Diffusion(drop=0.25, net=lambda port: Seeing(port.gives[0])).build(Reals((1, 8, 8)), Rng(0), about)
    context = {"label": Batch(torch.zeros(4000, dtype=torch.long)), "edges": Batch(Rng(1).normal(4000, 1, 4, 4))}
    body.phases()[0].loss(Batch(Rng(2).normal(4000, 1, 8, 8), context=context), Rng(3))
    untold = body.net.shown[-1][:, 2, 0, 0]
    assert set(untold.tolist()) == {0.0, 1.0} and abs(float(untold.mean()) - (1 - 0.75**2)) < 0.03
    assert bool((body.net.shown[-1][untold == 1, 1] == 0).all())


def test_models_without_pictures_beside_are_what_they_were() -> None:
    """The names and shapes of what was learned, and the network's port, do not change for vectors."""
    body = ilk.Diffusion().build(Reals((1, 8, 8)), Rng(0), {"label": Discrete(3), "size": Reals((2,))})
    assert {k for k in body.state().tensors if not k.startswith("net.")} == {"center", "scale", "context.center_size", "context.scale_size", "context.share"}
    assert body.net.port.takes == body.net.port.gives == (1, 8, 8) and body.net.port.about == 3 + 2 + 2   # type: ignore[union-attr]
    flat = ilk.Diffusion().build(Reals((5,)), Rng(0), {"edges": Reals((1, 4, 4))})
    assert flat.context.width == 16 + 1 and not flat.context.channels   # items that are no pictures are told numbers


@pytest.mark.learns
@pytest.mark.parametrize("seed", [0, 1])
def test_pictures_follow_what_lies_beside_them(seed: int) -> None:
    """Items that are a picture of another size beside them, enlarged, with noise: drawn ones follow theirs and not another's."""
    small = Rng(seed).normal(2000, 1, 4, 4)
    items = small.repeat_interleave(2, 2).repeat_interleave(2, 3) + 0.2 * Rng(seed + 9).normal(2000, 1, 8, 8)
    body = ilk.Diffusion(net=MLP(width=128, depth=2)).build(Reals((1, 8, 8)), Rng(seed), {"beside": Reals((1, 4, 4))})
    body.fit(Memory(Batch(items, context={"beside": Batch(small)})), ilk.Run(seed=seed, budget=ilk.Steps(400), batch=128))
    new = Rng(seed + 20).normal(100, 1, 4, 4)
    made = avg_pool2d(body.draw(100, Rng(1), {"beside": Batch(new)}).tensor, 2)
    own, other = float((made - new).square().mean()), float((made - new.roll(1, 0)).square().mean())
    assert own < 0.25 * other, (own, other)


# --- cascades

def pooled(side: int, factor: int) -> Tensor:
    """The matrix that takes the mean of blocks, (small, large)."""
    basis = torch.eye(side * side, dtype=torch.double).reshape(side * side, 1, side, side)
    return avg_pool2d(basis, factor).flatten(1).T


def gaussian_cascade() -> Levels:
    """Both parts in closed form for N(0, WIDE) on a 4 x 4 grid: a GMM of the small pictures, and the expected data given a small one."""
    body = ilk.Cascade(low=ilk.GMM(components=1), high=ilk.Diffusion(guidance=1.0, net=MLP(width=4, depth=1)), factor=2).build(Reals((1, SIDE, SIDE)), Rng(0))
    pool = pooled(SIDE, 2)
    back = WIDE @ pool.T @ torch.linalg.inv(pool @ WIDE @ pool.T)
    rest = WIDE - back @ pool @ WIDE

    def denoise(x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor:
        assert set(context) == {LOW, BLUR} and len(set(sigma.tolist())) == 1
        mean = context[LOW].tensor.flatten(1) @ back.T
        return (mean + (x.double().flatten(1) - mean) @ gain(rest, float(sigma[0])).T).reshape(x.shape).float()
    wide: Any = body.high
    wide.denoise = denoise
    return body


def test_upscaled_pictures_follow_the_law_of_large_given_small() -> None:
    """Mean and covariance of p(large | small) of a Gaussian, and blocks whose mean is the small picture's."""
    body, pool = gaussian_cascade(), pooled(SIDE, 2)
    back = WIDE @ pool.T @ torch.linalg.inv(pool @ WIDE @ pool.T)
    small = torch.tensor([1.0, -2.0, 0.5, 0.0], dtype=torch.double)
    mean, cov = moments(body.upscale(Batch(small.reshape(1, 1, 2, 2).expand(N, 1, 2, 2)), Rng(1), Heun(steps=40)).tensor.flatten(1))
    assert (mean - back @ small).abs().max() < 0.04
    assert (cov - (WIDE - back @ pool @ WIDE)).abs().max() < 0.04
    made = body.upscale(Batch(Rng(2).normal(50, 1, 2, 2)), Rng(1), Heun(steps=40)).tensor
    assert (avg_pool2d(made, 2) - Rng(2).normal(50, 1, 2, 2)).abs().max() < 0.02


def test_a_cascade_of_exact_parts_has_the_law_of_the_large_pictures() -> None:
    """Small pictures by their exact law, large ones given these: mean and covariance of the whole, and of the first level's."""
    body, pool = gaussian_cascade(), pooled(SIDE, 2)
    body.family = replace(body.family, blur=0.0)
    x = Rng(3).normal(N, SIDE * SIDE) @ torch.linalg.cholesky(WIDE).T
    body.low.fit(Memory(body._lows(Batch(x.reshape(N, 1, SIDE, SIDE)), Rng(0))), ilk.Run(seed=0))
    first, last = (s.items for s in body.unfold(N, Rng(4), Heun(steps=40)) if s.step)
    mean, cov = moments(avg_pool2d(first.tensor, 2).flatten(1))
    assert mean.abs().max() < 0.05 and (cov - pool @ WIDE @ pool.T).abs().max() < 0.05
    mean, cov = moments(last.tensor.flatten(1))
    assert mean.abs().max() < 0.06 and (cov - WIDE).abs().max() < 0.08
    assert bool((first.tensor[:, :, ::2, ::2] == first.tensor[:, :, 1::2, 1::2]).all())   # the first level is blocks


def test_large_pictures_learn_from_blurred_small_ones_and_how_blurred() -> None:
    """Noise conditioning: strengths are uniform up to `noise`, the noise is that many standard deviations, new whenever items are taken."""
    body = ilk.Cascade(low=ilk.GMM(components=1), factor=2, noise=0.8).build(Reals((1, 8, 8)), Rng(0))
    items = Batch(3 * Rng(1).normal(4000, 1, 8, 8))
    body.seen.look(items, body.smaller(items.tensor))
    pairs = body._pairs(items, Rng(2))
    strength = pairs.context[BLUR].tensor
    noise = (pairs.context[LOW].tensor - avg_pool2d(items.tensor, 2)).flatten(1)
    assert float(strength.min()) >= 0 and float(strength.max()) <= 0.8 and abs(float(strength.mean()) - 0.4) < 0.02
    assert abs(float((noise / strength[:, None]).std()) - float(avg_pool2d(items.tensor, 2).std())) < 0.03

    from ilk.families._stages import Fresh
    fresh = Fresh(Memory(items), body._pairs, Rng(3))
    one, two, again = (fresh.take(torch.tensor(rows)).context[LOW].tensor[0] for rows in ([0, 1], [0, 2], [0, 1]))
    assert torch.equal(one, again) and not torch.equal(one, two) and fresh.resident() is None


def test_labels_go_to_both_levels() -> None:
    """Both parts are told the label that is given, and the same one where none is."""
    seen: dict[str, list[Tensor]] = {"low": [], "high": []}
    body = ilk.Cascade(factor=2).build(Reals((1, 8, 8)), Rng(0), {"label": Discrete(2)})

    def watched(name: str, part: Any) -> None:
        draw = part.draw

        def watching(n: int, rng: Rng, context: Mapping[str, Batch], how: Any = None) -> Batch:
            seen[name].append(context["label"].tensor)
            return draw(n, rng, context, how)   # type: ignore[no-any-return]
        part.draw = watching
    watched("low", body.low)
    watched("high", body.high)
    body.sample(40, Rng(1))
    told = body.given(About({"label": Batch(torch.tensor([1]))}), Rng(0))
    assert told is not None
    told.sample(3, Rng(2))
    assert torch.equal(seen["low"][0], seen["high"][0]) and 0 < int(seen["low"][0].sum()) < 40
    assert seen["low"][1].tolist() == seen["high"][1].tolist() == [1, 1, 1]
    small = Batch(torch.zeros(2, 1, 4, 4))
    told.upscale(small, Rng(2))
    assert seen["high"][2].tolist() == [1, 1]


def test_upscaling_never_makes_a_label_up() -> None:
    """A small picture whose label nobody says is enlarged without any; a part that can't do without says so."""
    body = ilk.Cascade(factor=2).build(Reals((1, 8, 8)), Rng(0), {"label": Discrete(2)})
    told: list[set[str]] = []
    draw = body.high.draw
    body.high.draw = lambda n, rng, context, how=None: (told.append(set(context)), draw(n, rng, context, how))[1]
    body.upscale(Batch(torch.zeros(2, 1, 4, 4)), Rng(1))
    assert told == [{LOW, BLUR}]
    strict = ilk.Cascade(high=ilk.VAE(codes=2, net=MLP(width=8)), factor=2).build(Reals((1, 8, 8)), Rng(0), {"label": Discrete(2)})
    with pytest.raises(UsageError, match="has to be told label"):
        strict.upscale(Batch(torch.zeros(2, 1, 4, 4)), Rng(1))


@pytest.mark.parametrize(("family", "space", "why"), [
    (ilk.Cascade(), Reals((16,)), "takes pictures"), (ilk.Cascade(factor=4), Reals((1, 10, 8)), "4 times 2, 3, 4"), (ilk.Cascade(factor=8), Reals((1, 8, 8)), "8 times 2"),
    (ilk.Cascade(low=ilk.NGram(), factor=2), Reals((1, 8, 8)), "needs a low"), (ilk.Cascade(high=ilk.GMM(), factor=2), Reals((1, 8, 8)), "needs a high"),
    (ilk.Cascade(noise=0.1, blur=0.2), Reals((1, 8, 8)), "can't blur")])
def test_what_can_be_no_cascade_is_told(family: Any, space: Any, why: str) -> None:
    assert why in str(family.refuses(space))
    with pytest.raises(UsageError):
        family.build(space, Rng(0))
    assert "keeps the name low" in str(ilk.Cascade().refuses_context({"low": Reals((1, 4, 4))}))


def test_a_cascade_of_three_sizes_goes_through_them() -> None:
    inner = ilk.Cascade(low=ilk.GMM(components=1), high=ilk.VAE(codes=2, net=MLP(width=8)), factor=2)
    body = ilk.Cascade(low=inner, high=ilk.FlowMatching(net=MLP(width=8)), factor=2).build(Reals((1, 16, 16)), Rng(0))
    body.fit(Memory(Batch(Rng(1).normal(100, 1, 16, 16))), ilk.Run(seed=0, budget=ilk.Steps(8)))
    states = [s.items.tensor for s in body.unfold(5, Rng(2)) if s.step]
    assert [s.shape for s in states] == [(5, 1, 16, 16)] * 3 and torch.equal(states[-1], body.sample(5, Rng(2)).tensor)
    assert len({len(s[0, 0].unique()) for s in states}) == 3 and len(states[0][0, 0].unique()) == 16


def test_arrays_enlarge_too() -> None:
    model = ilk.fit(np.asarray(Rng(1).normal(60, 1, 4, 4)), ilk.Cascade(low=ilk.GMM(components=1), high=ilk.Diffusion(net=MLP(width=8)), factor=2), budget=ilk.Steps(10))
    assert ilk.upscale(model, np.zeros((2, 1, 2, 2)), draws=3).shape == (2, 1, 4, 4)
