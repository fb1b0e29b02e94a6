"""Mixtures by enumeration, by formula, by what one component alone is; mixtures of Bernoullis against their equations."""
from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.special import logsumexp

import ilk
from ilk.batch import Batch, Memory
from ilk.catalogue import names
from ilk.errors import IlkError, UsageError
from ilk.families.chow_liu import ChowLiu
from ilk.families.gmm import GMM, GaussianMixture
from ilk.families.mixture import Mixture, Weighted
from ilk.given import Weigh
from ilk.model import load
from ilk.rng import Rng
from ilk.run import Progress, Run
from ilk.space import Discrete
from ilk.testing._spaces import SPACES

SIZES = (2, 3, 2, 4)
SPACE = Discrete(SIZES, (4,))
EVERY = torch.tensor(list(product(*map(range, SIZES))))
BITS = torch.tensor(list(product(range(2), repeat=6)))


def planted(n: int, seed: int = 0) -> torch.Tensor:
    """Two ways of leaning: parts rise together, or by turns."""
    u, up = Rng(seed).child("u").uniform(n, 1), Rng(seed).child("up").uniform(n) < 0.4
    mixed = 0.8 * u + 0.2 * Rng(seed).child("x").uniform(n, 4)
    turned = torch.where(torch.tensor([False, True, False, True]), 1 - mixed, mixed).clamp(0, 0.999)
    return (torch.where(up[:, None], mixed.clamp(0, 0.999), turned) * torch.tensor(SIZES)).long()


def fitted(x: torch.Tensor, space: Any = SPACE, **options: Any) -> Weighted:
    body = Mixture(**options).build(space, Rng(0))
    assert isinstance(body, Weighted)
    body.fit(Memory(Batch(x)), Run(seed=1))
    return body


def test_masses_are_those_of_the_components_and_sum_to_one() -> None:
    body = fitted(planted(500), components=3)
    alone = np.stack([part.log_prob(Batch(EVERY)).numpy() for part in body.parts])
    want = logsumexp(alone, axis=0, b=body.log_weight.exp().numpy()[:, None])
    assert np.abs(body.log_prob(Batch(EVERY)).numpy() - want).max() < 1e-12
    assert float(body.log_prob(Batch(EVERY)).exp().sum()) == pytest.approx(1.0, abs=1e-10)


def test_one_component_is_the_family_itself() -> None:
    x = planted(500)
    tree = ChowLiu().build(SPACE, Rng(0))
    tree.fit(Memory(Batch(x)), Run())
    assert torch.allclose(fitted(x, components=1).log_prob(Batch(EVERY)), tree.log_prob(Batch(EVERY)), atol=1e-9)  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(3))
def test_rounds_never_make_it_worse(seed: int) -> None:
    body = Mixture(components=3, each=ChowLiu(smoothing=1e-9, backoff=0.0), tolerance=0.0, rounds=25).build(SPACE, Rng(0))
    found: list[float] = []
    body.fit(Memory(Batch(planted(400, seed))), Run(seed=seed, listeners=(lambda event: found.append(-event.loss) if isinstance(event, Progress) and event.loss else None,)))
    assert len(found) >= 3 and all(b >= a - 1e-9 for a, b in zip(found, found[1:], strict=False)) and found[-1] > found[0]


def test_what_is_known_weighs_the_components() -> None:
    """Against Bayes' rule over all records."""
    body = fitted(planted(500), components=3)
    weights = {1: torch.tensor([0.0, -torch.inf, -0.7]).double(), 3: torch.tensor([-1.0, 0.0, 0.3, -torch.inf]).double()}
    found = body.given(Weigh(weights), Rng(0))
    assert found is not None and found.met.sort == "exact"
    wanted = body.log_prob(Batch(EVERY)).exp() * weights[1][EVERY[:, 1]].exp() * weights[3][EVERY[:, 3]].exp()
    assert found.met.log_mass == pytest.approx(float(wanted.sum().log()), abs=1e-10)
    assert torch.allclose(found.log_prob(Batch(EVERY)).exp(), wanted / wanted.sum(), atol=1e-12)


def test_what_rules_out_some_components_leaves_the_others() -> None:
    body = Mixture(components=2).build(Discrete(2, (2,)), Rng(0))
    assert isinstance(body, Weighted)
    for part, value in zip(body.parts, (0, 1), strict=True):
        part.law = type(part.law)(range(2), [-1, -1], [torch.tensor([[0.0, -torch.inf]]).double().roll(value, 1)] * 2)
    found = body.given(Weigh({0: torch.tensor([0.0, -torch.inf]).double()}), Rng(0))
    assert found is not None and found.met.log_mass == pytest.approx(np.log(0.5))
    assert found.sample(50, Rng(1)).tensor.unique().tolist() == [0]
    assert found.log_prob(Batch(torch.tensor([[0, 0], [1, 1]]))).tolist() == [0.0, -torch.inf]


def test_two_leanings_are_learned_that_no_tree_can() -> None:
    """Planted items of two trees: held out, two components come near many times the data; one tree stays behind."""
    train, test = planted(3000), Batch(planted(3000, seed=9))
    one, two = (float(fitted(train, components=k).log_prob(test).mean()) for k in (1, 2))
    counts = torch.zeros(SIZES).index_put_(tuple(planted(400_000, seed=5).T), torch.tensor(1.0), accumulate=True) + 1e-3
    best = float((counts / counts.sum()).log()[tuple(test.tensor.T)].mean())
    assert best - 0.06 < two <= best + 0.03 and two > one + 0.04


def test_the_number_of_components_is_chosen_by_held_out_items() -> None:
    body = fitted(planted(3000))
    assert 2 <= len(body.parts) <= 6


def test_recipe_and_components_go_through_disk(tmp_path: Path) -> None:
    x = planted(300).numpy()
    rows = pl.DataFrame({"a": [f"v{v}" for v in x[:, 1]], "b": [f"w{v}" for v in x[:, 3]], "c": x[:, 0] > 0})
    for family in (Mixture(components=2, each=ChowLiu(smoothing=2.0)), Mixture(components=2, each=Mixture(components=2)), Mixture(components=2, each=GMM(components=2))):
        model = ilk.fit(rows, family, seed=1)
        back = load(model.save(tmp_path / "m.ilk"))
        assert back.body.family == family
        assert torch.equal(back.score(rows).nats, model.score(rows).nats)
        assert back.given("a == 'v1' and c == True").met.met.sort == "exact"


def test_families_without_weighed_sums_are_refused() -> None:
    for each, space in ((ilk.NGram(), SPACES["sequence"]), (ilk.MADE(), SPACES["bits"]), (ilk.VAE(), SPACES["pair"])):
        assert "mixes families" in str(Mixture(each=each).refuses(space))
        with pytest.raises(UsageError):
            Mixture(each=each).build(space, Rng(0))
    assert Mixture().refuses(SPACES["number"]) == ChowLiu.refuses(SPACES["number"])


# Mixtures of Bernoullis: gmm over bits.


def bernoullis(k: int = 3) -> tuple[GaussianMixture, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    g = np.random.Generator(np.random.Philox(key=4))
    w, p = g.dirichlet(np.ones(k)), g.uniform(0.05, 0.95, (k, 6))
    body = GMM(components=k, smoothing=0.0).build(Discrete(2, (6,)), Rng(0))
    assert isinstance(body, GaussianMixture)
    state = dict(body.state().tensors)
    state["log_weight"] = torch.from_numpy(np.log(w))
    for j in range(6):
        state[f"table.{j}"] = torch.from_numpy(np.log(np.stack([1 - p[:, j], p[:, j]], 1)))
    body.restore(type(body.state())(state))
    return body, w, p


def joint_of(x: np.ndarray[Any, Any], w: np.ndarray[Any, Any], p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    made: np.ndarray[Any, Any] = w[:, None] * np.prod(np.where(x[None] == 1, p[:, None], 1 - p[:, None]), axis=2)
    return made


def test_bernoullis_by_their_formula() -> None:
    body, w, p = bernoullis()
    want = joint_of(BITS.numpy(), w, p).sum(0)
    assert want.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.abs(body.log_prob(Batch(BITS)).exp().numpy() - want).max() < 1e-13


def test_a_round_of_bernoullis_by_its_equations() -> None:
    """w_k = mean responsibility, p_kj = responsible share of ones (Bishop 2006, 9.3.3)."""
    body, w, p = bernoullis()
    x = (Rng(6).uniform(200, 6) < 0.4).long()
    share = joint_of(x.numpy(), w, p)
    share = share / share.sum(0)
    body.absorb(body.statistics(Batch(x)))
    assert np.abs(body.law.log_weight.exp().numpy() - share.mean(1)).max() < 1e-12
    for j in range(6):
        assert np.abs(body.law.tables[j][:, 1].exp().numpy() - share @ x.numpy()[:, j] / share.sum(1)).max() < 1e-12


def test_weights_of_places_of_a_whole_record() -> None:
    body, w, p = bernoullis()
    weights = {0: torch.tensor([0.0, -torch.inf]).double(), 4: torch.tensor([0.4, -1.0]).double()}
    found = body.given(Weigh(weights), Rng(0))
    assert found is not None and found.met.sort == "exact"
    wanted = torch.from_numpy(joint_of(BITS.numpy(), w, p).sum(0)) * weights[0][BITS[:, 0]].exp() * weights[4][BITS[:, 4]].exp()
    assert found.met.log_mass == pytest.approx(float(wanted.sum().log()), abs=1e-10)
    assert torch.allclose(found.log_prob(Batch(BITS)).exp(), wanted / wanted.sum(), atol=1e-12)


def test_records_of_many_values_stay_numbers() -> None:
    assert GMM.refuses(Discrete(16, (3,))) is None and "below 17" in str(GMM.refuses(Discrete(17, (3,))))
    bits = (Rng(1).uniform(200, 5) < 0.3).numpy().astype(np.uint8)
    assert ilk.fit(bits, GMM(components=2)).score(bits).sort == "exact"
    assert ilk.fit((bits * 20 + 3 * bits).astype(np.int64), GMM(components=1)).score(bits * 20 + 3 * bits).sort == "bound"


@pytest.mark.parametrize(("name", "family", "least"), [("nltcs", Mixture(components=8), -6.06), ("nltcs", GMM(components=16), -6.13),
                                                          ("dna", Mixture(components=4), -86.3)])
def test_binary_sets_far_above_one_tree(name: str, family: Any, least: float) -> None:
    """One Chow-Liu tree has -6.759 (nltcs) and -87.669 (dna)."""
    assert name in names()
    try:
        data = ilk.read(name)
    except IlkError as why:
        pytest.skip(f"{name} is not here: {why}")
    assert ilk.fit(data, family, seed=2).score(data).mean > least
