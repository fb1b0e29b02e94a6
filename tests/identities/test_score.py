"""Laws of score models and of densities by the probability flow: continuous flows in closed form, mixtures, what is learned, pairing, weights."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ilk
from ilk.batch import Batch, Memory
from ilk.distribution import HasBound, HasEstimate
from ilk.errors import UsageError
from ilk.families._denoising import Denoising
from ilk.families._pairing import paired
from ilk.families.diffusion import Diffusion
from ilk.families.flow_matching import FlowMatching
from ilk.families.score import ScoreModel
from ilk.given import About, Fix
from ilk.nets._noise import ladder
from ilk.nets._transport import carried, every_direction, signs
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.samplers.euler import Euler
from ilk.samplers.langevin import Langevin
from ilk.space import Discrete, Reals, Space

torch.set_num_threads(1)

TINY = MLP(width=8, depth=1)
FLOWS: list[Any] = [ScoreModel(net=TINY, likelihood="flow"), Diffusion(net=TINY, likelihood="flow"), Diffusion(net=TINY, path="linear", predict="eps", likelihood="flow"),
                    FlowMatching(net=TINY, likelihood="flow"), FlowMatching(net=TINY, pairing="optimal")]


def built(recipe: Any, space: Space, about: Mapping[str, Space] | None = None) -> Any:
    body = recipe.build(space, Rng(0), about)
    assert isinstance(body, Denoising)
    return body


class Mixture:
    """Gaussians, (k, d) means of one spread each: everything about them with noise, in closed form."""

    def __init__(self, share: list[float], means: Tensor, spreads: list[float]) -> None:
        self.share, self.spreads = torch.tensor(share, dtype=torch.double), torch.tensor(spreads, dtype=torch.double)
        middle = self.share @ means
        size = (self.share @ ((means - middle) ** 2 + self.spreads[:, None] ** 2)).sqrt().mean()
        self.means, self.spreads = (means - middle) / size, self.spreads / size   # centred, of mean variance 1

    def log_prob(self, x: Tensor, sigma: Tensor | float = 0.0) -> Tensor:
        """Of x with noise sigma."""
        return self._parts(x, sigma).logsumexp(1)

    def _parts(self, x: Tensor, sigma: Tensor | float) -> Tensor:
        variance = self.spreads**2 + (sigma[:, None] if isinstance(sigma, Tensor) else sigma) ** 2
        gap = (x[:, None] - self.means).square().sum(2)
        return self.share.log() - 0.5 * x.shape[1] * (2 * torch.pi * variance).log() - 0.5 * gap / variance

    def denoise(self, x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor:
        """The expected data, as a distribution says it."""
        at, s = x.double(), sigma.double()
        keep = self.spreads**2 / (self.spreads**2 + s[:, None] ** 2)
        weight = self._parts(at, s).softmax(1)
        return (weight[:, :, None] * (self.means + keep[:, :, None] * (at[:, None] - self.means))).sum(1).float()

    def draw(self, n: int, rng: Rng) -> Tensor:
        which = rng.child("which").pick(self.share.log(), n)
        return self.means[which] + self.spreads[which][:, None] * rng.child("within").normal(n, self.means.shape[1])


THREE = Mixture([0.2, 0.5, 0.3], torch.tensor([[-2.0, 1.0], [0.5, -0.5], [1.5, 2.0]], dtype=torch.double), [0.4, 0.3, 0.6])


# --- continuous flows

def test_a_linear_field_changes_the_density_by_its_trace() -> None:
    """dx/dt = A x: the log density falls by tr(A) t, and x goes to exp(A t) x."""
    matrix = Rng(1).normal(5, 5)
    x = Rng(2).normal(7, 5)
    y, total = carried(lambda x, t: x @ matrix.T, x, torch.linspace(0, 0.8, 41).tolist(), every_direction(x))
    assert (total.sum(0) - float(matrix.trace()) * 0.8).abs().max() < 1e-5
    assert (y - x @ torch.linalg.matrix_exp(0.8 * matrix).T).abs().max() < 1e-5


def test_a_field_that_bends_gives_the_density_of_its_map() -> None:
    """dx/dt = -x^3 takes x to x / sqrt(1 + 2 t x^2), a map whose derivative is known; order four: half the step, a sixteenth of the error."""
    x, errors = torch.linspace(-2, 2, 9, dtype=torch.double)[:, None], []
    for n in (20, 40):
        _, total = carried(lambda x, t: -(x**3), x, torch.linspace(0, 0.5, n + 1, dtype=torch.double).tolist(), every_direction(x))
        errors.append(float((total.sum(0) + 1.5 * (1 + x[:, 0] ** 2).log()).abs().max()))
    assert errors[1] < 1e-4 and errors[1] < errors[0] / 11


def test_random_directions_have_the_exact_trace_in_the_mean() -> None:
    """Hutchinson within 4 standard errors, for a network of 12 numbers; with all unit vectors nothing is left to chance."""
    with Rng(3).as_global():
        net = nn.Sequential(nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 12)).double()
    x, times, many = Rng(4).normal(3, 12), [0.0, 0.5, 1.0], 400
    _, exact = carried(lambda x, t: net(x), x, times, every_direction(x))
    _, guess = carried(lambda x, t: net(x), x, times, signs(x, many, Rng(5)))
    error = guess.std(0) / sqrt(many)
    assert float(error.min()) > 1e-3 and bool(((guess.mean(0) - exact.sum(0)).abs() < 4 * error).all())


@pytest.mark.parametrize("recipe", FLOWS, ids=lambda r: f"{type(r).__name__}-{r.pairing}-{r.predict}")
def test_with_the_exact_denoiser_the_flow_has_the_density(recipe: Any) -> None:
    """Point by point to .001 nats, in raw units."""
    body = built(replace(recipe, levels=32), Reals((2,)))
    body.denoise = THREE.denoise
    body.center.copy_(torch.tensor([3.0, -1.0]))
    body.scale.copy_(torch.tensor([0.5, 4.0]))
    x = THREE.draw(60, Rng(6))
    found, error = body.log_prob_estimate(Batch(torch.tensor([3.0, -1.0]) + x * torch.tensor([0.5, 4.0])), Rng(7))
    assert found.dtype == torch.double and float(error.abs().max()) == 0
    assert float((found - THREE.log_prob(x) + log(0.5 * 4.0)).abs().max()) < 1e-3


def test_many_numbers_have_an_error_that_is_right() -> None:
    """20 numbers of unequal spread: the trace is guessed, without error where the Jacobian is diagonal, within it where it is not."""
    d = 20
    turn = torch.linalg.qr(Rng(8).normal(d, d)).Q
    variance = torch.linspace(0.2, 1.8, d, dtype=torch.double)
    x = Rng(9).normal(100, d) * variance.sqrt()
    want = torch.distributions.Normal(torch.zeros(d, dtype=torch.double), variance.sqrt()).log_prob(x).sum(1)
    for basis, exact in ((torch.eye(d, dtype=torch.double), True), (turn, False)):
        body = built(ScoreModel(net=TINY, likelihood="flow", levels=8), Reals((d,)))
        body.denoise = lambda y, s, context, b=basis: ((y.double() @ b) * (variance / (variance + s.double()[:, None] ** 2)) @ b.T).float()
        found, error = body.log_prob_estimate(Batch(x @ basis.T), Rng(10))
        off = found - want
        assert bool((error < 1e-3).all()) == exact
        assert float(off.abs().max()) < 0.02 if exact else 0.5 < float((off / error).square().mean().sqrt()) < 3 and abs(float(off.mean())) < 4 * float(off.std()) / 10


def test_labels_are_summed_over() -> None:
    """Without its label an item has the density of the mixture; with it, that of the label."""
    body = built(ScoreModel(net=TINY, likelihood="flow"), Reals((2,)), {"label": Discrete(3)})
    body.context.share.copy_(THREE.share.log())
    keep = [Mixture([1.0], torch.zeros(1, 2, dtype=torch.double), [1.0]) for _ in range(3)]
    for k, one in enumerate(keep):
        one.means, one.spreads = THREE.means[k:k + 1], THREE.spreads[k:k + 1]

    def denoise(x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor:
        each = torch.stack([one.denoise(x, sigma, {}) for one in keep])
        return each[context["label"].tensor, torch.arange(len(x))]
    body.denoise = denoise
    x = THREE.draw(30, Rng(11))
    found, _ = body.log_prob_estimate(Batch(x), Rng(0))
    assert float((found - THREE.log_prob(x)).abs().max()) < 0.06   # noise of 80 still knows a little where its label lies
    second = body.given(About({"label": Batch(torch.tensor([1]))}), Rng(0))
    assert isinstance(second, HasEstimate) and not isinstance(second, HasBound)
    own = keep[1].draw(30, Rng(12))
    assert float((second.log_prob_estimate(Batch(own), Rng(0))[0] - keep[1].log_prob(own)).abs().max()) < 0.06


def test_a_model_bounds_or_estimates_and_not_both() -> None:
    for recipe in (ScoreModel, Diffusion, FlowMatching):
        bound, flow = (built(recipe(net=TINY, likelihood=kind), Reals((2,))) for kind in ("bound", "flow"))
        assert isinstance(bound, HasBound) and not isinstance(bound, HasEstimate)
        assert isinstance(flow, HasEstimate) and not isinstance(flow, HasBound)
    assert isinstance(built(FlowMatching(net=TINY, pairing="optimal"), Reals((2,))), HasEstimate)


def test_the_verb_says_that_it_is_an_estimate() -> None:
    x = THREE.draw(300, Rng(12)).numpy()
    model = ilk.fit(x, ScoreModel(net=TINY, likelihood="flow", levels=4), seed=1, budget=Steps(20))
    found = model.score(x[:20])
    assert found.sort == "estimate" and bool(found.nats.isfinite().all()) and "about" in repr(found)


# --- scores

def test_the_score_of_a_mixture_is_the_gradient_of_its_density_and_leads_to_the_expected_data() -> None:
    """Tweedie: D = x + sigma^2 grad log p(x), by autograd."""
    x, sigma = Rng(13).normal(200, 2) * 2, (Rng(14).uniform(200) * log(1e4)).exp() * 0.01
    at = x.clone().requires_grad_()
    score = torch.autograd.grad(THREE.log_prob(at, sigma).sum(), at)[0]
    expected = THREE.denoise(x, sigma, {})
    assert float((x + sigma[:, None] ** 2 * score - expected).abs().max()) < 1e-6   # the closed form answers in float32


def test_rungs_are_in_equal_ratios_and_learned_alike() -> None:
    path = ladder(10, 0.01, 50.0)
    sigma = path.learned(Rng(15).uniform(20_000))
    rungs, count = sigma.unique(return_counts=True)
    assert len(rungs) == 10 and float(rungs[0]) == pytest.approx(0.01) and float(rungs[-1]) == pytest.approx(50.0)
    assert float((rungs[1:] / rungs[:-1]).std()) < 1e-9 and float((count / 2000 - 1).abs().max()) < 0.1
    levels = path.visited(torch.linspace(1, 0, 8, dtype=torch.double))
    assert float(levels[0]) == pytest.approx(50.0) and float(levels[-1]) == pytest.approx(0.01) and float((levels[1:] / levels[:-1]).std()) < 1e-9


def test_the_loss_is_that_of_denoising_score_matching() -> None:
    """sigma^2 (1 + sigma^2) |score + noise / sigma|^2, the mean over numbers, for a network that says anything."""
    seen: list[tuple[Tensor, Tensor]] = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, time: Tensor) -> Tensor:
            seen.append((x, time))
            return torch.tanh(x.flip(1)) * 0.7
    body = built(ScoreModel(net=lambda port: Spy()), Reals((3,)))
    x = Rng(16).normal(500, 3)
    loss = body._loss(Batch(x), Rng(17))
    sigma = (seen[0][1].double() * torch.pi / 2000).tan()[:, None]
    noisy = seen[0][0].double() * (1 + sigma**2).sqrt()
    score = (body.denoise(noisy.float(), sigma[:, 0].float(), {}).double() - noisy) / sigma**2
    noise = (noisy - x) / sigma
    want = (sigma**2 * (1 + sigma**2) * (score + noise / sigma).square()).mean(1)
    near = (sigma[:, 0] > 0.05) & (sigma[:, 0] < 5)   # elsewhere float32 loses what is subtracted
    assert int(near.sum()) > 150 and float((loss.double() / want - 1)[near].abs().max()) < 0.02


@pytest.mark.slow
@pytest.mark.learns
def test_the_score_is_learned() -> None:
    """Against that of the mixture in closed form: the error is small beside the score at every level that matters."""
    body = built(ScoreModel(net=MLP(width=128, depth=3)), Reals((2,)))
    body.fit(Memory(Batch(THREE.draw(20_000, Rng(18)))), Run(seed=1, batch=256, budget=Steps(2000)))
    scale = body.scale.double()
    for level in (0.1, 0.3, 1.0, 3.0):
        x = THREE.draw(2000, Rng(19)) + level * Rng(20).normal(2000, 2)
        sigma = torch.full((2000,), level, dtype=torch.double)
        true = (THREE.denoise(x, sigma, {}).double() - x) / level**2
        # noise of one size in raw units is of about one in standardised ones, since both scales are near 1
        y = body.standard(x)
        found = (body.denoise(y, (sigma / scale.mean()).float(), {}).double().detach() - y.double()) / (sigma / scale.mean())[:, None] ** 2 / scale
        assert float((found - true).square().mean() / true.square().mean()) < 0.05, level


# --- pairing

def test_pairing_is_the_best_of_all_orders() -> None:
    """Against all 720 orders of 6 items, and monotone on a line."""
    x, noise = Rng(21).normal(6, 2), Rng(22).normal(6, 2)
    best = min(float((x - noise[list(order)]).square().sum()) for order in permutations(range(6)))
    assert float((x - paired(x, noise)).square().sum()) == pytest.approx(best, abs=1e-9)
    line, steps = Rng(23).normal(300, 1), Rng(24).normal(300, 1)
    assert torch.equal(paired(line, steps)[line[:, 0].argsort(), 0], steps[:, 0].sort().values)
    picture = Rng(25).normal(20, 1, 4, 4)
    assert paired(picture, Rng(26).normal(20, 1, 4, 4)).shape == picture.shape


def test_paired_noise_is_nearer_and_still_normal() -> None:
    x, noise = THREE.draw(256, Rng(27)), Rng(28).normal(256, 2)
    found = paired(x, noise)
    assert float((x - found).square().sum(1).mean()) < 0.4 * float((x - noise).square().sum(1).mean())
    assert torch.equal(found.sort(0).values, noise.sort(0).values)


def test_paired_noise_learns_no_labels() -> None:
    with pytest.raises(UsageError, match="learns nothing from label"):
        FlowMatching(pairing="optimal").build(Reals((2,)), Rng(0), {"label": Discrete(2)})


def spread_apart(made: Tensor, real: Tensor) -> float:
    """Energy distance."""
    def mean(a: Tensor, b: Tensor) -> float:
        return float(torch.cdist(a, b).mean())
    return 2 * mean(made, real) - mean(made, made) - mean(real, real)


@pytest.mark.slow
@pytest.mark.learns
def test_paired_flows_need_fewer_steps() -> None:
    """One step of Euler's method makes the middle of all data without pairing, and most of what there is with it."""
    train, test = THREE.draw(4000, Rng(29)), THREE.draw(1000, Rng(30))
    found = {}
    for pairing in ("independent", "optimal"):
        body = built(FlowMatching(net=MLP(width=64, depth=3), pairing=pairing), Reals((2,)))  # type: ignore[arg-type]
        body.fit(Memory(Batch(train)), Run(seed=1, batch=256, budget=Steps(300)))
        found[pairing] = [spread_apart(body.sample(1000, Rng(31), Euler(steps=steps)).tensor, test) for steps in (1, 20)]
    one, many = zip(found["independent"], found["optimal"], strict=True)
    assert one[1] < 0.1 * one[0] and many[1] < 0.02


# --- weights

@pytest.mark.parametrize("predict", ["v", "eps", "x0"])
def test_min_snr_weighs_the_error_of_the_data(predict: Any) -> None:
    """A network that always says 0: the loss is min(1 / sigma^2, 5) |data - D|^2, whatever the network answers (Hang et al. 2023)."""
    sigma_of: list[Tensor] = []

    class Zero(nn.Module):
        def forward(self, x: Tensor, time: Tensor) -> Tensor:
            sigma_of.append((time.double() * torch.pi / 2000).tan())
            return torch.zeros_like(x)
    plain, weighed = (built(Diffusion(predict=predict, min_snr=least, net=lambda port: Zero()), Reals((3,))) for least in (None, 5.0))
    x = Rng(32).normal(400, 3)
    loss, other = plain._loss(Batch(x), Rng(33)).double(), weighed._loss(Batch(x), Rng(33)).double()
    sigma = sigma_of[0]
    data_error = loss * {"v": sigma**2 / (1 + sigma**2), "eps": sigma**2, "x0": torch.ones_like(sigma)}[predict]   # |data - D|^2 a number
    assert float((other / ((1 / sigma**2).clamp_max(5.0) * data_error) - 1).abs().max()) < 1e-3


def test_bits_a_dimension_are_the_bound_over_numbers() -> None:
    """For Gaussian data and the exact denoiser, log2(e) nats a number: half log2(2 pi e s^2)."""
    body = built(Diffusion(net=TINY, levels=64), Reals((4,)))
    spread = 0.5
    body.denoise = lambda x, sigma, context: spread**2 * x / (spread**2 + sigma[:, None] ** 2)
    nats = body.log_prob_bound(Batch(spread * Rng(34).normal(4000, 4)), Rng(35))
    bits = -nats / 4 / log(2)
    assert float(bits.mean()) == pytest.approx(0.5 * np.log2(2 * np.pi * np.e * spread**2), abs=4 * float(bits.std()) / sqrt(4000))


# --- drawing

def test_langevin_keeps_what_is_kept_and_moves_the_rest() -> None:
    """Every move has noise of its own, also where steps are taken again for what is kept."""
    body = built(ScoreModel(net=TINY), Reals((2,)))
    body.denoise = lambda x, sigma, context: x / (1 + sigma[:, None] ** 2)
    kept = body.given(Fix({0: 0.5}), Rng(0))
    assert kept is not None
    made = kept.sample(1500, Rng(36), Langevin()).tensor
    assert bool((made[:, 0] == 0.5).all()) and float(made[:, 1].std()) == pytest.approx(1.0, abs=0.08)


def test_levels_of_a_score_model_are_its_own() -> None:
    body = built(ScoreModel(net=TINY, least=0.01, most=20.0), Reals((2,)))
    asked: list[float] = []

    def denoise(x: Tensor, sigma: Tensor, context: Mapping[str, Batch]) -> Tensor:
        asked.extend(sigma.unique().tolist())
        return x / (1 + sigma[:, None] ** 2)
    body.denoise = denoise
    body.log_prob_bound(Batch(Rng(37).normal(50, 2)), Rng(38))
    body.encode(Batch(Rng(37).normal(5, 2)))
    assert min(asked) == pytest.approx(0.01) and max(asked) == pytest.approx(20.0, rel=0.05)
