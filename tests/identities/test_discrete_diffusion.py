"""Laws of discrete diffusion: transitions, posteriors against Bayes, the bound against the law of every item, what is kept, what is learned."""
from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ilk.batch import Batch, Memory
from ilk.errors import UsageError
from ilk.families._discrete_noise import LEFT, NOISES, Absorbing, Noise, Uniform, left
from ilk.families.discrete_diffusion import DiscreteDiffusing, DiscreteDiffusion
from ilk.given import About, At, Begin, Held, Weigh
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Many

torch.set_num_threads(1)

SIZE, PLACES = 3, 3
EVERY = torch.cartesian_prod(*[torch.arange(SIZE)] * PLACES)
TINY = MLP(width=16, depth=1)


def joint() -> Tensor:
    """A law of all 27 items, of which some are rare."""
    return Rng(3).normal(SIZE**PLACES).mul(1.3).softmax(0)


def absorbing_step(keep: Tensor) -> Tensor:
    """(SIZE + 1, SIZE + 1): a value stays with chance `keep`, else is hidden for good."""
    q = keep * torch.eye(SIZE + 1, dtype=torch.double)
    q[:, -1] += 1 - keep
    return q


def uniform_step(keep: Tensor) -> Tensor:
    """(SIZE, SIZE): a value stays with chance `keep`, else any comes."""
    return keep * torch.eye(SIZE, dtype=torch.double) + (1 - keep) / SIZE


@pytest.mark.parametrize("schedule", list(LEFT))
@pytest.mark.parametrize("step", [absorbing_step, uniform_step])
def test_transitions_multiply_and_rows_sum_to_one(schedule: str, step: Any) -> None:
    kept = left(schedule, 10)
    assert kept[0] == 1
    assert kept[-1] == 0
    assert bool((kept[1:] < kept[:-1]).all())
    product = torch.eye(len(step(kept[0])), dtype=torch.double)
    for now in range(1, 11):
        product = product @ step(kept[now] / kept[now - 1])
        whole = step(kept[now])
        assert torch.allclose(product, whole, atol=1e-12)
        assert torch.allclose(whole.sum(1), torch.ones(len(whole), dtype=torch.double), atol=1e-12)
    assert torch.equal(absorbing_step(kept[3])[-1], torch.tensor([0.0, 0, 0, 1]).double())   # what is hidden stays so


@pytest.mark.parametrize(("t", "s"), [(1, 0), (5, 4), (10, 9), (7, 2)])
def test_the_posterior_is_that_of_bayes(t: int, s: int) -> None:
    kept = left("cosine", 10)
    noise = Uniform((SIZE,), "cosine", 10)
    law = Rng(1).uniform(1, 1, SIZE).softmax(-1)
    whole, first, second = uniform_step(kept[t]), uniform_step(kept[s]), uniform_step(kept[t] / kept[s])
    for now in range(SIZE):
        bayes = torch.stack([second[:, now] * first[data] / whole[data, now] if whole[data, now] > 0 else torch.zeros(SIZE).double() for data in range(SIZE)])
        seen = torch.tensor([[now]])
        sure = [noise.back(torch.eye(SIZE).double()[data][None, None], seen, kept[t][None], kept[s][None])[0, 0] for data in range(SIZE)]
        assert torch.allclose(torch.stack(sure), bayes, atol=1e-12)
        assert all(abs(float(row.sum()) - 1) < 1e-10 for row in sure)
        mixed = noise.back(law, seen, kept[t][None], kept[s][None])[0, 0]
        assert torch.allclose(mixed, law[0, 0] @ bayes, atol=1e-12)


def exact_of_hidden(x: Tensor, time: Tensor) -> Tensor:
    """Log p(x_i | what is seen) of the joint law: -1e9 where it is 0."""
    p = joint().reshape(*[SIZE] * PLACES)
    rows = []
    for item in x.tolist():
        of_item = []
        for i in range(PLACES):
            seen = p[tuple(slice(None) if v == SIZE else slice(v, v + 1) for v in item)]
            marginal = seen.sum([j for j in range(PLACES) if j != i])
            of_item.append(marginal if len(marginal) == SIZE else torch.eye(SIZE).double()[item[i]])
        rows.append(torch.stack(of_item))
    return torch.stack(rows).clamp_min(1e-300).log()


def mean_nats(noise: Noise, law: Any, draws: int) -> Tensor:
    """Minus the bound of every item, many draws."""
    x = EVERY.repeat(draws, 1)
    return noise.nats(law, x, Rng(5).child("at").uniform(len(x)), Rng(5)).reshape(draws, -1)


def test_an_exact_guess_makes_the_absorbing_bound_tight() -> None:
    nats = mean_nats(Absorbing((SIZE,) * PLACES, "linear", None), exact_of_hidden, 60)
    error = nats.std(0) / 60**0.5
    assert bool((nats.mean(0) + joint().log()).abs().lt(5 * error + 1e-9).all())
    steps = mean_nats(Absorbing((SIZE,) * PLACES, "cosine", 3), exact_of_hidden, 60).mean(0)
    assert float(joint() @ (steps + joint().log())) > 0.02       # few steps guess places that lean on one another apart


def test_an_exact_guess_samples_the_law() -> None:
    noise = Absorbing((SIZE,) * PLACES, "linear", None)
    *_, done = noise.states(exact_of_hidden, 3000, torch.zeros(PLACES, SIZE).double(), Rng(2))
    made = done.items.tensor
    share = torch.bincount(made @ torch.tensor([9, 3, 1]), minlength=27).double() / 3000
    assert float((share - joint()).abs().sum()) < 0.12           # 0.075 is usual for exact draws of as many


def model(kind: Any, steps: int | None, seed: int = 0) -> DiscreteDiffusing:
    body = DiscreteDiffusion(kind=kind, steps=steps, net=TINY).build(Discrete(SIZE, (PLACES,)), Rng(seed))
    assert isinstance(body, DiscreteDiffusing)
    for p in body.parameters():
        p.data = p.data * 2   # far from flat
    return body


@torch.no_grad()
def law_of(body: DiscreteDiffusing) -> tuple[Tensor, Tensor | None]:
    """p(x) of what it makes, summed over all that could happen on the way; where something is hidden, the mean of the log of the summands, too."""
    def guess(x: Tensor, time: float) -> Tensor:
        return body.law({}, len(x), 1.0)(x, torch.full((len(x),), time)).double().softmax(-1)
    if body.family.kind == "uniform":
        steps = body.family.steps or 64
        kept, now = left(body.family.schedule, steps), torch.full((27,), 1 / 27, dtype=torch.double)
        for t in range(steps, 0, -1):
            step = body.noise.back(guess(EVERY, t / steps), EVERY, kept[t].expand(27), kept[t - 1].expand(27))  # type: ignore[attr-defined]
            assert torch.allclose(step.sum(-1), torch.ones(27, 3).double(), atol=1e-10)
            now = now @ torch.stack([step[:, i, EVERY[:, i]] for i in range(PLACES)]).prod(0)
        return now, None
    total, bound = torch.zeros(2, 27, dtype=torch.double)
    for rounds, share in _rounds(body):
        found = torch.ones(27, dtype=torch.double)
        for now in range(max(rounds) + 1):
            hidden = torch.tensor(rounds) >= now
            p = guess(torch.tensor(SIZE).where(hidden, EVERY), float(hidden.double().mean())).gather(-1, EVERY[..., None])[..., 0]
            found *= p.where(torch.tensor(rounds) == now, 1.0).prod(1)
        total += share * found
        bound += share * found.log()
    return total, bound


def _rounds(body: DiscreteDiffusing) -> list[tuple[tuple[int, ...], float]]:
    """In which round each position is found, and the chance of that."""
    steps = body.family.steps
    if steps is None:
        return [(order, 1 / 6) for order in permutations(range(PLACES))]
    chance = left(body.family.schedule, steps).flip(0).diff().tolist()
    return [(tuple(r), float(np.prod([chance[i] for i in r]))) for r in torch.cartesian_prod(*[torch.arange(steps)] * PLACES).tolist()]


@pytest.mark.parametrize(("kind", "steps"), [("absorbing", None), ("absorbing", 2), ("uniform", 5)])
def test_the_bound_lies_below_the_law_of_what_is_made(kind: Any, steps: int | None) -> None:
    body = model(kind, steps)
    p, bound = law_of(body)
    assert abs(float(p.sum()) - 1) < 1e-5
    found = torch.stack([body.log_prob_bound(Batch(EVERY), Rng(6).child(i)) for i in range(60)])
    assert bool((found.mean(0) < p.log() + 4 * found.std(0) / 60**0.5 + 1e-4).all())
    if bound is not None:
        assert bool((found.mean(0) - bound).abs().lt(4.5 * found.std(0) / 60**0.5 + 1e-4).all())
    made = torch.bincount(body.sample(4000, Rng(7)).tensor @ torch.tensor([9, 3, 1]), minlength=27).double()
    assert float(((made - 4000 * p) ** 2 / (4000 * p)).sum()) < 60   # chi-square of 26 degrees: p < 0.0002 above


@pytest.mark.parametrize("kind", list(NOISES))
def test_what_is_kept_stays_and_states_lead_to_samples(kind: Any) -> None:
    body = model(kind, None)
    found = body.given(Weigh({1: torch.tensor([-torch.inf, 0.0, -torch.inf]), 2: torch.tensor([0.0, 0.0, -torch.inf])}), Rng(0))
    assert found is not None
    made = found.sample(200, Rng(1)).tensor
    assert bool((made[:, 1] == 1).all())
    assert bool((made[:, 2] < 2).all())
    held = found.given(Held(torch.tensor([True, False, False]), torch.tensor([2, 0, 0])), Rng(0))
    assert held is not None
    assert held.sample(50, Rng(1)).tensor[:, :2].unique(dim=0).tolist() == [[2, 1]]
    *_, last = body.unfold(20, Rng(4))
    assert torch.equal(last.items.tensor, body.sample(20, Rng(4)).tensor)
    with pytest.raises(UsageError):
        found.given(Weigh({1: torch.tensor([0.0, -torch.inf, 0.0])}), Rng(0))


def test_sequences_of_one_length() -> None:
    body = DiscreteDiffusion().build(Many(Discrete(4), 5, at_least=5), Rng(0))
    assert isinstance(body, DiscreteDiffusing)
    made = body.sample(6, Rng(1))
    assert made.lengths.tolist() == [5] * 6
    begun, here = body.given(Begin(torch.tensor([3, 1])), Rng(0)), body.given(At({4: Weigh({0: torch.tensor([-torch.inf, -torch.inf, 0.0, -torch.inf])})}), Rng(0))
    assert begun is not None
    assert here is not None
    assert begun.sample(9, Rng(1)).padded(0)[:, :2].unique(dim=0).tolist() == [[3, 1]]
    assert here.sample(9, Rng(1)).padded(0)[:, 4].tolist() == [2] * 9
    assert DiscreteDiffusion().refuses(Many(Discrete(4), 5)) is not None


def copies(n: int, rng: Rng) -> Tensor:
    """Six bits: three fair ones, each twice, one in ten of the second ones turned."""
    bits = rng.integers(n * 3, 2).reshape(n, 3)
    turned = rng.child("turn").uniform(n, 3) < 0.1
    return torch.cat([bits, bits ^ turned], 1)


@pytest.mark.learns
@pytest.mark.slow
@pytest.mark.parametrize("kind", list(NOISES))
def test_it_learns_what_leans_on_what(kind: Any) -> None:
    """The entropy is 3 (log 2 + H(0.1)) = 3.05 nats, that of independent bits 4.16."""
    body = DiscreteDiffusion(kind=kind, draws=32).build(Discrete(2, (6,)), Rng(0))
    body.fit(Memory(Batch(copies(2000, Rng(1)))), Run(seed=0, budget=Steps(400)), Memory(Batch(copies(300, Rng(2)))))
    test = Batch(copies(1000, Rng(3)))
    bound = float(body.log_prob_bound(test, Rng(4)).mean())
    assert -3.6 < bound < -2.95
    made = body.sample(1000, Rng(5)).tensor
    assert float((made[:, :3] == made[:, 3:]).double().mean()) > 0.84


def test_guidance_sharpens_a_label() -> None:
    label = (torch.arange(800) % 2)
    x = (Rng(1).uniform(800, 4) < torch.where(label == 1, 0.7, 0.3)[:, None]).long()
    means = []
    for guidance in (1.0, 3.0):
        body = DiscreteDiffusion(guidance=guidance, net=MLP(width=32, depth=2)).build(Discrete(2, (4,)), Rng(0), {"label": Discrete(2)})
        body.fit(Memory(Batch(x, context={"label": Batch(label)})), Run(seed=0, budget=Steps(150)))
        told = body.given(About({"label": Batch(torch.tensor([1]))}), Rng(0))
        means.append(float(told.sample(800, Rng(2)).tensor.double().mean()))
        assert told.met.sort == "exact"
    assert 0.58 < means[0] < 0.82
    assert means[1] > means[0] + 0.08
