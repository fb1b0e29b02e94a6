"""Laws of preferences: the Bradley-Terry fit against scikit-learn, a planted taste found and leant towards in closed form, and undone; novelty."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy.optimize import minimize

import ilk
from ilk.errors import DataError, ModelError, UsageError
from ilk.model import Model
from ilk.quantities.preference import Taste
from ilk.rng import Rng
from ilk.verbs.prefer import fitted, interval, prefer, read_likes

torch.set_num_threads(1)
COV = np.array([[1.0, 0.6], [0.6, 1.0]])
PLANTED = np.array([2.0, -1.0])


def pairs(items: np.ndarray, liked: np.ndarray, n: int, seed: int) -> list[tuple[int, int]]:
    """The winner first: a beats b with the odds exp(liked a - liked b)."""
    rng = np.random.default_rng(seed)
    found = []
    for a, b in rng.integers(0, len(items), (n, 2)):
        wins = rng.random() < 1 / (1 + np.exp(liked[b] - liked[a]))
        found.append((int(a), int(b)) if wins else (int(b), int(a)))
    return found


@pytest.fixture(scope="module")
def gaussian() -> Model:
    return ilk.fit(np.random.default_rng(0).multivariate_normal([1, -1], COV, 3000), ilk.GMM(components=1))


@pytest.mark.parametrize("shape", [(40, 3), (12, 30)])
def test_the_fit_is_the_minimum(shape: tuple[int, int]) -> None:
    """Of the penalised likelihood, against SciPy; with more features than pairs, too."""
    gap = Rng(1).normal(*shape) + 0.3

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0, -gap.numpy() @ w).sum() + 0.7 / 2 * w @ w)
    best = minimize(loss, np.zeros(shape[1]), method="BFGS", options={"gtol": 1e-9})
    assert np.allclose(fitted(gap, 0.7).numpy(), best.x, atol=1e-5)


def test_a_planted_taste_is_found_and_its_tilt_is_that_of_the_closed_form(gaussian: Model, tmp_path: Path) -> None:
    """Weighing N(m, S) by exp(s w x / sd(w x)) moves the mean by s S w / sqrt(w S w) and leaves S; strength 0 changes nothing."""
    shown = gaussian.sample(400, seed=1)
    taste = prefer(gaussian, pairs(shown, shown @ PLANTED, 600, 2), shown)
    w = (taste.weights / taste.scale).numpy()
    assert w @ PLANTED / np.linalg.norm(w) / np.linalg.norm(PLANTED) > 0.97 and 0.5 < np.linalg.norm(w) / np.linalg.norm(PLANTED) < 1.6
    at = taste.save(tmp_path / "liked")
    plain = gaussian.sample(6000, seed=5)
    cov = np.cov(plain.T)
    for strength in (1.0, -0.5):
        made = gaussian.given(ilk.Towards(str(at), strength)).sample(6000, seed=5)
        assert np.allclose(made.mean(0) - plain.mean(0), strength * cov @ w / np.sqrt(w @ cov @ w), atol=0.08)
        assert np.allclose(np.cov(made.T), cov, atol=0.12)
    assert np.array_equal(gaussian.given(ilk.Towards(str(at), 0.0)).sample(50, seed=5), gaussian.sample(50, seed=5))
    liked = [float((x @ PLANTED > np.median(plain @ PLANTED)).mean()) for x in (plain, gaussian.given(ilk.Towards(str(at), 1.0)).sample(2000, seed=6))]
    assert liked[0] == pytest.approx(0.5, abs=0.001) and liked[1] == pytest.approx(0.841, abs=0.04)   # Phi(1)


def test_the_accuracy_told_is_that_of_new_pairs(gaussian: Model) -> None:
    told, true = [], []
    for seed in range(6):
        shown = gaussian.sample(120, seed=seed)
        taste = prefer(gaussian, pairs(shown, shown @ PLANTED, 120, seed), shown)
        fresh = gaussian.sample(2000, seed=100 + seed)
        new = np.array(pairs(fresh, fresh @ PLANTED, 2000, seed))
        values = taste.of(gaussian)(fresh).numpy()
        told.append(taste.accuracy)
        true.append(float((values[new[:, 0]] > values[new[:, 1]]).mean()))
        assert taste.facts["low"] < taste.accuracy < taste.facts["high"]
    assert abs(np.mean(told) - np.mean(true)) < 0.03


def test_likes_without_a_pattern_are_told_by_chance(gaussian: Model) -> None:
    shown = gaussian.sample(200, seed=1)
    taste = prefer(gaussian, pairs(shown, np.zeros(200), 300, 3), shown)
    assert taste.facts["low"] < 0.5 < taste.facts["high"]


def test_codes_count_where_they_tell_more(gaussian: Model) -> None:
    """A taste that is linear in the code of a flow, and not in the numbers, is told by codes."""
    x = np.exp(np.random.default_rng(1).standard_normal((800, 1)) * 1.5)
    model = ilk.fit(np.concatenate([x, np.random.default_rng(2).standard_normal((800, 1))], 1), ilk.Flow(), budget=ilk.Steps(60))
    shown = model.sample(200, seed=1)
    codes = model.body.encode(ilk.batch.Batch(torch.from_numpy(shown))).tensor.numpy()  # type: ignore[attr-defined]
    taste = prefer(model, pairs(shown, 3 * codes @ np.array([1.0, 1.0]), 400, 1), shown)
    assert taste.features == "codes" and taste.accuracy > 0.75


def test_tables_and_texts() -> None:
    table = pl.DataFrame({"a": list(range(8)) * 20, "b": ["x", "y"] * 80})
    model = ilk.fit(table, ilk.ChowLiu())
    shown = model.sample(200, seed=1)
    liked = 3 * (shown["b"] == "x").to_numpy().astype(float)
    taste = prefer(model, pairs(shown.to_numpy(), liked, 200, 1), shown)
    values = taste.of(model)(shown)
    assert float(values[torch.from_numpy(liked > 0)].min()) > float(values[torch.from_numpy(liked == 0)].max()) - 1.0
    texts = [f"{a} {b} cat" for a in ("red", "blue", "green") for b in ("big", "small", "odd", "old")] * 4
    writer = ilk.fit(texts, ilk.NGram(order=5))
    made = writer.sample(80, seed=1)
    told = prefer(writer, pairs(np.array(made), np.array([4.0 * ("red" in t) for t in made]), 200, 1), made)
    assert told.accuracy > 0.6 and told.features in ("grams", "vectors")
    assert prefer(writer, ([made[i] for i in range(40)], [made[i] for i in range(40, 80)])).facts["pairs"] == 40


def test_a_taste_is_for_the_coding_it_was_learned_in(gaussian: Model, tmp_path: Path) -> None:
    shown = gaussian.sample(60, seed=1)
    taste = prefer(gaussian, pairs(shown, shown @ PLANTED, 60, 2), shown)
    at = taste.save(tmp_path / "t")
    again = Taste.opened(at)
    assert isinstance(again, Taste) and torch.equal(again.of(gaussian)(shown), taste.of(gaussian)(shown)) and repr(again) == repr(taste)
    other = ilk.fit(np.ones((50, 3)) * np.arange(50)[:, None], ilk.GMM(components=1))
    with pytest.raises(UsageError, match="another model"):
        other.given(ilk.Towards(str(at), 1.0))
    with pytest.raises(UsageError, match="named by its folder"):
        gaussian.given(ilk.Towards("preference", 1.0))
    assert Taste.opened(tmp_path) is None
    (at / "taste.json").write_text(json.dumps({"features": "vectors"}))
    with pytest.raises(ModelError):
        Taste.opened(at)


def test_likes_from_files(tmp_path: Path, gaussian: Model) -> None:
    (tmp_path / "a.csv").write_text("winner,loser\n3,1\n0,2\n\n")
    (tmp_path / "b.jsonl").write_text('{"winner": 3, "loser": 1}\n{"loser": 2, "winner": 0}\n')
    assert read_likes(tmp_path / "a.csv") == read_likes(tmp_path / "b.jsonl") == [(3, 1), (0, 2)]
    for name, text in (("c.csv", "winner,loser\n3,x\n"), ("d.csv", "winner,loser\n3\n"), ("e.jsonl", "{\n"), ("f.jsonl", "[1, 2]\n"), ("g.csv", "a,b\n1,2\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises((DataError, ModelError), match="line [12]"):
            read_likes(tmp_path / name)
    with pytest.raises(DataError):
        read_likes(tmp_path / "none")
    shown = gaussian.sample(20, seed=1)
    for likes, items, why in (([(0, 20)] * 9, shown, "no item 20"), ([(0, 1)] * 9, shown, "9 pairs of 2"), ((shown, shown[:3]), None, "two collections")):
        with pytest.raises((UsageError, DataError), match=why):
            prefer(gaussian, likes, items)


def test_the_interval_is_wilsons() -> None:
    from scipy.stats import binomtest

    found = binomtest(37, 50).proportion_ci(method="wilson")
    assert interval(37 / 50, 50) == pytest.approx((found.low, found.high), abs=1e-7)


def nearest(items: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.sqrt(((items[:, None] - known[None]) ** 2).sum(2)).min(1)


def test_novelty_is_the_distance_to_what_was_learned_from(tmp_path: Path) -> None:
    """By brute force, in standard deviations of the training items; leaning towards it makes items that are farther, away from it nearer."""
    x = np.random.default_rng(0).standard_normal((400, 2)) * [1.0, 5.0]
    np.save(tmp_path / "x.npy", x)
    data = ilk.read(tmp_path / "x.npy")
    model = ilk.fit(data, ilk.GMM(components=2))
    known = ilk.dataset.split_dataset(data).train
    spread = known.std(0)
    made = {name: ilk.Model.sample(m, 1500, seed=2) for name, m in (("plain", model), ("new", model.given(ilk.Towards("novelty", 1.0))),
                                                                    ("near", model.given(ilk.Avoid(ilk.Towards("novelty", 1.0)))))}
    far = {name: float(np.median(nearest(items / spread, known / spread))) for name, items in made.items()}
    assert far["near"] < 0.75 * far["plain"] < 0.75 * far["new"] / 1.3
    from ilk.quantities.novelty import Novelty

    assert np.allclose(Novelty().of(model)(made["plain"]).numpy(), nearest(made["plain"] / spread, known / spread), atol=1e-5)


def test_novelty_of_rows_and_texts_and_what_it_lacks(tmp_path: Path) -> None:
    from ilk.quantities.novelty import Novelty

    pl.DataFrame({"a": list(range(50)) * 2, "b": ["x", "y"] * 50}).write_csv(tmp_path / "t.csv")
    rows = ilk.fit(tmp_path / "t.csv", ilk.ChowLiu())
    known = ilk.dataset.split_dataset(ilk.read(tmp_path / "t.csv")).train
    assert float(Novelty().of(rows)(known[:20]).max()) == 0
    (tmp_path / "t.txt").write_text("\n".join(f"the {w} cat sat on the mat" for w in ("red", "old", "big", "sad")) * 20)
    texts = ilk.fit(tmp_path / "t.txt", ilk.NGram(order=4))
    learned = ilk.dataset.split_dataset(ilk.read(tmp_path / "t.txt")).train
    assert Novelty().of(texts)([learned[0], "entirely other words"]).tolist() == [0.0, 1.0]
    held = ilk.fit(np.random.default_rng(0).standard_normal((50, 2)), ilk.GMM(components=1))
    with pytest.raises(UsageError, match="held in memory|can't be read"):
        held.given(ilk.Towards("novelty", 1.0))
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(UsageError, match="changed"):
        rows.given(ilk.Towards("novelty", 1.0))
