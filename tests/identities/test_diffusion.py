"""Laws of diffusion and flow matching: parametrisations, paths, the bound against exact densities, guidance, what is kept, what is learned."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import cos, inf, log, pi, sin, sqrt
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from ilk.batch import Batch, Memory
from ilk.decoding.top_k import TopK
from ilk.distribution import Port
from ilk.errors import UsageError
from ilk.families._denoising import Denoising
from ilk.families.diffusion import Diffusion
from ilk.families.flow_matching import FlowMatching
from ilk.families.score import ScoreModel
from ilk.given import About, Fix, Held, Weigh, Within
from ilk.nets._noise import ANSWERS, LEAST, MOST, PATHS, clock, even, levels
from ilk.nets.mlp import MLP
from ilk.nets.unet2d import UNet2D
from ilk.rng import Rng
from ilk.run import Run, Steps, Validated
from ilk.samplers._contract import Sampler
from ilk.samplers.ddim import DDIM
from ilk.samplers.ddpm import DDPM
from ilk.samplers.dpm_solver import DPMSolver
from ilk.samplers.euler import Euler
from ilk.samplers.heun import Heun
from ilk.samplers.langevin import Langevin
from ilk.space import Discrete, Reals, Space

torch.set_num_threads(1)

TINY = MLP(width=8, depth=1)
SAMPLERS = [None, Heun(steps=4), DPMSolver(steps=6), Euler(steps=6), DDIM(steps=6, eta=0.5), DDPM(steps=10), Langevin(steps=6, moves=2)]
RECIPES: list[Any] = [Diffusion(net=TINY), Diffusion(path="cosine", predict="eps", net=TINY), Diffusion(path="linear", predict="x0", net=TINY), FlowMatching(net=TINY),
                      ScoreModel(net=TINY)]
Exact = Callable[[Tensor, Tensor, Mapping[str, Batch]], Tensor]


def built(recipe: Any, space: Space, about: Mapping[str, Space] | None = None) -> Denoising:
    body = recipe.build(space, Rng(0), about)
    assert isinstance(body, Denoising)
    return body


def knowing(body: Denoising, exact: Exact) -> Denoising:
    """The distribution with a closed form in the place of its network: x and the sigmas of a batch -> the expected data."""
    wide: Any = body
    wide.denoise = lambda x, sigma, context: exact(x.double(), sigma.double()[:, None], context).float()
    return body


def gaussian(mean: Tensor, spread: Tensor) -> Exact:
    """For data from N(mean, spread^2), a place by itself."""
    return lambda x, s, context: (spread**2 * x + s**2 * mean) / (spread**2 + s**2)


def normal(*shape: int) -> Tensor:
    return Rng(11).normal(*shape)


# --- what the network is asked

MEANINGS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "eps": lambda x, noise, s: noise,
    "x0": lambda x, noise, s: x,
    "u": lambda x, noise, s: noise - x,                                             # velocity of (1 - t) x + t noise
    "v": lambda x, noise, s: -(noise - s * x) / (1 + s * s).sqrt(),                 # -(alpha noise - sigma x), alpha^2 + sigma^2 = 1
}
INPUTS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "u": lambda x, noise, s: (x + s * noise) / (1 + s),                             # (1 - t) x + t noise, t = s / (1 + s)
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_answers_mean_what_the_literature_says(name: str) -> None:
    """Shown alpha x + sigma noise, or (1 - t) x + t noise, the perfect answer gives back the data at every level."""
    answer, x, noise = ANSWERS[name], normal(200, 3), Rng(12).normal(200, 3)
    s = (Rng(13).uniform(200, 1) * log(MOST / LEAST)).exp() * LEAST
    alpha = (1 + s * s).rsqrt()
    shown = INPUTS[name](x, noise, s) if name in INPUTS else alpha * x + s * alpha * noise
    noisy, meant = x + s * noise, MEANINGS[name](x, noise, s)
    assert (answer.shown(s) * noisy - shown).abs().max() < 1e-12
    assert (answer.skip(s) * noisy + answer.out(s) * meant - x).abs().max() < 1e-11
    assert ((x - answer.skip(s) * noisy) / answer.out(s) - meant).abs().max() < 1e-9


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{type(r).__name__}-{r.predict}")
def test_the_loss_is_the_error_of_that_answer(recipe: Any) -> None:
    """A network that always says 0 has the mean square of what was meant: 1 for v and eps, 1 + 1 for u, the data's own for x0."""
    class Zero(nn.Module):
        def forward(self, x: Tensor, time: Tensor) -> Tensor:
            return torch.zeros_like(x)
    body = built(replace(recipe, net=lambda port: Zero()), Reals((4,)))
    found = body._loss(Batch(normal(20_000, 4)), Rng(1))
    assert float(found.mean()) == pytest.approx(2.0 if recipe.predict == "u" else 1.0, abs=0.03)


def test_pictures_are_folded_and_unfolded() -> None:
    """A network that repeats its input is asked about 2 x 2 pixels at once, and nothing moves."""
    shapes = []

    def same(port: Port) -> nn.Module:
        class Same(nn.Module):
            def forward(self, x: Tensor, time: Tensor) -> Tensor:
                shapes.append(tuple(x.shape))
                return x
        return Same()
    body = built(Diffusion(predict="x0", net=same), Reals((3, 16, 20)))
    x = normal(2, 3, 16, 20).float()
    assert torch.allclose(body.denoise(x, torch.full((2,), 3.0), {}), x / sqrt(10)) and shapes == [(2, 12, 8, 10)]


# --- noise levels

@pytest.mark.parametrize("path", sorted(PATHS))
@pytest.mark.parametrize("steps", [1, 2, 18, 1000, 20_000])
def test_levels_fall_to_zero(path: str, steps: int) -> None:
    found = levels(PATHS[path], steps)
    assert len(found) == steps + 1 and found[-1] == 0 and all(a > b for a, b in zip(found, found[1:], strict=False))
    assert found[0] == pytest.approx(PATHS[path].most, rel=1e-6) and found[-2] > LEAST * 0.999


def test_paths_are_those_of_the_literature() -> None:
    time = torch.arange(1, 1000, dtype=torch.double) / 1000
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.double)
    kept = (1 - betas).cumprod(0)
    ddpm, ours = ((1 - kept) / kept).sqrt()[:-1], PATHS["linear"].learned(time)
    off = (ours / ddpm - 1).abs()
    assert float(kept[-1]) == pytest.approx(4.03583e-5, rel=1e-5)
    assert off[(time > 0.05) & (time < 0.6)].max() < 0.01 and off[49:].max() < 0.04   # integrals of the rates for sums of their logs
    assert torch.allclose(PATHS["cosine"].learned(time), (time * pi / 2).tan())
    t = torch.sigmoid(torch.special.ndtri(time))                                     # logit-normal times
    assert torch.allclose(PATHS["straight"].learned(time), t / (1 - t))
    assert torch.allclose(even(PATHS["straight"]).learned(time), time / (1 - time)) and FlowMatching(times="uniform").noise().learned(time)[499] == 1
    assert torch.allclose(PATHS["edm"].learned(time), (-0.5 + 1.2 * torch.special.ndtri(time)).exp())


def test_visited_levels_are_those_of_the_literature() -> None:
    time = torch.linspace(0, 1, 101, dtype=torch.double)
    edm = (MOST ** (1 / 7) + (1 - time) * (LEAST ** (1 / 7) - MOST ** (1 / 7))) ** 7  # Karras et al. 2022, equation 5
    assert torch.allclose(PATHS["edm"].visited(time), edm)
    even = {"cosine": torch.atan, "straight": lambda s: s / (1 + s)}                   # in the path's own time, steps are alike
    for name, clocked in even.items():
        assert clocked(PATHS[name].visited(time)).diff().std() < 1e-12
    rates = PATHS["linear"].visited(time).square().log1p()                            # a t + b t^2 / 2: second differences are alike
    assert rates.diff().diff().std() < 1e-12
    assert torch.allclose(clock(torch.tensor([0.0, 1.0, 1e9])), torch.tensor([0.0, 500.0, 1000.0]))


# --- the bound

@pytest.mark.parametrize("recipe", [Diffusion(levels=32, net=TINY), FlowMatching(levels=32, net=TINY)], ids=["diffusion", "flow"])
def test_with_the_exact_denoiser_the_bound_is_the_density(recipe: Any) -> None:
    """Item by item, the mean over noise is log N(x): time reversed, the exact law has no gap. Scale and centre are part of it."""
    mean, spread, center, scale = (torch.tensor(v, dtype=torch.double) for v in ((0.4, -0.2), (1.0, 0.3), (5.0, -1.0), (2.0, 0.5)))
    body = knowing(built(recipe, Reals((2,))), gaussian(mean, spread))
    body.center.copy_(center)
    body.scale.copy_(scale)
    draws, points = 4000, center + scale * (mean + spread * torch.tensor([[0.0, 0.0], [1.0, -1.0], [-2.0, 2.5]]))
    found = body.log_prob_bound(Batch(points.repeat_interleave(draws, 0)), Rng(2)).reshape(3, draws)
    want = torch.distributions.Normal(center + scale * mean, scale * spread).log_prob(points).sum(1)
    error = found.std(1) / sqrt(draws)
    assert found.dtype == torch.double and float(error.max()) < 0.05
    assert bool(((found.mean(1) - want).abs() < 4 * error + 0.003).all())   # .003: the prior is N(0, 80^2)


def test_on_average_the_bound_is_minus_the_entropy_and_a_worse_denoiser_is_below() -> None:
    mean, spread = torch.zeros(3, dtype=torch.double), torch.tensor([1.0, 0.5, 2.0], dtype=torch.double)
    x = mean + spread * normal(8000, 3)
    entropy = float((0.5 * (2 * pi * spread**2).log() + 0.5).sum())
    body = built(Diffusion(net=TINY), Reals((3,)))
    for off, gap in ((0.0, 0.0), (0.3, 0.02), (-0.3, 0.02)):
        found = knowing(body, gaussian(mean + off, spread * (1 + off))).log_prob_bound(Batch(x), Rng(3))
        error = float(found.std()) / sqrt(len(x))
        assert error < 0.07
        if off == 0:
            assert abs(float(found.mean()) + entropy) < 4 * error
        else:   # what the law of that denoiser would get, which the bound can't exceed
            best = float(torch.distributions.Normal(mean + off, spread * (1 + off)).log_prob(x).sum(1).mean())
            assert abs(float(found.mean()) - best) < 4 * error and best < -entropy - gap


CENTERS = torch.tensor([-2.0, 0.0, 1.5], dtype=torch.double)


def labelled(many: int = 16) -> Denoising:
    """Three labels, each a Gaussian of spread .5."""
    body = built(Diffusion(levels=many, net=TINY), Reals((1,)), {"label": Discrete(3)})
    body.context.share.copy_(torch.tensor([0.2, 0.5, 0.3]).log())
    return knowing(body, lambda x, s, context: (0.25 * x + s**2 * CENTERS[context["label"].tensor][:, None]) / (0.25 + s**2))


@pytest.mark.parametrize(("many", "draws", "loose"), [(16, 1500, 0.5), (64, 600, 0.3)])
def test_items_without_labels_are_bounded_by_their_mixture(many: int, draws: int, loose: float) -> None:
    """Above all between the labels, where the log of a sum of noisy bounds would lie above the density."""
    points = torch.tensor([[-2.0], [-0.9], [0.7], [1.5], [3.0]], dtype=torch.double)
    body = labelled(many)
    found = body.log_prob_bound(Batch(points.repeat_interleave(draws, 0)), Rng(4)).reshape(5, draws)
    want = (torch.distributions.Normal(CENTERS, 0.5).log_prob(points) + body.context.share).logsumexp(1)
    error = found.std(1) / sqrt(draws)
    assert bool((found.mean(1) < want + 4 * error).all()) and bool((found.mean(1) > want - loose).all())
    assert bool(((found.mean(1) - want)[[0, 4]].abs() < 4 * error[[0, 4]] + loose / 2).all())


def test_labels_are_scored_and_drawn_each_by_its_own() -> None:
    body = labelled()
    label = torch.arange(3).repeat_interleave(3000)
    x = CENTERS[label][:, None] + 0.5 * normal(9000, 1)
    found = body.log_prob_bound(Batch(x, context={"label": Batch(label)}), Rng(5))
    assert float(found.mean()) == pytest.approx(-0.5 * log(2 * pi * 0.25) - 0.5, abs=4 * float(found.std()) / 95)
    told = body.given(About({"label": Batch(torch.tensor([2]))}), Rng(0))
    assert told is not None and told.met.sort == "exact"
    made = told.sample(2000, Rng(6), Heun(steps=18, guidance=1.0)).tensor
    assert float(made.mean()) == pytest.approx(1.5, abs=0.05) and float(made.std()) == pytest.approx(0.5, abs=0.04)


# --- guidance

def listening() -> Denoising:
    """A random network with labels, its scales as they are."""
    return built(FlowMatching(net=MLP(width=16)), Reals((3,)), {"label": Discrete(4)})


def test_guidance_is_a_line_through_both_denoisers() -> None:
    body, x, label = listening(), normal(9, 3).float(), {"label": Batch(torch.arange(9) % 4)}
    sigma = torch.full((9,), 0.7)
    told, free = body.denoise(x, sigma, label), body.denoise(x, sigma, {})
    assert torch.equal(body.guided(label, 1)(x, 0.7), told) and (told - free).abs().max() > 1e-3
    for weight in (0.0, 0.5, 2.0, 7.5):
        assert torch.allclose(body.guided(label, weight)(x, 0.7), free + weight * (told - free), atol=1e-5)


def test_guidance_of_the_sampler_goes_before_that_of_the_model() -> None:
    body = listening()
    label = {"label": Batch(torch.zeros(5, dtype=torch.long))}
    by_default, plain = body.draw(5, Rng(1), label).tensor, body.draw(5, Rng(1), label, DPMSolver(steps=10, guidance=1.0)).tensor
    assert not torch.allclose(by_default, plain)
    assert torch.equal(by_default, body.draw(5, Rng(1), label, DPMSolver(steps=10, guidance=1.5)).tensor)
    free = body.draw(5, Rng(1), label, Heun(steps=5, guidance=0.0)).tensor
    assert torch.allclose(free, body.draw(5, Rng(1), {"label": Batch(torch.full((5,), 3))}, Heun(steps=5, guidance=0.0)).tensor, atol=1e-5)


def test_labels_are_forgotten_as_often_as_asked() -> None:
    seen = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, time: Tensor, about: Tensor) -> Tensor:
            seen.append(about)
            return torch.zeros_like(x)
    body = built(Diffusion(drop=0.3, net=lambda port: Spy()), Reals((1,)), {"label": Discrete(2)})
    body._loss(Batch(normal(4000, 1), context={"label": Batch(torch.ones(4000, dtype=torch.long))}), Rng(1))
    told = seen[0]
    assert set(map(tuple, told.tolist())) == {(0.0, 1.0, 0.0), (0.0, 0.0, 1.0)}
    assert float(told[:, 2].mean()) == pytest.approx(0.3, abs=0.03)


# --- what is kept

@pytest.mark.parametrize("how", SAMPLERS, ids=lambda h: type(h).__name__)
@pytest.mark.parametrize("recipe", RECIPES[::3], ids=lambda r: type(r).__name__)
def test_kept_numbers_are_kept_to_the_bit(recipe: Any, how: Sampler | None) -> None:
    """Through scales that round, an untrained network, and more than one chunk of items."""
    body = built(recipe, Reals((2, 3)))
    body.center.copy_(normal(2, 3) * 100)
    body.scale.copy_(normal(2, 3).exp())
    mask = torch.tensor([[True, False, False], [True, True, False]])
    values = torch.tensor([[0.1, 0.0, 0.0], [1 / 3, 255.0, 0.0]], dtype=torch.double)
    held, fixed, within = (body.given(e, Rng(0)) for e in (Held(mask, values), Fix({0: 0.1, 3: 1 / 3}), Within({1: (-1.0, 1.0), 5: (7.25, 7.5)})))
    assert held is not None and fixed is not None and within is not None
    assert {p.met.sort for p in (held, fixed, within)} == {"guided"}
    made = held.sample(300, Rng(1), how).tensor
    assert torch.equal(made[:, mask], values[mask].expand(300, -1)) and made[:, ~mask].std(0).min() > 0
    assert torch.equal(fixed.sample(20, Rng(1), how).tensor.flatten(1)[:, [0, 3]], torch.tensor([0.1, 1 / 3], dtype=torch.double).expand(20, -1))
    boxed = within.sample(20, Rng(1), how).tensor.flatten(1)
    assert boxed[:, 1].abs().max() <= 1 and boxed[:, 5].min() >= 7.25 and boxed[:, 5].max() <= 7.5


def test_what_is_not_about_numbers_is_not_taken() -> None:
    body = built(Diffusion(net=TINY), Reals((2,)))
    assert body.given(Weigh({0: torch.zeros(2)}), Rng(0)) is None


@pytest.mark.parametrize("how", [Heun(steps=18), DPMSolver(steps=18), DDPM(steps=18)], ids=lambda h: type(h).__name__)
def test_the_free_part_follows_the_kept_one(how: Sampler) -> None:
    """With the exact denoiser, N(1.2, .6^2) is what x1 given x0 = 1.5 ought to be."""
    cov = torch.tensor([[1.0, 0.8], [0.8, 1.0]], dtype=torch.double)
    body = knowing(built(Diffusion(net=TINY), Reals((2,))), lambda x, s, context: x @ torch.linalg.solve(cov + s[0] ** 2 * torch.eye(2), cov))
    kept = body.given(Fix({0: 1.5}), Rng(0))
    assert kept is not None
    made = kept.sample(1500, Rng(7), how).tensor[:, 1]
    assert abs(float(made.mean()) - 1.2) < 0.1 and 0.45 < float(made.std()) < 0.75


def test_bounds_of_a_range_are_not_rounded_out_of_it() -> None:
    """Whole numbers are cells: 5 is [4.5, 5.5], and either end would round to an even neighbour."""
    body = built(Diffusion(net=TINY), Reals((2,)))
    body.center.fill_(50.0)
    for low, high in ((4.5, 5.5), (6.5, 7.5), (120.5, 121.5)):
        kept = body.given(Within({0: (low, high), 1: (-inf, high)}), Rng(0))
        assert kept is not None
        made = kept.sample(50, Rng(1)).tensor.round()
        assert bool((made[:, 0] == low + 0.5).all()) and bool((made[:, 1] <= low + 0.5).all())


# --- streams and chunks

@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{type(r).__name__}-{r.predict}")
def test_streams_end_with_the_sample(recipe: Any) -> None:
    body = built(recipe, Reals((2,)), {"label": Discrete(3)})
    for how in SAMPLERS:
        states = list(body.unfold(20, Rng(8), how))
        assert len(states) == 1 + (10 if how is None else how.steps) and torch.equal(states[-1].items.tensor, body.sample(20, Rng(8), how).tensor)
        assert all(len(state.items) == 20 for state in states)


@pytest.mark.parametrize("how", SAMPLERS, ids=lambda h: type(h).__name__)
def test_an_item_depends_on_nothing_but_its_number(how: Sampler | None) -> None:
    body = built(FlowMatching(net=TINY), Reals((2,)), {"label": Discrete(3)})
    kept = body.given(Fix({0: 0.5}), Rng(0))
    assert kept is not None
    for source in (body, kept):
        many, few, block = source.sample(300, Rng(9), how).tensor, source.sample(10, Rng(9), how).tensor, source.sample(40, Rng(9).at(255), how).tensor
        assert torch.allclose(many[:10], few, atol=1e-5) and torch.allclose(many[255:295], block, atol=1e-5)
        assert source.sample(0, Rng(9), how).tensor.shape == (0, 2)


def test_other_ways_to_draw_are_refused() -> None:
    with pytest.raises(UsageError, match="does not draw from noise"):
        built(Diffusion(net=TINY), Reals((2,))).sample(2, Rng(0), TopK())


# --- what is learned

RING = 4 * torch.tensor([[cos(k * pi / 4), sin(k * pi / 4)] for k in range(8)], dtype=torch.double)


def ring(n: int, seed: int) -> Tensor:
    """Eight Gaussians of spread .3 on a circle of radius 4."""
    return RING[Rng(seed).child("mode").integers(n, 8)] + 0.3 * Rng(seed).child("within").normal(n, 2)


@pytest.mark.slow
@pytest.mark.learns
@pytest.mark.parametrize("recipe", [Diffusion(net=MLP(width=128, depth=4)), FlowMatching(net=MLP(width=128, depth=4))], ids=["diffusion", "flow"])
def test_a_ring_is_learned(recipe: Any) -> None:
    body = built(recipe, Reals((2,)))
    body.fit(Memory(Batch(ring(4000, 1))), Run(seed=1, batch=128, rate=5e-3, budget=Steps(1500)))
    gap, mode = torch.cdist(body.sample(1000, Rng(9), Heun(steps=18)).tensor, RING).min(1)
    near = gap < 1.2
    assert float(near.double().mean()) > 0.95 and int(torch.bincount(mode[near], minlength=8).min()) > 70


@pytest.mark.learns
@pytest.mark.parametrize(("recipe", "zero", "below"), [(Diffusion(), 1.0, 0.75), (FlowMatching(), 2.0, 1.3)], ids=["diffusion", "flow"])
def test_sixty_steps_of_a_unet_learn_digits(recipe: Any, zero: float, below: float) -> None:
    """A new network says 0, which is wrong by what was meant; 60 steps take away more than a quarter of that."""
    x = torch.from_numpy(load_digits().images).reshape(-1, 1, 8, 8) + Rng(3).uniform(1797, 1, 8, 8) - 0.5
    losses: list[float] = []
    body = built(replace(recipe, net=UNet2D(width=16, head=16)), Reals((1, 8, 8)))
    body.prepare(Memory(Batch(x[:1500])))
    before = float(body.validate(Batch(x[1500:]), Rng(1)).detach().mean())

    def hear(event: object) -> None:
        losses.extend([event.loss] if isinstance(event, Validated) else [])
    body.fit(Memory(Batch(x[:1500])), Run(seed=1, batch=32, budget=Steps(60), listeners=(hear,)), Memory(Batch(x[1500:])))
    assert before == pytest.approx(zero, abs=0.08) and losses[-1] < below
