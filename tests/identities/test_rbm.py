"""Boltzmann machines held against enumeration, autograd and each other: both sums of Z, gradients, annealing, evidence, chains."""
from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import torch
from torch import Tensor

from ilk.batch import Batch, Memory
from ilk.distribution import Encodes, HasEstimate, HasLogProb, Infers
from ilk.errors import ModelError, TrainingError
from ilk.families._chains import ess, rhat
from ilk.families._rbm_fit import Learner
from ilk.families._rbm_machine import Machine, Start
from ilk.families._rbm_units import Binary, Gaussian, bits
from ilk.families.rbm import RBM, Rbm, RbmEstimate, RbmExact
from ilk.given import Fix, Held, Weigh, Within
from ilk.rng import Rng
from ilk.run import Event, Noted, Run, Steps, Validated
from ilk.space import Discrete, Reals
from ilk.testing import check_family
from ilk.train.loop import rate_at

V, H = 8, 6
EVERY_V, EVERY_H = bits(torch.arange(1 << V), V), bits(torch.arange(1 << H), H)


def machine(seed: int = 0, visible: int = V, hidden: int = H, size: float = 1.0) -> Machine:
    rng = Rng(seed)
    units = Binary.of(Discrete(2, (visible,)))
    return Machine(size * rng.child("w").normal(visible, hidden), rng.child("b").normal(visible), rng.child("c").normal(hidden),
                   Start(0.5 * rng.child("start").normal(3, visible), rng.child("share").normal(3), 0.3 * rng.child("c").normal(hidden)), units)


def gaussian(seed: int = 0, visible: int = 2, hidden: int = 5) -> Machine:
    return replace(machine(seed, visible, hidden), units=Gaussian.of(visible))


def planted(n: int, many: int, seed: int = 0) -> Tensor:
    """Bits that lean on one of four patterns."""
    rng = Rng(seed)
    pattern = Rng(77).child("pattern").uniform(4, many) < 0.5
    lean = pattern[rng.child("which").integers(n, 4)]
    return lean.where(rng.child("keep").uniform(n, many) < 0.85, ~lean).long()


def fitted(recipe: RBM, x: Tensor, steps: int = 400, valid: Tensor | None = None) -> tuple[Rbm, list[Event]]:
    events: list[Event] = []
    space = Reals(tuple(x.shape[1:])) if x.is_floating_point() else Discrete(2, tuple(x.shape[1:]))
    body = recipe.build(space, Rng(0))
    body.fit(Memory(Batch(x)), Run(seed=1, budget=Steps(steps), listeners=(events.append,)), None if valid is None else Memory(Batch(valid)))
    return body, events


# the law


@pytest.mark.parametrize("seed", range(3))
def test_both_sums_of_z_agree_with_the_sum_over_all_states(seed: int) -> None:
    m = machine(seed)
    energy = -(EVERY_V @ m.visible)[:, None] - EVERY_H @ m.hidden - EVERY_V @ m.weight @ EVERY_H.T
    truth = float((-energy).flatten().logsumexp(0))
    assert float(m.log_mass(EVERY_V).logsumexp(0)) == pytest.approx(truth, abs=1e-10)
    assert float(m.log_mass_hidden(EVERY_H).logsumexp(0)) == pytest.approx(truth, abs=1e-10)
    assert m.log_z() == pytest.approx(truth, abs=1e-10)
    assert float((m.log_mass(EVERY_V) - m.log_z()).exp().sum()) == pytest.approx(1, abs=1e-10)
    assert torch.allclose(m.log_mass(EVERY_V), (-energy).logsumexp(1), atol=1e-10)


def test_the_gradient_of_the_likelihood_is_data_less_model() -> None:
    """d mean log p / dW = E_data[v h] - E_model[v h], each h at its odds; as autograd has it."""
    m, x = machine(1), planted(20, V).double()
    w, b, c = (t.clone().requires_grad_() for t in (m.weight, m.visible, m.hidden))
    free = replace(m, weight=w, visible=b, hidden=c)
    (free.log_mass(x).mean() - free.log_mass(EVERY_V).logsumexp(0)).backward()   # type: ignore[no-untyped-call]
    p = (m.log_mass(EVERY_V) - m.log_z()).exp()
    h_data, h_model = m.hidden_odds(x).sigmoid(), m.hidden_odds(EVERY_V).sigmoid()
    assert w.grad is not None and b.grad is not None and c.grad is not None
    assert torch.allclose(x.T @ h_data / 20 - (EVERY_V * p[:, None]).T @ h_model, w.grad, atol=1e-8)
    assert torch.allclose(x.mean(0) - p @ EVERY_V, b.grad, atol=1e-8)
    assert torch.allclose(h_data.mean(0) - p @ h_model, c.grad, atol=1e-8)


def test_one_step_of_learning_goes_along_that_gradient() -> None:
    """Centred updates of many chains that were drawn exactly, without momentum's past, point where the exact gradient does."""
    x = planted(400, V)
    body = RBM(hidden=H, chains=20_000, k=1, weight_decay=0).build(Discrete(2, (V,)), Rng(0))
    m = machine(1, size=0.5)
    learner = Learner(body, Memory(Batch(x)), Run(seed=3, batch=400, budget=Steps(10), precision="float32"), None)
    for name, t in (("weight", m.weight), ("visible", m.visible), ("hidden", m.hidden)):
        learner.now[name].copy_(t)
    v = m.exact(20_000, Rng(9))
    learner.now["chains"] = (Rng(8).uniform(20_000, H) < m.hidden_odds(v).sigmoid()).float()
    learner._update(0.02)   # the end of the warm-up: at the full rate
    moved = (learner.now["weight"].double() - m.weight) / (learner.plan.rate * rate_at(0.02))
    p = (m.log_mass(EVERY_V) - m.log_z()).exp()
    h = m.hidden_odds(x.double()).sigmoid()
    wanted = x.double().T @ h / len(x) - (EVERY_V * p[:, None]).T @ m.hidden_odds(EVERY_V).sigmoid()
    dv, dh = x.double().mean(0) - p @ EVERY_V, h.mean(0) - p @ m.hidden_odds(EVERY_V).sigmoid()
    centred = wanted - torch.outer(x.double().mean(0), dh) - torch.outer(dv, learner.now["mean.hidden"].double())
    assert torch.allclose(moved, centred, atol=0.02) and float(centred.abs().max()) > 0.1


def test_density_of_numbers_integrates_to_one() -> None:
    m = gaussian()
    grid = torch.arange(-14, 14, 0.05).double() + 0.025
    points = torch.cartesian_prod(grid, grid)
    assert float((m.log_mass(points) - m.log_z()).exp().sum()) * 0.05**2 == pytest.approx(1, abs=1e-6)


def test_any_code_gives_the_mass_of_its_item() -> None:
    """p(v) = p(v | h) p(h) / p(h | v) for every h."""
    for x in (planted(300, V), Rng(1).child("x").normal(300, 3)):
        body, _ = fitted(RBM(hidden=H), x, 50)
        assert isinstance(body, RbmExact) and isinstance(body, Infers) and isinstance(body, Encodes)
        h, q = body.infer(Batch(x), Rng(3))
        prior = body.machine.log_mass_hidden(h.tensor.double()) - body.log_z[0]
        assert torch.allclose(body.log_likelihood(Batch(x), h) + prior - q, body.log_prob(Batch(x)), atol=1e-9)
        drawn = torch.stack([body.infer(Batch(x[:1]), Rng(k))[0].tensor[0] for k in range(800)]).double().mean(0)
        assert torch.allclose(drawn, body.machine.hidden_odds(body.units_of(Batch(x[:1])))[0].sigmoid(), atol=0.08)
        assert torch.equal(body.encode(Batch(x)).tensor, (body.machine.hidden_odds(body.units_of(Batch(x))) > 0).long())


# annealing


@pytest.mark.parametrize("kind", ["bits", "numbers"])
@pytest.mark.parametrize("seed", range(3))
def test_annealed_log_z_is_the_exact_one_within_its_error(kind: str, seed: int) -> None:
    m = machine(seed) if kind == "bits" else gaussian(seed)
    _, weights = m.to(torch.float32).climb(500, Rng(seed), 100)
    found = float(weights.logsumexp(0)) - log(500)
    error = float((weights - found).exp().std()) / 500**0.5
    assert 0 < error < 0.1 and abs(found - m.log_z()) < 4 * error


def test_raise_is_below_in_the_mean_and_close() -> None:
    """Over the model's own items the mean bound is below the mean log-probability, by little when the ladder is long."""
    body = RBM(hidden=H).build(Discrete(2, (V,)), Rng(0))
    body.become(machine(5, size=1.5), Rng(0))
    assert isinstance(body, RbmExact)
    items = body.sample(400, Rng(4))
    exact = body.log_prob(items)
    gaps = []
    for rungs in (4, 100):
        body.family = replace(body.family, rungs=rungs)
        gap = exact - body.conservative(items, Rng(5), chains=1)
        assert float(gap.mean()) > -3 * float(gap.std()) / 20
        gaps.append(float(gap.mean()))
    assert gaps[1] < 0.2 < gaps[0]


def test_the_top_of_the_ladder_follows_the_law() -> None:
    m = machine(2, size=0.7)
    v, _ = m.to(torch.float32).climb(20_000, Rng(1), 60)
    seen = torch.bincount((v.long() << torch.arange(V)).sum(1), minlength=1 << V).double() / len(v)
    p = (m.log_mass(EVERY_V) - m.log_z()).exp()
    assert float((seen - p).abs().sum()) / 2 < 0.06   # total variation; of exact draws it is about 0.04


def test_exact_draws_follow_the_law_on_both_sides() -> None:
    for m in (machine(2), machine(2, hidden=12)):
        assert m.side() == ("hidden" if m.weight.shape[1] == H else "visible")
        v = m.exact(40_000, Rng(1))
        p = (m.log_mass(EVERY_V) - m.log_z()).exp()
        seen = torch.bincount((v.long() << torch.arange(V)).sum(1), minlength=1 << V).double() / len(v)
        assert float((seen - p).abs().sum()) / 2 < 0.035


# learning


@pytest.mark.parametrize("method", ["pcd", "cd", "pt"])
def test_learning_raises_the_exact_likelihood(method: str) -> None:
    x, held = planted(1000, 10), planted(300, 10, seed=1)
    recipe = RBM(hidden=8, method=method, k=1, temperatures=3)   # type: ignore[arg-type]
    begun = fitted(recipe, x, 1)[0]
    body, events = fitted(recipe, x, 400, held)
    assert isinstance(begun, RbmExact) and isinstance(body, RbmExact)
    assert float(body.log_prob(Batch(held)).mean()) > float(begun.log_prob(Batch(held)).mean()) + 0.7
    best = min(e.loss for e in events if isinstance(e, Validated))
    assert -float(body.log_prob(Batch(held)).mean()) == pytest.approx(best, abs=1e-4)
    assert any("free energy" in e.text for e in events if isinstance(e, Noted))


def test_numbers_in_two_clumps_are_learned() -> None:
    centre = torch.tensor([[3.0, -1.0], [-1.0, 2.0]]).double()[Rng(0).child("which").integers(2000, 2)]
    x = centre + 0.4 * Rng(0).child("x").normal(2000, 2)
    body, _ = fitted(RBM(), x[:1500], 1500, x[1500:])
    assert isinstance(body, RbmExact)
    truth = 0.5 * (1 + 1) + log(2) + 2 * log(0.4) + log(2 * torch.pi)   # entropy of two clumps apart
    assert -float(body.log_prob(Batch(x[1500:])).mean()) < truth + 0.4   # one clump of that spread gives 2.3 nats more


def test_what_is_too_wide_to_list_is_estimated_and_agrees_with_a_listed_one() -> None:
    """The same weights behind many dead hidden units: log Z is theirs plus log 2 each."""
    small, _ = fitted(RBM(hidden=H), planted(500, 30), 200)
    wide = RBM(hidden=40).build(Discrete(2, (30,)), Rng(0))
    assert isinstance(small, RbmExact) and isinstance(wide, RbmEstimate) and isinstance(wide, HasEstimate) and not isinstance(wide, HasLogProb)
    s = small.state().tensors
    grown = {k: t for k, t in s.items()}
    grown["weight"] = torch.cat([s["weight"], torch.zeros(30, 40 - H)], 1)
    grown["hidden"], grown["start.hidden"] = (torch.cat([s[k], torch.zeros(40 - H)]) for k in ("hidden", "start.hidden"))
    wide.restore(type(small.state())(grown))
    wide.become(wide.machine, Rng(3))
    value, error = wide.log_prob_estimate(Batch(planted(50, 30, 1)), Rng(0))
    assert float(wide.log_z[1]) > 0 and bool((error == wide.log_z[1]).all())
    assert float((value - small.log_prob(Batch(planted(50, 30, 1)))).abs().max()) < 4 * float(error[0]) + 1e-3


@pytest.mark.slow
def test_the_contract_holds_where_log_z_is_estimated() -> None:
    check_family(RBM(hidden=40, rungs=10), Discrete(2, (5, 6)))
    check_family(RBM(hidden=40, rungs=10), Reals((2,)))


# evidence


def test_gibbs_fill_in_follows_the_enumerated_conditional() -> None:
    m = machine(3, size=0.7)
    held = {0: 1, 5: 0, 7: 1}
    units = Binary(m.units.log_weight.clone())   # type: ignore[attr-defined]
    for i, x in held.items():
        units.log_weight[1 - x, i] = -torch.inf
    told = m.told(units)
    agrees = torch.stack([EVERY_V[:, i] == x for i, x in held.items()]).all(0)
    p = (m.log_mass(EVERY_V).where(agrees, -torch.inf) - m.log_mass(EVERY_V)[agrees].logsumexp(0)).exp()
    v, weights = told.to(torch.float32).climb(20_000, Rng(1), 60)
    assert bool((v[:, list(held)] == torch.tensor([1.0, 0.0, 1.0])).all())
    seen = torch.bincount((v.long() << torch.arange(V)).sum(1), minlength=1 << V).double() / len(v)
    assert float((seen - p).abs().sum()) / 2 < 0.03
    assert float(weights.logsumexp(0)) - log(20_000) == pytest.approx(told.log_z(), abs=0.02)
    assert told.log_z() == pytest.approx(float(m.log_mass(EVERY_V)[agrees].logsumexp(0)), abs=1e-10)


def test_few_unknown_bits_of_a_wide_machine_are_filled_in_exactly() -> None:
    body, _ = fitted(RBM(hidden=40, rungs=200), planted(500, 30), 200)
    assert isinstance(body, RbmEstimate)
    mask, values = torch.ones(30, dtype=torch.bool), planted(1, 30, 5)[0]
    mask[[3, 4, 20]] = False
    found = body.given(Held(mask, values), Rng(0))
    assert found is not None and isinstance(found, HasLogProb) and found.met.sort == "estimate"   # of its mass, not of its law
    every = values.repeat(8, 1)
    every[:, [3, 4, 20]] = bits(torch.arange(8), 3).long()
    p = found.log_prob(Batch(every)).exp()
    free = -body.free_energy(Batch(every))
    assert torch.allclose(p, (free - free.logsumexp(0)).exp(), atol=1e-10)
    made = found.sample(4000, Rng(1)).tensor
    assert bool((made[:, mask] == values[mask]).all())
    assert torch.allclose(torch.bincount((made[:, [3, 4, 20]] << torch.arange(3)).sum(1), minlength=8) / 4000, p.float(), atol=0.04)


def test_ranges_and_values_of_numbers_are_met_exactly_where_listed_and_estimated_where_not() -> None:
    x = Rng(2).child("x").normal(500, 3).cumsum(1)
    small, _ = fitted(RBM(hidden=6), x, 200)
    wide = RBM(hidden=30, rungs=60).build(Reals((3,)), Rng(0))
    s = small.state().tensors
    grown = dict(s)
    grown["weight"] = torch.cat([s["weight"], torch.zeros(3, 24)], 1)
    grown["hidden"], grown["start.hidden"] = (torch.cat([s[k], torch.zeros(24)]) for k in ("hidden", "start.hidden"))
    wide.restore(type(small.state())(grown))
    wide.become(wide.machine, Rng(3))
    for evidence in (Fix({1: 0.5}), Within({0: (-1.0, 0.5), 2: (0.0, torch.inf)})):
        exact, rough = small.given(evidence, Rng(0)), wide.given(evidence, Rng(0))
        assert exact is not None and rough is not None and (exact.met.sort, rough.met.sort) == ("exact", "estimate")
        assert abs(exact.met.log_mass - rough.met.log_mass) < 4 * rough.met.log_mass_error + 1e-3
        a, b = exact.sample(600, Rng(1)).tensor, rough.sample(600, Rng(2)).tensor
        assert float((a.mean(0) - b.mean(0)).abs().max()) < 0.3 and float((a.std(0) - b.std(0)).abs().max()) < 0.25


def test_nothing_to_learn_from_and_states_of_another_machine_are_refused() -> None:
    body = RBM(hidden=4).build(Discrete(2, (5,)), Rng(0))
    with pytest.raises(TrainingError, match="no items"):
        body.fit(Memory(Batch(torch.zeros(0, 5, dtype=torch.long))), Run())
    with pytest.raises(ModelError, match="do not fit"):
        body.restore(RBM(hidden=5).build(Discrete(2, (5,)), Rng(0)).state())


def test_weights_of_items_count_as_copies_do() -> None:
    """In the data's side of the gradient an item of weight 3 is as good as three copies of it."""
    x, moved = planted(40, 5), []
    for data in (Batch(torch.cat([x, x[:10], x[:10]])), Batch(x, weight=torch.ones(40).double().index_fill(0, torch.arange(10), 3.0))):
        body = RBM(hidden=3, k=1).build(Discrete(2, (5,)), Rng(0))
        learner = Learner(body, Memory(data), Run(seed=1, batch=len(data), precision="float32"), None)
        with torch.no_grad():
            learner._update(0.02)
        moved.append(learner.sign[:len(data)] @ learner.x[:len(data)])
    assert torch.allclose(moved[0].double(), moved[1].double(), atol=1e-6)


def test_impossible_evidence_has_no_mass() -> None:
    for recipe in (RBM(hidden=4), RBM(hidden=40, rungs=10)):
        body = recipe.build(Discrete(2, (30,)), Rng(0))
        found = body.given(Weigh({3: torch.tensor([-torch.inf, -torch.inf])}), Rng(0))
        assert found is not None and found.met.log_mass == -torch.inf


# chains


def modes(size: float = 40.0) -> Machine:
    """Two patterns, all zeros and all ones, and hardly a way between them."""
    weight = torch.full((V, 2), size / V).double()
    start = Start(torch.zeros(1, V).double(), torch.zeros(1).double(), torch.zeros(2).double())
    return Machine(weight, torch.full((V,), -size / V).double(), torch.full((2,), -size / 2).double(), start, Binary.of(Discrete(2, (V,))))


def test_tempered_chains_cross_where_plain_ones_do_not() -> None:
    m = modes()
    p = (m.log_mass(EVERY_V) - m.log_z()).exp()
    ones = EVERY_V.sum(1) > V / 2
    assert 0.2 < float(p[ones].sum()) < 0.8
    begin = torch.zeros(60, V).double()
    plain, hot = m.gibbs(begin, Rng(1)), m.tempered(begin.repeat(12, 1, 1), Rng(2), torch.linspace(0, 1, 12))
    crossed = [torch.stack([v.sum(-1) > V / 2 for v, _ in zip(chains, range(300), strict=False)])[100:].double() for chains in (plain, hot)]
    assert float(crossed[0].mean()) < 0.05
    assert abs(float(crossed[1][:, -1].mean()) - float(p[ones].sum())) < 0.08


def test_trading_keeps_the_law_of_every_temperature() -> None:
    m = machine(4)
    betas = torch.tensor([0.0, 0.4, 1.0])
    chains = m.tempered(m.exact(5000, Rng(0)).repeat(3, 1, 1), Rng(2), betas)
    for _ in range(30):
        v = next(chains)
    for beta, at in zip(betas.tolist(), v, strict=True):
        law = m.log_mass(EVERY_V) - m.rise(EVERY_V, EVERY_V @ m.weight, beta, 1.0)
        p = (law - law.logsumexp(0)).exp()
        seen = torch.bincount((at.long() << torch.arange(V)).sum(1), minlength=1 << V).double() / len(at)
        assert float((seen - p).abs().sum()) / 2 < 0.12
        assert torch.allclose(at.mean(0), p @ EVERY_V, atol=0.035)


def test_the_ladder_leads_from_the_start_to_the_machine() -> None:
    """At beta 0 the law is the mixture's, written out; between, that of the product of both to the powers 1 - beta and beta, each cluster apart."""
    m, beta = machine(6), 0.3
    s = m.start
    law = m.log_mass(EVERY_V) - m.rise(EVERY_V, EVERY_V @ m.weight, 0.0, 1.0)
    mixture = torch.stack([EVERY_V @ b + a for b, a in zip(s.visible, s.log_weight, strict=True)]).logsumexp(0)
    assert torch.allclose(law.log_softmax(0), mixture.log_softmax(0), atol=1e-10)
    assert float(law.logsumexp(0)) == pytest.approx(m.log_start(), abs=1e-10)
    joint = [(1 - beta) * (EVERY_V @ b + a + h @ s.hidden) + beta * (EVERY_V @ m.visible + h @ m.hidden + EVERY_V @ m.weight @ h - log(3))
             for b, a in zip(s.visible, s.log_weight, strict=True) for h in EVERY_H]
    between = m.log_mass(EVERY_V) - m.rise(EVERY_V, EVERY_V @ m.weight, beta, 1.0)
    assert torch.allclose(torch.stack(joint).logsumexp(0), between, atol=1e-9)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_effective_sample_size_of_a_known_chain(phi: float) -> None:
    """An autoregression of one step: n (1 - phi) / (1 + phi), and R-hat near 1."""
    m, n = 8, 20_000
    noise = Rng(3).child(str(phi)).normal(m, n)
    x = torch.empty(m, n).double()
    x[:, 0] = noise[:, 0] / (1 - phi**2) ** 0.5
    for t in range(1, n):
        x[:, t] = phi * x[:, t - 1] + noise[:, t]
    assert ess(x) == pytest.approx(m * n * (1 - phi) / (1 + phi), rel=0.08)
    assert 0.999 < rhat(x) < 1.005
    assert rhat(x + torch.arange(m)[:, None]) > 1.3 and ess(x + torch.arange(m)[:, None]) < 100


def test_mixing_tells_a_chain_that_sticks() -> None:
    body = RBM(hidden=2).build(Discrete(2, (V,)), Rng(0))
    body.machine = modes()
    body.machine.visible[0] += 3.0   # one mode lies deeper
    stuck = body.mixing(Rng(0), draws=400)
    body.machine = machine(0, hidden=2, size=0.3)
    free = body.mixing(Rng(0), draws=400)
    assert stuck.rhat > 1.2 and free.rhat < 1.02 and free.ess > 800
