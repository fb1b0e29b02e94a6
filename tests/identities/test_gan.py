"""Laws of adversarial games: optimal critics on enumerated laws, penalties of known slopes, distances of Gaussians, and what tells a collapse."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, truncnorm
from torch import Tensor, nn

import ilk
from ilk.batch import Batch, Memory
from ilk.distribution import Port
from ilk.errors import UsageError
from ilk.families import _collapse as collapse
from ilk.families._adversary import Critic
from ilk.families._games import GAMES, penalty, steepness
from ilk.families.gan import GAN, Gan
from ilk.nets.dcgan import DCGAN
from ilk.nets.mlp import MLP
from ilk.nets.resnet import ResNet
from ilk.rng import Rng
from ilk.run import Event, Noted, Run, Steps
from ilk.samplers.heun import Heun
from ilk.samplers.truncation import Truncation
from ilk.space import Discrete, Reals, Space
from ilk.train.adamw import AdamW

torch.set_num_threads(1)
SMALL = MLP(width=64)


def built(recipe: GAN, space: Space, about: Mapping[str, Space] | None = None, seed: int = 0) -> Gan:
    body = recipe.build(space, Rng(seed), about)
    assert isinstance(body, Gan)
    return body


def laws(k: int, seed: int, zeros: bool) -> tuple[Tensor, Tensor]:
    """Two laws over k values; some values only one of them has."""
    p, q = (Rng(seed).child(name).uniform(k) ** 3 for name in "pq")
    if zeros:
        p, q = p.where(torch.arange(k) != 0, torch.zeros(1)), q.where(torch.arange(k) != 1, torch.zeros(1))
    return p.double() / p.sum(), q.double() / q.sum()


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """KL(p || q) in nats."""
    there = p > 0
    return (p[there] * (p[there] / q[there]).log()).sum()


def critics_loss(loss: str, p: Tensor, q: Tensor, s: Tensor) -> Tensor:
    game = GAMES[loss]
    return (p * game.real(s)).sum() + (q * game.made(s)).sum()


def best(loss: str, p: Tensor, q: Tensor, closed: Tensor) -> float:
    """The critic's loss at a score in closed form, which no score near it, and no random one, improves."""
    value = float(critics_loss(loss, p, q, closed))
    for k in range(40):
        other = closed + Rng(k).normal(len(p)) * 10.0 ** -(k % 5)
        assert float(critics_loss(loss, p, q, other)) >= value - 1e-12
    return value


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6), st.booleans())
def test_the_value_of_the_game_is_the_jensen_shannon_divergence(k: int, seed: int, zeros: bool) -> None:
    """Identity 25: D* = p/(p+q), and V = -log 4 + 2 JSD(p || q), the loss being -V."""
    p, q = laws(k, seed, zeros)
    share = p / (p + q)
    score = torch.logit(share).clamp(-60, 60)
    value = -best("non_saturating", p, q, score)
    jsd = (divergence(p, (p + q) / 2) + divergence(q, (p + q) / 2)) / 2
    assert value == pytest.approx(float(-np.log(4) + 2 * jsd), abs=1e-10)
    s = score.clone().requires_grad_()
    inside = (share > 0) & (share < 1)
    (slope,) = torch.autograd.grad(critics_loss("non_saturating", p, q, s), s)
    assert bool((slope[inside].abs() < 1e-10).all())


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6), st.booleans())
def test_least_squares_leaves_pearsons_chi_square(k: int, seed: int, zeros: bool) -> None:
    """With targets -1, 1 and 0 the optimum is (p - q) / (p + q). The squares that the generator lowers sum to chi2(p + q || 2 q) / 2.

    chi2(u || v) = sum (v - u)^2 / u; with u = p + q and v = 2 q, v - u = q - p (Mao et al. 2017, equation 9).
    """
    p, q = laws(k, seed, zeros)
    score = (p - q) / (p + q)
    best("least_squares", p, q, score)
    chi = ((2 * q - (p + q)).square() / (p + q)).sum()
    fool = GAMES["least_squares"].fool(score)
    assert float(((p + q) * fool).sum()) == pytest.approx(float(chi / 2), abs=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6), st.booleans())
def test_hinge_leaves_the_total_variation(k: int, seed: int, zeros: bool) -> None:
    """The optimum is the sign of p - q, the critic's loss there 2 (1 - TV), and the generator lowers 2 TV - what is constant for it."""
    p, q = laws(k, seed, zeros)
    score = (p - q).sign()
    tv = (p - q).abs().sum() / 2
    assert best("hinge", p, q, score) == pytest.approx(float(2 * (1 - tv)), abs=1e-10)
    assert float((q * GAMES["hinge"].fool(score)).sum() + (p * score).sum()) == pytest.approx(float(2 * tv), abs=1e-10)


def test_packing_sees_a_collapse_better() -> None:
    """Lin et al. 2018: of two laws as far from p, the one that lost a mode is farther once two items are seen at a time."""
    p = torch.full((4,), 0.25).double()
    lost = torch.tensor([1 / 3, 1 / 3, 1 / 3, 0], dtype=torch.double)

    def game(a: Tensor, b: Tensor) -> float:
        return -float(critics_loss("non_saturating", a, b, (a / b).log().clamp(-60, 60)))

    def squared(a: Tensor) -> Tensor:
        return (a[:, None] * a[None]).flatten()
    low, high = 0.0, 0.25
    for _ in range(60):   # a law that lost nothing, yet is as far from p as the other
        lean = (low + high) / 2
        bent = torch.tensor([0.25 + lean, 0.25 - lean] * 2, dtype=torch.double)
        low, high = (lean, high) if game(p, bent) < game(p, lost) else (low, lean)
    assert game(p, bent) == pytest.approx(game(p, lost), abs=1e-9)
    assert game(squared(p), squared(lost)) > game(squared(p), squared(bent)) + 0.01


@pytest.mark.parametrize("pack", [1, 2, 3])
@pytest.mark.parametrize("shape", [(), (3,), (1, 8, 8)])
def test_a_pack_is_items_that_follow_each_other(pack: int, shape: tuple[int, ...]) -> None:
    body = built(GAN(pack=pack, codes=2, net=DCGAN(width=4) if len(shape) == 3 else SMALL), Reals(shape))
    x = body.standard(Rng(1).normal(7, *shape))
    found = body.packed(x)
    for i in range(7):
        assert torch.equal(found[i], torch.cat([x[(i + j) % 7] for j in range(pack)]))
    losses = body.critic_loss(Batch(Rng(1).normal(7, *shape)), Rng(2))
    assert losses.shape == (7,) and body.generator_loss(Batch(Rng(1).normal(7, *shape)), Rng(2)).shape == (7,)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.integers(0, 1000))
def test_penalties_of_a_straight_critic(weights: list[float], seed: int) -> None:
    """Identity 26: of f(x) = w x the gradient penalty and DRAGAN's are (|w| - 1)^2 wherever one looks, R1 is |w|^2 / 2."""
    w = torch.tensor(weights, dtype=torch.double)
    real, made = (Rng(seed).child(name).normal(5, len(w)) for name in ("real", "made"))
    length = float(w.norm())
    for kind, value in (("gradient", (length - 1) ** 2), ("dragan", (length - 1) ** 2), ("r1", length**2 / 2)):
        found = penalty(kind, lambda x: x @ w, real, made, Rng(seed))
        assert torch.allclose(found, torch.full((5,), value).double(), atol=3e-6)
    unit = w / length if length > 0 else w
    assert length == 0 or float(penalty("gradient", lambda x: x @ unit, real, made, Rng(0)).max()) < 1e-10


@pytest.mark.parametrize("kind", ["gradient", "r1"])
def test_the_slope_is_that_of_differences(kind: str) -> None:
    """Autograd's slope against central differences, and the gradient penalty lies where it should: between real and made."""
    body = built(GAN(pack=1, net=SMALL, codes=2), Reals((3,))).double()

    def critic(x: Tensor) -> Tensor:
        return body.critic.head(nn.functional.leaky_relu(body.critic.body(x), 0.2))[:, 0]
    x, h = Rng(0).normal(4, 3), 1e-6
    by_hand = torch.stack([(critic(x + h * e) - critic(x - h * e)) / (2 * h) for e in torch.eye(3).double()], 1)
    assert torch.allclose(steepness(critic, x), by_hand.square().sum(1), atol=1e-6)
    seen: list[Tensor] = []

    def hear(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return critic(x)
    real, made = x, x + torch.tensor([1.0, 2.0, -3.0])
    penalty(kind, hear, real, made, Rng(0))
    u = (seen[0] - real) / (made - real)
    assert torch.allclose(u, u[:, :1].expand(-1, 3)) and bool(((u >= 0) & (u <= 1)).all()) and (kind == "gradient") == bool((u > 0.01).any())


def test_a_penalty_on_some_items_has_the_mean_of_all() -> None:
    """A straight critic has one slope everywhere: the mean over items is the strength times the penalty."""
    for strength, want in ((None, 10.0), (2.5, 2.5)):
        body = built(GAN(net=SMALL, codes=2, pack=1, loss="wasserstein", penalty="gradient", strength=strength), Reals((3,)))
        body.critic.forward = lambda x, about=None: x @ torch.tensor([2.0, 0.0, 1.0])  # type: ignore[method-assign]
        batch = Batch(Rng(1).normal(10, 3))
        gap = (body._penalty(*(Rng(k).normal(10, 3).float() for k in range(2)), None, Rng(0))).mean()
        assert float(gap) == pytest.approx(want * (5**0.5 - 1) ** 2, rel=1e-5)
        assert body.critic_loss(batch, Rng(0)).shape == (10,)


@pytest.mark.parametrize(("net", "shape", "steps"), [(SMALL, (6,), 400), (DCGAN(width=8), (2, 12, 8), 100), (ResNet(width=8), (1, 9, 8), 100)])
def test_spectral_norms_are_one(net: Any, shape: tuple[int, ...], steps: int) -> None:
    """Identity 26: after enough power steps the largest singular value of every layer is 1, as numpy finds it."""
    with Rng(0).as_global():
        critic = Critic(net, shape, 3, spectral=True)
        for _ in range(steps):
            critic(torch.zeros(1, *shape), torch.zeros(1, 3))
    critic.eval()
    layers = [m for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    largest = [float(np.linalg.svd(m.weight.detach().flatten(1).numpy(), compute_uv=False)[0]) for m in layers]
    assert len(largest) >= 3 and largest == pytest.approx([1.0] * len(largest), abs=1e-3)


def taught(body: Gan, x: Tensor, steps: int) -> None:
    """The critic's turns alone."""
    optimiser = AdamW(body.critic.parameters(), 0.0, (0.0, 0.99))
    for k in range(steps):
        batch = Batch(x[Rng(k).integers(256, len(x))])
        optimiser.forget_gradients()
        body.critic_loss(batch, Rng(k).child("noise")).mean().backward()
        optimiser.step(2e-3 * (1 - k / steps))


class Affine(nn.Module):
    """A generator of N(mean, spread^2)."""

    def __init__(self, mean: float, spread: float) -> None:
        super().__init__()
        self.mean, self.spread = nn.Parameter(torch.tensor(mean)), nn.Parameter(torch.tensor(spread))

    def forward(self, z: Tensor) -> Tensor:
        return self.mean + self.spread * z


@pytest.mark.slow
def test_the_critic_measures_the_wasserstein_distance() -> None:
    """W1 of N(0, 1) and N(m, s^2) is E|m + (s - 1) z|: the critic's gap, trained with the penalty, follows it."""
    far = [(0.2, 1.0), (1.0, 1.0), (2.5, 1.0), (0.0, 2.0), (1.0, 0.4)]
    x = Rng(9).normal(20_000, 1)
    true = [float((m + (s - 1) * x).abs().mean()) for m, s in far]
    found = []
    for m, s in far:
        body = built(GAN(pack=1, loss="wasserstein", penalty="gradient", codes=1, net=SMALL), Reals((1,)))
        body.generator = Affine(m, s)
        taught(body, x, 400)
        with torch.no_grad():
            found.append(float(body.critic(x.float()).mean() - body.critic(body.made(20_000, Rng(3), None)).mean()))
    assert np.corrcoef(true, found)[0, 1] > 0.98
    assert found == pytest.approx(true, rel=0.2, abs=0.06)


def test_the_critic_learns_the_share_of_the_data() -> None:
    """Trained on N(0, 1) against N(1, 1) without a penalty, sigmoid of its score is p / (p + q) = sigmoid(1/2 - x)."""
    body = built(GAN(pack=1, penalty="none", codes=1, net=SMALL), Reals((1,)))
    body.generator = Affine(1.0, 1.0)
    taught(body, Rng(9).normal(20_000, 1), 600)
    x = torch.linspace(-1.5, 2.5, 41)[:, None]
    with torch.no_grad():
        gap = body.critic(x).sigmoid() - (0.5 - x[:, 0]).sigmoid()
    assert float(gap.abs().max()) < 0.08
    real, made = body.belief(Memory(Batch(Rng(4).normal(4000, 1))), Rng(0))
    exact = float((0.5 - Rng(5).normal(100_000)).sigmoid().mean())
    assert real == pytest.approx(exact, abs=0.03) and made == pytest.approx(1 - exact, abs=0.03)
    body.generator = Affine(0.0, 1.0)
    real, made = body.belief(Memory(Batch(Rng(4).normal(4000, 1))), Rng(0))
    assert abs(real - made) < 0.02   # where laws agree nothing tells real from made


def heard(body: Gan, x: Tensor, **more: Any) -> list[str]:
    """What a fit says."""
    said: list[str] = []

    def hear(event: Event) -> None:
        said.extend([event.text] if isinstance(event, Noted) else [])
    body.fit(Memory(Batch(x, **more)), Run(seed=1, budget=Steps(600), listeners=(hear,)))
    return said


def corners(n: int) -> tuple[Tensor, Tensor]:
    """Points near the corners of a square, and which corner."""
    which = Rng(2).integers(n, 4)
    centre = torch.stack([which % 2, which // 2], 1).double() * 4 - 2
    return centre + 0.3 * Rng(3).normal(n, 2), which


@pytest.mark.parametrize("seed", range(3))
def test_a_collapse_is_told_and_a_clean_fit_is_silent(seed: int) -> None:
    x, _ = corners(3000)
    body = built(GAN(codes=4, net=SMALL), Reals((2,)), seed=seed)
    assert heard(body, x) == []
    data = Memory(Batch(x))
    whole = body.generator

    class Cornered(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return whole(z).abs()
    body.generator = Cornered()
    body.generator.register_parameter("kind", nn.Parameter(torch.zeros(())))
    (text,) = body.troubles(data, Rng(0))
    assert re.search(r"mode collapse: nothing is made like (6|7|8)\d% of", text) and "pack=" in text and "penalty=" in text


def test_copies_of_few_items_are_told() -> None:
    x, _ = corners(3000)
    some = x[Rng(1).integers(2500, 40)] + 1e-4 * Rng(2).normal(2500, 2)
    assert collapse.closeness(x, some) < collapse.NARROW < collapse.closeness(x, corners(6000)[0][3000:])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 20, 200]), st.sampled_from([200, 500, 2000]))
def test_nothing_is_lost_between_sets_of_one_law(seed: int, d: int, n: int) -> None:
    one, other = (Rng(seed).child(name).normal(n, d) for name in ("one", "other"))
    assert collapse.lost(one, other, Rng(0)) < 0.05 and 0.5 < collapse.closeness(one, other) < 2


@pytest.mark.parametrize("gone", [1, 2, 4])
def test_what_is_lost_is_the_share_of_the_modes(gone: int) -> None:
    angle = torch.arange(8) * torch.pi / 4
    centres = torch.stack([angle.cos(), angle.sin()], 1).double()

    def ring(n: int, modes: int, rng: Rng) -> Tensor:
        return centres[rng.child("which").integers(n, modes)] + 0.01 * rng.child("x").normal(n, 2)
    real = ring(2000, 8, Rng(0))
    assert collapse.lost(real, ring(2000, 8 - gone, Rng(1)), Rng(2)) == pytest.approx(gone / 8, abs=0.03)
    assert collapse.lost(real, ring(2000, 8, Rng(1)) + 0.1 * Rng(3).normal(2000, 2), Rng(2)) == 0   # blurred is not lost
    assert collapse.lost(real, 0.95 * ring(2000, 8, Rng(1)), Rng(2)) == 0                           # nor is what is slightly off


def test_a_critic_that_teaches_nothing_is_told() -> None:
    """Made items far from real ones, and a critic that is sure of both and flat there."""
    x = Rng(0).normal(500, 2)
    body = built(GAN(pack=1, codes=2, net=SMALL, penalty="none"), Reals((2,)))
    body.generator = Affine(9.0, 0.1)
    data = Memory(Batch(x))
    assert not any("vanishing" in text for text in body.troubles(data, Rng(0)))
    body.critic.forward = lambda x, about=None: 30 * ((4 - x[:, 0]) * 40).tanh()  # type: ignore[method-assign]
    (text,) = [t for t in body.troubles(data, Rng(0)) if "vanishing" in t]
    assert "penalty=" in text and "loss=" in text
    body.critic.forward = lambda x, about=None: 30 * (4 - x[:, 0])  # type: ignore[method-assign]
    assert not any("vanishing" in text for text in body.troubles(data, Rng(0)))


def test_truncated_codes_are_those_of_a_truncated_normal() -> None:
    body = built(GAN(codes=1, net=SMALL), Reals((1,)))
    body.generator = Affine(0.0, 1.0)
    for psi in (0.1, 0.5, 0.9):
        z = body.sample(4000, Rng(1), Truncation(psi=psi)).tensor[:, 0]
        most = float(torch.special.ndtri(torch.tensor(0.5 + psi / 2).double()))
        assert kstest(z.numpy(), truncnorm(-most, most).cdf).pvalue > 1e-3
    assert torch.equal(body.sample(9, Rng(1), Truncation(psi=1.0)).tensor, body.sample(9, Rng(1)).tensor)
    assert float(body.sample(9, Rng(1), Truncation(psi=0.0)).tensor.abs().max()) == 0
    with pytest.raises(UsageError, match="Heun does not draw codes"):
        body.sample(2, Rng(0), Heun())


@pytest.mark.parametrize("pack", [1, 2])
def test_labels_are_obeyed(pack: int) -> None:
    """The corner that is asked for is the one that is made."""
    x, which = corners(3000)
    body = built(GAN(codes=4, net=SMALL, pack=pack), Reals((2,)), {"label": Discrete(4)})
    assert heard(body, x, context={"label": Batch(which)}) == []
    asked = torch.arange(4).repeat(200)
    made = body.draw(800, Rng(3), {"label": Batch(asked)}).tensor
    assert float((((made[:, 0] > 0) + 2 * (made[:, 1] > 0)) == asked).double().mean()) > 0.95


def test_the_projection_is_the_only_way_labels_reach_a_score() -> None:
    """Miyato & Koyama 2018, equation 3: score(x, y) - score(x, y') = (v_y - v_y') phi(x)."""
    body = built(GAN(pack=1, net=SMALL, codes=2), Reals((3,)), {"label": Discrete(3)})
    x = Rng(0).normal(5, 3).float()
    one, other = (torch.eye(3)[[k] * 5] for k in (0, 2))
    assert body.critic.beside is not None
    h, v = nn.functional.leaky_relu(body.critic.body(x), 0.2), body.critic.beside.weight
    with torch.no_grad():
        assert torch.allclose(body.critic(x, one) - body.critic(x, other), h @ (v[:, 0] - v[:, 2]), atol=1e-5)


def test_there_is_no_score_and_it_says_why() -> None:
    model = ilk.fit(np.asarray(corners(300)[0]), GAN(net=SMALL), seed=1, budget=Steps(5))
    with pytest.raises(UsageError, match="has no likelihood") as found:
        model.score(np.zeros((3, 2)))
    assert found.value.code == "NO_SCORE" and "evaluate" in str(found.value.remedy)
    assert model.sample(3, how=Truncation(psi=0.5)).shape == (3, 2)


def test_the_last_weights_are_kept() -> None:
    """The critic's loss on held-out items does not choose them: it is least at the start, when the generator knows nothing."""
    x, _ = corners(800)
    states = []
    for valid in (None, Memory(Batch(x[:100]))):
        body = built(GAN(net=SMALL, codes=2), Reals((2,)))
        body.fit(Memory(Batch(x)), Run(seed=1, budget=Steps(30)), valid)
        states.append(body.state().tensors)
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_a_phase_names_the_memory_of_its_optimiser() -> None:
    body = built(GAN(net=SMALL), Reals((2,)))
    assert [phase.betas for phase in body.phases()] == [(0.0, 0.99)] * 2
    seen: list[tuple[float, float]] = []

    class Spy(AdamW):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            seen.append(self.betas)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ilk.train.loop.AdamW", Spy)
        body.fit(Memory(Batch(Rng(0).normal(50, 2))), Run(budget=Steps(1)))
    assert seen == [(0.0, 0.99)] * 2


@pytest.mark.parametrize("net", [DCGAN(width=4), ResNet(width=4)])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 8, 8), (1, 9, 13), (2, 28, 28), (1, 33, 8)])
def test_pictures_of_any_size(net: Any, shape: tuple[int, ...]) -> None:
    """Made in their own size from every code, and every pixel moves the score."""
    with Rng(0).as_global():
        made, score = net(Port("decode", (5,), shape, 2)), net(Port("score", shape, (3,)))
    assert made(torch.zeros(2, 5), torch.zeros(2, 2)).shape == (2, *shape)
    x = Rng(1).normal(2, *shape).float().requires_grad_()
    (slope,) = torch.autograd.grad(score(x).square().sum(), x)
    assert bool((slope != 0).float().mean() > 0.95)


@pytest.mark.parametrize("net", [DCGAN(), ResNet()])
def test_what_these_networks_are_not_for_is_refused(net: Any) -> None:
    for port in (Port("encode", (1, 8, 8), (3,)), Port("decode", (3,), (9,)), Port("score", (9,), (1,))):
        with pytest.raises(UsageError, match="it can't"):
            net(port)
