"""Laws of steps: the last is what sample gives, branches are draws of what may follow, steering goes on from what there is."""
from __future__ import annotations

from collections import Counter
from itertools import product
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import chisquare

import ilk
from ilk.distribution import Unfinished, end
from ilk.errors import UsageError
from ilk.families._discrete_noise import Absorbing
from ilk.model import Model
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.verbs.steps import Step, steps

torch.set_num_threads(1)
TINY = MLP(width=8, depth=1)
TEXTS = [f"{a}{b}{a}" for a in "xyz" for b in "xyz"] * 4
TABLE = pl.DataFrame({"a": [0.0, 1.0, 2.5, 0.5] * 30, "b": ["x", "y", "y", "z"] * 30})
POINTS = Rng(0).normal(200, 2).numpy()
BITS = (Rng(1).uniform(40, 8, 8, 1) > 0.5).numpy().astype(np.uint8) * 255
SHORT = ilk.Steps(5)
CASES: dict[str, tuple[Any, Any, Any]] = {
    "gmm": (TABLE, ilk.GMM(components=2), None), "chow_liu": (TABLE, ilk.ChowLiu(), None), "made": (TABLE, ilk.MADE(), None),
    "diffusion": (POINTS, ilk.Diffusion(net=TINY), None), "diffusion_ddpm": (POINTS, ilk.Diffusion(net=TINY), ilk.DDPM(steps=9)),
    "flow_matching": (POINTS, ilk.FlowMatching(net=TINY), ilk.Heun(steps=4)), "score": (POINTS, ilk.ScoreModel(net=TINY), ilk.Langevin(steps=6, moves=2)),
    "churn": (POINTS, ilk.Diffusion(net=TINY), ilk.Churn(steps=4)), "discrete_diffusion": (TABLE, ilk.DiscreteDiffusion(), None),
    "discrete_uniform": (TABLE, ilk.DiscreteDiffusion(kind="uniform", steps=5), None), "discrete_few": (TABLE, ilk.DiscreteDiffusion(steps=3), None),
    "ngram": (TEXTS, ilk.NGram(order=3), None), "ngram_top_p": (TEXTS, ilk.NGram(order=3), ilk.TopP(p=0.8)), "beam": (TEXTS, ilk.NGram(order=3), ilk.Beam(width=9)),
    "transformer": (TEXTS, ilk.Transformer(layers=1, heads=2, width=16), None), "rnn": (TEXTS, ilk.RNN(layers=1, width=8), ilk.Repetition(penalty=1.2)),
    "insertion": (TEXTS, ilk.Insertion(layers=1, heads=2, width=16), None),
    "hierarchical_vae": (POINTS, ilk.HierarchicalVAE(levels=3, width=8), None), "latent": (POINTS, ilk.Latent(code=ilk.VAE(codes=2), prior=ilk.Diffusion(net=TINY)), None),
    "pixelcnn": (BITS, ilk.PixelCNN(layers=2, width=8), None),
    "latent_tokens": (BITS, ilk.Latent(code=ilk.VQVAE(), prior=ilk.Transformer(layers=1, heads=2, width=8)), None),
    "form": (TEXTS, ilk.Transformer(layers=1, heads=2, width=16), ilk.Form(pattern="[xy]{2,9}z")),
}
FITTED: dict[str, Model] = {}


def case(name: str) -> tuple[Model, Any]:
    data, family, how = CASES[name]
    if name not in FITTED:
        FITTED[name] = ilk.fit(data, family, budget=None if isinstance(family, ilk.GMM | ilk.ChowLiu | ilk.NGram) else SHORT)
    return FITTED[name], how


def same(one: Any, other: Any) -> bool:
    return bool(one.equals(other)) if isinstance(one, pl.DataFrame) else bool(np.array_equal(one, other))


@pytest.mark.parametrize("name", CASES)
def test_the_last_step_is_what_sample_gives(name: str) -> None:
    model, how = case(name)
    found = list(steps(model, 5, seed=3, how=how))
    made = model.sample(5, seed=3, how=how)
    assert same(found[-1].items, made) and found[-1].step == found[-1].of
    assert [s.step for s in found] == (list(range(len(found))) if found[0].step == 0 else [1])
    assert all(len(s.items) == 5 for s in found)
    for s in found[::3]:
        assert same(s.finish(), made)


@pytest.mark.parametrize("name", CASES)
def test_a_branch_at_the_end_is_the_item_and_one_at_the_start_is_a_sample(name: str) -> None:
    model, how = case(name)
    found = list(steps(model, 2, seed=3, how=how))
    assert same(found[-1].branch(3, seed=8).finish(), model.modality.take(found[-1].items, torch.tensor([0, 0, 0, 1, 1, 1])))
    if found[0].step == 0:
        assert same(found[0].branch(3, seed=8).finish(), model.sample(6, seed=8, how=how))
        half = found[len(found) // 2]
        one, again, other = (half.branch(3, seed=seed) for seed in (8, 8, 9))
        assert same(one.items, model.modality.take(half.items, torch.tensor([0, 0, 0, 1, 1, 1]))) and one.step == half.step
        assert same(one.finish(), again.finish())
        if name not in ("form",):
            assert not same(found[1].branch(30, seed=8).finish(), found[1].branch(30, seed=9).finish())
        assert all(s.step > half.step for s in other.steps())


def test_branches_of_texts_share_the_beginning_and_follow_the_law_after_it() -> None:
    """Against every text over two letters, by the n-gram's own exact scores: p(x | beginning) = p(x) / p(those that begin so)."""
    texts = ["ab", "aab", "abb", "ba", "bbab", "abab", "bb"] * 3
    model = ilk.fit(texts, ilk.NGram(order=3))
    half = next(s for seed in range(9) for s in steps(model, 1, seed=seed) if s.step == 2 and len(s.items[0]) == 2)
    begun = half.items[0]
    made = half.branch(2000, seed=1).finish()
    assert all(text.startswith(begun) for text in made)
    every = ["".join(letters) for n in range(13) for letters in product("ab", repeat=n)]
    log_p = model.score([t for t in every if t.startswith(begun)]).nats
    law = dict(zip([t for t in every if t.startswith(begun)], log_p.exp().tolist(), strict=True))
    begins = float(model.given({"prefix": begun}).met.met.log_mass)
    assert sum(law.values()) / np.exp(begins) == pytest.approx(1, abs=0.05)   # the rest: longer texts, and letters never seen
    counts = Counter(made)
    often = [t for t in law if 2000 * law[t] / np.exp(begins) >= 8]
    wanted = np.array([2000 * law[t] / np.exp(begins) for t in often])
    seen = np.array([counts[t] for t in often])
    assert len(often) > 5 and chisquare([*seen, 2000 - seen.sum()], [*wanted, 2000 - wanted.sum()]).pvalue > 1e-3


@pytest.mark.parametrize("how", [None, ilk.Heun(steps=12), ilk.DDPM(steps=400)], ids=str)
@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_branches_of_a_gaussian_have_its_posterior(how: Any, sigma: float) -> None:
    """Data of N(0, I) with their ideal denoiser: given x = data + sigma noise, the data have mean x / (1 + sigma^2) and variance sigma^2 / (1 + sigma^2)."""
    body: Any = ilk.Diffusion(net=TINY).build(ilk.Reals((2,)), Rng(0))
    body.denoise = lambda x, s, context: x / (1 + s[:, None] ** 2)
    half = [s for s in body.unfold(1, Rng(4), how) if float(s.way["sigma"][0]) >= sigma][-1]
    at = float(half.way["sigma"][0])
    many: Unfinished = half.take(torch.zeros(8000, dtype=torch.long))
    made = end(body.unfold(8000, Rng(5), how, Unfinished(many.items, many.step, many.of, many.way, {}, True))).items.tensor
    variance = at**2 / (1 + at**2)
    assert made.var(0).tolist() == pytest.approx([variance] * 2, rel=0.1)
    assert made.mean(0).tolist() == pytest.approx((half.way["x"][0] / (1 + at**2)).tolist(), abs=0.05 * sqrt(variance) + 0.03)


@pytest.mark.parametrize("rounds", [None, 3])
def test_branches_of_discrete_diffusion_follow_the_law_of_what_is_hidden(rounds: int | None) -> None:
    """A law of three bits in which each is known by the others' sum: found one by one with exact guesses it is p(hidden | found)."""
    joint = torch.tensor([0.30, 0.05, 0.05, 0.10, 0.02, 0.18, 0.20, 0.10], dtype=torch.double).reshape(2, 2, 2)

    def exact(x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        found = []
        for item in x.tolist():
            seen = joint[tuple(slice(None) if v == 2 else slice(v, v + 1) for v in item)]
            found.append([seen.sum([j for j in range(3) if j != i]).tolist() if v == 2 else [float(v == 0), float(v == 1)] for i, v in enumerate(item)])
        return torch.tensor(found, dtype=torch.double).clamp_min(1e-300).log()
    noise, tables = Absorbing((2,) * 3, "linear", rounds), torch.zeros(3, 2, dtype=torch.double)
    left = 2 if rounds is None else 1   # those found in one round are guessed apart, so with rounds the law is exact for the last one
    half = next(s for seed in range(9) for s in noise.states(exact, 1, tables, Rng(seed)) if int(s.way["hidden"].sum()) == left)
    many = half.take(torch.zeros(3000, dtype=torch.long))
    made = end(noise.states(exact, 3000, tables, Rng(9), Unfinished(many.items, many.step, many.of, many.way, {}, True))).items.tensor
    known = half.way["x"][0].where(~half.way["hidden"][0], 2).tolist()
    seen = joint[tuple(slice(None) if v == 2 else slice(v, v + 1) for v in known)]
    hidden = [i for i in range(3) if known[i] == 2]
    assert all(bool((made[:, i] == known[i]).all()) for i in range(3) if i not in hidden)
    place = (made[:, hidden] * torch.tensor([2 ** (len(hidden) - 1 - j) for j in range(len(hidden))])).sum(1)
    counts, law = torch.bincount(place, minlength=2 ** len(hidden)), (seen / seen.sum()).flatten()
    assert chisquare(counts.numpy(), 3000 * law.numpy()).pvalue > 1e-3


def labelled() -> Model:
    from dataclasses import replace

    data = ilk.read(np.concatenate([POINTS * 0.1 - 4, POINTS * 0.1 + 4]))
    return ilk.fit(replace(data, labels=ilk.Labels(torch.arange(2).repeat_interleave(200), ("low", "high"))), ilk.Diffusion(net=MLP(width=32, depth=2)),
                   budget=ilk.Steps(400))


def test_steering_to_another_label_early_arrives_there() -> None:
    model = labelled()
    begun = list(steps(model.given(ilk.Label("low")), 50, seed=1))
    assert float((begun[-1].items.mean(1) < 0).mean()) == 1.0
    turned = begun[2].steer(how=ilk.Heun(steps=20))
    assert float((turned.finish().mean(1) < 0).mean()) == 1.0
    free = list(steps(model, 50, seed=1))[1]
    assert float((free.steer(ilk.Label("high")).finish().mean(1) > 0).mean()) > 0.95
    assert float((free.steer(ilk.Label("low")).finish().mean(1) < 0).mean()) > 0.95
    with pytest.raises(UsageError, match="done"):
        begun[-1].steer(ilk.Label("low"))
    with pytest.raises(UsageError, match="contradictory"):
        begun[2].steer(ilk.Label("high"))


def test_steering_texts() -> None:
    model, _ = case("ngram")
    half = next(s for s in steps(model, 1, seed=1) if s.step == 1)
    begun = half.items[0]
    assert half.steer({"prefix": begun}).finish()[0].startswith(begun)
    with pytest.raises(UsageError, match="begins otherwise"):
        half.steer({"prefix": "z" if begun != "z" else "x"}).finish()
    with pytest.raises(UsageError, match="whole items"):
        half.steer(ilk.Towards("length", 1))
    greedy = half.steer(how=ilk.TopK(k=1)).branch(5, seed=1).finish()
    assert len(set(greedy)) == 1


def test_steering_discrete_diffusion_hides_what_is_forbidden() -> None:
    model, _ = case("discrete_diffusion")
    for s in list(steps(model, 40, seed=2))[:-1]:
        assert set(s.steer("b == 'y'").finish()["b"]) == {"y"}


def test_stopping_and_rejection() -> None:
    model, _ = case("diffusion")
    seen: list[Step] = []
    for s in steps(model, 2):
        seen.append(s)
        if s.step == 4:
            assert same(s.stop(), s.items)
    assert [s.step for s in seen] == [0, 1, 2, 3, 4]
    rare = case("ngram")[0].given(ilk.Towards("length", 1))
    assert [s.items for s in steps(rare, 3, seed=4)] == [rare.sample(3, seed=4)]
    for wrong in (0, 2001):
        with pytest.raises(UsageError, match="n is"):
            steps(model, wrong)
    with pytest.raises(UsageError, match="branches"):
        seen[0].branch(1001)


def test_more_items_than_go_through_at_once() -> None:
    for name in ("diffusion", "discrete_diffusion", "ngram"):
        model, how = case(name)
        found = list(steps(model, 700, seed=1, how=how))
        assert same(found[-1].items, model.sample(700, seed=1, how=how)) and same(found[2].finish(), found[-1].items)


def test_some_of_many_may_be_done_already() -> None:
    """Texts of which the first block ended early, and rows of which a rule leaves nothing to find."""
    model, _ = case("ngram")
    late = [s for s in steps(model, 1500, seed=1) if s.step < s.of]
    assert same(late[-1].finish(), model.sample(1500, seed=1)) and same(late[len(late) // 2].finish(), model.sample(1500, seed=1))
    table, _ = case("discrete_diffusion")
    half = list(steps(table, 600, seed=1))[1]
    assert set(half.steer("b == 'y' and a == 2.5").finish()["b"]) == {"y"}
