"""Laws of normalizing flows: bijections, Jacobians, densities that integrate to 1, Gaussians to their entropy."""
from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import log, pi, prod
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.errors import UsageError
from ilk.families._dequantised import Dequantised
from ilk.families.flow import Bijective, Flow
from ilk.given import About, Fix
from ilk.nets._bijections import Triangular, whitening
from ilk.nets._glow import Actnorm, Mix, folds
from ilk.nets._monotone import Affine, Bins, Monotone, Spline
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Reals
from ilk.testing import SPACES, check_family
from ilk.testing._spaces import planted

torch.set_num_threads(1)

SPLINE = Spline(6, 3.0)
VECTORS = [Flow(structure=s, transform=t, layers=2, width=16, bins=5) for s in ("coupling", "autoregressive", "inverse") for t in ("affine", "spline")]  # type: ignore[arg-type]
PICTURES = [Flow(transform="affine", layers=2, width=8), Flow(transform="spline", layers=1, width=8, bins=4)]


def moved(recipe: Flow, shape: tuple[int, ...], by: float = 0.3, double: bool = True) -> Bijective:
    """A flow with parameters away from where they start, and scales of data."""
    body = recipe.build(Reals(shape), Rng(0))
    assert isinstance(body, Bijective)
    with torch.no_grad():
        for i, p in enumerate(body.map.parameters()):
            p += by * Rng(3).child(i).normal(1, *p.shape)[0]
        body.center += 0.7
        body.scale *= 2.0
    return body.double() if double else body


def wide(n: int, *shape: int) -> Tensor:
    """Items far into the tails, too."""
    return 4 * Rng(1).normal(n, *shape)


@pytest.mark.parametrize("how", [Affine(), SPLINE], ids=["affine", "spline"])
@pytest.mark.parametrize(("kind", "near"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_a_monotone_function_and_its_inverse(how: Monotone, kind: torch.dtype, near: float) -> None:
    theta = Rng(2).normal(5000, how.many).to(kind)
    x = wide(5000).to(kind)
    y, slope = how.forward(x, theta)
    back, less = how.inverse(y, theta)
    assert float(((back - x) / x.abs().clamp_min(1)).abs().max()) < near and float((slope + less).abs().max()) < 10 * near


@pytest.mark.parametrize("how", [Affine(), SPLINE], ids=["affine", "spline"])
def test_its_slope_is_its_derivative(how: Monotone) -> None:
    theta, x = 2 * Rng(2).normal(2000, how.many), wide(2000).requires_grad_()
    y, slope = how.forward(x, theta)
    (found,) = torch.autograd.grad(y.sum(), x)
    assert bool((found > 0).all()) and torch.allclose(found.log(), slope, atol=1e-9)


def test_a_spline_at_its_knots() -> None:
    """There values and slopes from both sides agree, and the inverse brings the knots back."""
    theta = 1.5 * Rng(4).normal(1, SPLINE.many)
    each = theta[0, :12].reshape(2, 6).sigmoid() + 1e-4
    knots = torch.cat([torch.zeros(2, 1), (each / each.sum(1, keepdim=True)).cumsum(1)], 1) * 6 - 3
    y, slope = SPLINE.forward(knots[0], theta.expand(7, -1))
    below, other = SPLINE.forward(knots[0] - 1e-9, theta.expand(7, -1))
    assert torch.allclose(y, knots[1], atol=1e-12) and torch.allclose(SPLINE.inverse(y, theta.expand(7, -1))[0], knots[0], atol=1e-10)
    assert torch.allclose(below, y, atol=1e-7) and torch.allclose(other, slope, atol=1e-6)


def test_beyond_its_bound_a_spline_is_straight() -> None:
    theta, x = Rng(4).normal(1, SPLINE.many).expand(4, -1), torch.tensor([3.0, 5.0, 9.0, 50.0]).double()
    y, slope = SPLINE.forward(x, theta)
    assert torch.allclose(slope, slope[:1].expand(4), atol=1e-12) and torch.allclose(y, 3 + (x - 3) * slope.exp(), atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_gradient_of_bins_that_is_written_out(axis: int) -> None:
    theta, u = Rng(5).normal(9, 10).requires_grad_(), Rng(6).uniform(9)
    assert torch.autograd.gradcheck(lambda t: Bins.apply(u, t, axis)[1:], (theta,))  # type: ignore[no-untyped-call]


def test_extreme_parameters_stay_finite() -> None:
    """Whatever a network says, in float32: values, slopes and gradients are numbers."""
    for how in (Affine(), Spline(8, 4.0)):
        theta = (100 * Rng(7).normal(3000, how.many)).float().requires_grad_()
        for go in (how.forward, how.inverse):
            y, slope = go((30 * Rng(8).normal(3000)).float(), theta)
            (found,) = torch.autograd.grad(slope.sum() + y.clamp(-1e6, 1e6).sum(), theta)
            assert all(bool(t.isfinite().all()) for t in (y, slope, found))


@pytest.mark.parametrize("recipe", VECTORS, ids=lambda r: f"{r.structure}-{r.transform}")
@pytest.mark.parametrize("shape", [(), (1,), (2,), (5,), (2, 3)])
def test_identity_at_first(recipe: Flow, shape: tuple[int, ...]) -> None:
    """Identity 14: before training it is the standard normal, with scales that of the scaled items."""
    body: Any = recipe.build(Reals(shape), Rng(0))
    x = wide(40, *shape)
    base = torch.distributions.Normal(torch.zeros(()).double(), torch.ones(()).double())
    want = base.log_prob(x.reshape(40, -1)).sum(1)
    assert torch.allclose(body.log_prob(Batch(x)), want, rtol=1e-5, atol=1e-4)
    assert torch.allclose(body.double().log_prob(Batch(x)), want, atol=1e-10)
    body.center += 3
    body.scale *= 5
    assert torch.allclose(body.log_prob(Batch(x)), base.log_prob((x.reshape(40, -1) - 3) / 5).sum(1) - prod(shape) * log(5), atol=1e-10)


@pytest.mark.parametrize("recipe", VECTORS, ids=lambda r: f"{r.structure}-{r.transform}")
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3)])
def test_there_and_back(recipe: Flow, shape: tuple[int, ...]) -> None:
    """Identity 12, tails and batches of one and none included."""
    for double, near in ((True, 1e-10), (False, 1e-4)):
        body = moved(recipe, shape, 0.15 if double else 0.1, double)
        for n in (200, 1, 0):
            x = wide(n, *shape)
            z = body.encode(Batch(x))
            back = body.decode(z).tensor
            assert z.tensor.shape == back.shape == x.shape and body.log_prob(Batch(x)).shape == (n,)
            assert not n or float(((back - x) / x.abs().clamp_min(1)).abs().max()) < near


@pytest.mark.parametrize("recipe", PICTURES, ids=["affine", "spline"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 8)])
def test_pictures_there_and_back(recipe: Flow, shape: tuple[int, ...]) -> None:
    for double, near in ((True, 1e-10), (False, 1e-3)):
        body = moved(recipe, shape, 0.05, double)
        for n in (20, 1, 0):
            x = 2 * Rng(1).normal(n, *shape)
            back = body.decode(body.encode(Batch(x))).tensor
            assert back.shape == x.shape and (not n or float((back - x).abs().max()) < near)


@pytest.mark.parametrize(("recipe", "shape", "by"), [*((r, (4,), 0.15) for r in VECTORS), *((r, s, 0.05) for r in PICTURES for s in ((1, 8, 8), (1, 16, 16)))],
                         ids=lambda v: f"{v.structure}-{v.transform}" if isinstance(v, Flow) else str(v))
def test_the_volume_is_that_of_the_jacobian(recipe: Flow, shape: tuple[int, ...], by: float) -> None:
    body = moved(recipe, shape, by)
    for x in Rng(1).normal(2, *shape):
        def code(flat: Tensor) -> Tensor:
            return body.map(flat.reshape(1, *body.shape), None)[0].flatten()  # type: ignore[no-any-return]
        volume = body.map(x.reshape(1, *body.shape), None)[1].detach()
        assert float(torch.linalg.slogdet(torch.autograd.functional.jacobian(code, x.flatten()))[1] - volume) == pytest.approx(0, abs=1e-8)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("of", [Actnorm, Mix])
def test_parts_of_pictures_have_the_volume_of_their_jacobian(of: Any) -> None:
    with Rng(0).as_global():
        part = of(3).double()
    with torch.no_grad():
        for i, p in enumerate(part.parameters()):
            p += 0.3 * Rng(2).child(i).normal(1, *p.shape)[0]
    x = Rng(1).normal(1, 3, 2, 2)
    jacobian = torch.autograd.functional.jacobian(lambda t: part(t.reshape(1, 3, 2, 2))[0].flatten(), x.flatten())  # type: ignore[no-untyped-call]
    z, volume = (t.detach() for t in part(x))
    back, less = (t.detach() for t in part.inverse(z))
    assert float(torch.linalg.slogdet(jacobian)[1]) == pytest.approx(float(volume), abs=1e-10) == pytest.approx(-float(less), abs=1e-10)
    assert torch.allclose(back, x, atol=1e-12)


def test_activations_start_normalised() -> None:
    """Channels of very different sizes: what each network sees first has mean 0 and variance 1."""
    x = Rng(1).normal(200, 2, 8, 8) * torch.tensor([1.0, 30.0])[:, None, None] + 5
    body: Any = Flow(layers=2, width=8).build(Reals((2, 8, 8)), Rng(0))
    body.prepare(Memory(Batch(x)))
    steps = body.map.levels[0].steps
    h = body.encode(Batch(x)).tensor
    assert float(h.mean().abs()) < 1e-3 and float(h.std()) == pytest.approx(1, abs=1e-2) and len(steps) == 6


@pytest.mark.parametrize(("shape", "many"), [((1, 8, 8), 1), ((3, 28, 28), 2), ((3, 32, 32), 3), ((3, 64, 64), 3), ((1, 9, 8), 0), ((1, 4, 4), 0), ((64,), 0)])
def test_how_often_pictures_are_folded(shape: tuple[int, ...], many: int) -> None:
    assert folds(shape) == many
    assert (Flow(structure="glow").refuses(Reals(shape)) is None) == (many > 0) and Flow().refuses(Reals(shape)) is None


def grid(step: float, d: int, reach: float = 8.0) -> Tensor:
    axis = torch.arange(-reach + step / 2, reach, step, dtype=torch.double)
    return torch.cartesian_prod(*[axis] * d).reshape(-1, d)


def two_moons(n: int, rng: Rng) -> Tensor:
    side, turn = rng.child("side").uniform(n) < 0.5, pi * rng.child("turn").uniform(n)
    x = torch.stack([turn.cos() + side - 0.5, (turn.sin() - 0.25) * torch.where(side, -1.0, 1.0)], 1)
    return 1.5 * x + 0.15 * rng.child("noise").normal(n, 2)


@pytest.mark.parametrize("recipe", VECTORS, ids=lambda r: f"{r.structure}-{r.transform}")
def test_the_density_integrates_to_one(recipe: Flow) -> None:
    """Identity 13, on a 400 x 400 grid, before training and after."""
    body: Any = recipe.build(Reals((2,)), Rng(0))
    points = grid(0.04, 2)
    for steps in (0, 30):
        if steps:
            body.fit(Memory(Batch(two_moons(1000, Rng(1)))), Run(budget=Steps(steps), batch=100))
        assert float(body.log_prob(Batch(points)).exp().sum()) * 0.04**2 == pytest.approx(1, abs=2e-3)


def test_in_one_dimension_it_integrates_to_one_closely() -> None:
    body: Any = Flow(layers=2, width=16, bins=6).build(Reals(), Rng(0))
    body.fit(Memory(Batch(torch.cat([Rng(1).normal(500) - 2, 0.5 * Rng(2).normal(500) + 2]))), Run(budget=Steps(60), batch=100))
    body.double()
    points = grid(1e-3, 1, 25.0)[:, 0]
    assert float(body.log_prob(Batch(points)).exp().sum()) * 1e-3 == pytest.approx(1, abs=1e-6)


@cache
def gaussian(d: int) -> tuple[Tensor, float]:
    """A random covariance's root, and the entropy."""
    root = (Rng(9).normal(d, d) + torch.eye(d)).tril()
    root.diagonal().abs_().add_(0.3)
    return root, d / 2 * log(2 * pi * np.e) + float(root.diagonal().log().sum())


@pytest.mark.parametrize("structure", ["coupling", "autoregressive"])
def test_gaussians_to_their_entropy(structure: Any) -> None:
    """Identity 14: never below the entropy by more than chance, and within .02 nats a number above it."""
    root, entropy = gaussian(4)
    train, valid, test = (Rng(1).child(s).normal(n, 4) @ root.T for s, n in (("train", 8000), ("valid", 1000), ("test", 20_000)))
    body: Any = Flow(structure=structure, transform="affine", layers=2, width=16).build(Reals((4,)), Rng(0))
    body.fit(Memory(Batch(train)), Run(budget=Steps(300), batch=256), Memory(Batch(valid)))
    nats = -body.log_prob(Batch(test))
    assert entropy - 4 * float(nats.std()) / 20_000**0.5 < float(nats.mean()) < entropy + 4 * 0.02


def test_whitening() -> None:
    """With many items it is that of the covariance; with fewer than numbers it is still a matrix that fits held-out items better than none."""
    root, _ = gaussian(4)
    x = Rng(1).normal(50_000, 4) @ root.T
    a = whitening(x)
    assert torch.allclose(a @ root, torch.eye(4).double(), atol=0.05) and bool((a.triu(1) == 0).all())
    mixed = Rng(2).normal(100, 60) + 3 * Rng(3).normal(100, 1)
    a = whitening(mixed[:40])
    gain = a.diagonal().log().sum() - 0.5 * (mixed[40:] @ a.T).square().sum(1).mean() + 0.5 * mixed[40:].square().sum(1).mean()
    assert float(gain) > 100
    part = Triangular(4).double()
    part.prepare(x)
    z, volume = part(x)
    assert torch.allclose(part.inverse(z)[0], x, atol=1e-9) and float(volume[0].detach()) == pytest.approx(float(whitening(x).diagonal().log().sum()), abs=1e-6)


def test_samples_follow_the_density() -> None:
    """Their mean log density is minus the entropy that an integral over the grid gives."""
    body: Any = Flow(layers=2, width=32).build(Reals((2,)), Rng(0))
    body.fit(Memory(Batch(two_moons(3000, Rng(1)))), Run(budget=Steps(150), batch=128))
    points = grid(0.04, 2)
    nats = body.log_prob(Batch(points))
    entropy = -float((nats.exp() * nats).sum()) * 0.04**2
    made = body.log_prob(body.sample(20_000, Rng(2)))
    assert -float(made.mean()) == pytest.approx(entropy, abs=4 * float(made.std()) / 20_000**0.5 + 1e-3)


def test_labels_are_learned() -> None:
    """Each label's items are about where those it learned from are."""
    label = (Rng(4).uniform(3000) < 0.3).long()
    x = two_moons(3000, Rng(1)) * 0.3 + 3.0 * label[:, None]
    body: Any = Flow(layers=2, width=32).build(Reals((2,)), Rng(0), {"label": Discrete(2)})
    body.fit(Memory(Batch(x, context={"label": Batch(label)})), Run(budget=Steps(250), batch=128))
    told = [body.given(About({"label": Batch(torch.tensor([k]))}), Rng(0)) for k in (0, 1)]
    means = torch.stack([t.sample(2000, Rng(1)).tensor.mean(0) for t in told])
    assert torch.allclose(means, torch.stack([x[label == k].mean(0) for k in (0, 1)]), atol=0.25)
    assert body.given(Fix({0: 1.0}), Rng(0)) is None
    with pytest.raises(UsageError, match="label"):
        body.encode(Batch(x))


def test_bfloat16_learns_too() -> None:
    x = two_moons(2000, Rng(1))
    found = []
    for precision in ("float32", "bfloat16"):
        body: Any = Flow(layers=2, width=32).build(Reals((2,)), Rng(0))
        body.fit(Memory(Batch(x[:1500])), Run(budget=Steps(200), batch=128, precision=precision), Memory(Batch(x[1500:])))  # type: ignore[arg-type]
        found.append(float(body.log_prob(Batch(x[1500:])).mean()))
    assert abs(found[0] - found[1]) < 0.1


def test_pictures_are_learned() -> None:
    """Smooth pictures: soon far above what normalised pixels give, and made ones are as smooth."""
    def pictures(n: int, rng: Rng) -> Tensor:
        wave = torch.arange(8) / 8 * 2 * pi
        turn = rng.child("turn").uniform(n, 1, 1, 2) * 2 * pi
        return (turn[..., :1] + wave[:, None]).sin() + (turn[..., 1:] + wave).cos() + 0.1 * rng.child("noise").normal(n, 1, 8, 8)

    train, test = (pictures(n, Rng(1).child(s)) for s, n in (("train", 600), ("test", 300)))
    body: Any = Flow(layers=3, width=24).build(Reals((1, 8, 8)), Rng(0))
    body.prepare(Memory(Batch(train)))
    before = float(body.log_prob(Batch(test)).mean())
    body.fit(Memory(Batch(train)), Run(budget=Steps(120), batch=32, rate=5e-3))
    made = body.sample(300, Rng(2)).tensor
    rough = [float(x.diff(dim=3).square().mean() / x.var()) for x in (made, test, Rng(3).normal(300, 1, 8, 8))]
    assert float(body.log_prob(Batch(test)).mean()) > before + 20 and rough[0] < 0.5 * rough[2]


class Refilled(Memory):
    """Whole numbers filled up by uniform noise, anew whenever they are taken."""

    times = 0

    def resident(self) -> None:  # type: ignore[override]
        """Nothing is kept."""

    def take(self, index: Tensor) -> Batch:
        self.times += 1
        x = super().take(index).tensor
        return Batch(x + Rng(self.times).uniform(*x.shape))


def over(x: Batch, sizes: int, transform: Any, seed: int, steps: int = 300) -> Any:
    recipe = Flow(layers=2, width=24, transform=transform, dequantise="variational", noise=0.0)
    body: Any = recipe.build(Discrete(sizes, x.tensor.shape[1:]), Rng(0))
    body.fit(Memory(x), Run(seed=seed, budget=Steps(steps), batch=128))
    return body


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learned_noise_gives_a_higher_bound_than_uniform_noise(seed: int) -> None:
    """Four bits that lean on each other, and layers that can't make boxes: -2.6 nats against -3.3, .65 apart over these seeds."""
    x, test = (planted(Discrete(2, (4,)), n, Rng(seed).child(s)) for s, n in (("train", 1500), ("test", 1000)))
    learned = over(x, 2, "affine", seed)
    uniform: Any = Flow(layers=2, width=24, transform="affine", noise=0.0).build(Reals((4,)), Rng(0))
    uniform.fit(Refilled(x), Run(seed=seed, budget=Steps(300), batch=128))
    bounds = [float(learned.log_prob_bound(test, Rng(1)).mean()),
              float(np.mean([float(uniform.log_prob(Batch(test.tensor + Rng(k).uniform(1000, 4))).mean()) for k in range(4)]))]
    assert bounds[0] > bounds[1] + 0.4


@pytest.mark.parametrize("transform", ["affine", "spline"])
def test_the_bound_lies_below_the_mass_of_each_cell(transform: Any) -> None:
    """One whole number: the mass of a cell is an integral, the mean bound lies below it, and uniform noise before it learns lies lower still."""
    x = Batch((Rng(2).uniform(800, 1).square() * 5).long())
    body, new = over(x, 5, transform, 0), Flow(dequantise="variational").build(Discrete(5, (1,)), Rng(0))
    fine = (torch.arange(-40_000, 90_000, dtype=torch.double)[:, None] + 0.5) / 10_000
    nats = body.nats(body.standard(fine), None).exp().detach() / 10_000
    cells = torch.stack([nats[(fine[:, 0] >= k) & (fine[:, 0] < k + 1)].sum() for k in range(5)])
    assert float(nats.sum()) == pytest.approx(1, abs=2e-3)
    every = Batch(torch.arange(5)[:, None])
    bound = torch.stack([body.log_prob_bound(every, Rng(3).child(k)) for k in range(100)])
    gap = cells.log() - bound.mean(0)
    assert bool((gap > -4 * bound.std(0) / 10 - 1e-3).all()) and float((cells * gap).sum()) < 0.1
    made = torch.bincount(body.sample(20_000, Rng(1)).tensor[:, 0], minlength=5) / 20_000
    outside = 1 - float(cells.sum())
    assert float((made - cells).abs().max()) < 0.012 + outside
    assert isinstance(new, Dequantised)
    noise = Rng(5).child("draw", 0).child("fill").normal(5, 1)
    uniform = new.nats(new.standard(every.tensor + torch.special.ndtr(noise.float().double())), None)
    with torch.no_grad():
        assert torch.allclose(new._drawn(every, Rng(5).child("draw", 0)), uniform, atol=1e-6)


@pytest.mark.parametrize("space", ["bits", "record"])
def test_whole_numbers_pass_the_contract(space: str) -> None:
    check_family(Flow(layers=1, width=12, dequantise="variational"), SPACES[space])


def test_pictures_of_few_levels_come_as_they_are() -> None:
    """Labels and all; without the option they come filled up."""
    pictures = np.random.default_rng(0).integers(0, 4, (60, 8, 8, 1)).astype(np.uint8) * 60
    data = replace(ilk.read(pictures, ilk.Image()), labels=ilk.Labels(torch.arange(60) % 2, ("a", "b")))
    model = ilk.fit(data, Flow(layers=1, width=4, dequantise="variational"), budget=Steps(3))
    assert isinstance(model.body, Dequantised) and model.score(data).sort == "bound" and model.given(ilk.Label("b")).sample(2).shape == (2, 8, 8, 1)
    assert isinstance(ilk.fit(data, Flow(layers=1, width=4), budget=Steps(3)).body, Bijective)
    with pytest.raises(UsageError, match="whole numbers"):
        Flow(dequantise="variational").build(Reals((2,)), Rng(0))


def test_few_items_learn_with_noise() -> None:
    """Sixty items of 8 numbers that are independent: what noise leaves is near the truth, without it much is learned that is not so."""
    train, valid, test = (Rng(4).child(s).normal(n, 8) for s, n in (("train", 60), ("valid", 0), ("test", 2000)))
    found = []
    for noise in (0.0, None):
        body: Any = Flow(layers=2, width=32, noise=noise).build(Reals((8,)), Rng(0))
        body.fit(Memory(Batch(train)), Run(budget=Steps(150), batch=20), Memory(Batch(valid)))
        found.append(float(body.log_prob(Batch(test)).mean()))
    assert found[1] > found[0] + 0.5
