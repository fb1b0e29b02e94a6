"""Identities of the metrics of pictures, vectors and texts: closed forms, SciPy, brute force, and numbers of other libraries."""
from __future__ import annotations

from math import exp, pi, sqrt
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from scipy.stats import energy_distance, norm

import ilk
from ilk import registry
from ilk.metric import Case, Reading, measured
from ilk.metrics._gaussians import Gaussian, deviation, frechet
from ilk.metrics._neighbours import four
from ilk.metrics.energy_distance import energy
from ilk.metrics.self_bleu import bleus
from ilk.rng import Rng

torch.set_num_threads(1)


def read(name: str, case: Case) -> Reading:
    found = measured(registry.get("metrics", name)(), case, Rng(0))
    assert isinstance(found, Reading), found
    return found


def dice(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def gaussian(g: np.random.Generator, d: int, rank: int | None = None) -> Gaussian:
    root = g.normal(size=(d, rank or d + 2))
    return Gaussian(g.normal(size=d), root @ root.T / d)


def pictures(g: np.random.Generator, n: int, noise: float = 8.0) -> tuple[Any, Any]:
    """Grey pictures of 12 x 12: a bar that lies, a bar that stands, or a square, anywhere."""
    labels = g.integers(0, 3, n)
    x = np.zeros((n, 12, 12))
    for i, label in enumerate(labels):
        a, b = g.integers(0, 6, 2)
        height, width = ((2, 6), (6, 2), (5, 5))[label]
        x[i, a:a + height, b:b + width] = g.uniform(150, 230)
    return np.clip(x + g.normal(0, noise, x.shape), 0, 255).astype(np.uint8)[..., None], labels


# Frechet distance

@pytest.mark.parametrize("seed", range(6))
def test_frechet_is_that_of_the_matrix_square_root(seed: int) -> None:
    g = dice(seed)
    d = int(g.integers(1, 40))
    one, other = gaussian(g, d), gaussian(g, d)
    root = scipy.linalg.sqrtm(one.cov @ other.cov).real
    expected = np.square(one.mean - other.mean).sum() + np.trace(one.cov + other.cov - 2 * root)
    assert sum(frechet(one, other)) == pytest.approx(expected, rel=1e-8, abs=1e-8)
    assert sum(frechet(one, other)) == pytest.approx(sum(frechet(other, one)), rel=1e-8, abs=1e-8)


def test_frechet_where_it_is_known() -> None:
    g = dice(9)
    one = gaussian(g, 7)
    assert sum(frechet(one, one)) == pytest.approx(0, abs=1e-9)
    shift = g.normal(size=7)
    assert frechet(one, Gaussian(one.mean + shift, one.cov)) == pytest.approx((np.square(shift).sum(), 0), abs=1e-9)
    axes = np.linalg.qr(g.normal(size=(7, 7)))[0]
    a, b = g.uniform(0, 4, (2, 7))
    turned = [Gaussian(one.mean, (axes * values) @ axes.T) for values in (a, b)]
    assert frechet(*turned)[1] == pytest.approx(np.square(np.sqrt(a) - np.sqrt(b)).sum(), rel=1e-9)


def test_frechet_of_covariances_without_full_rank() -> None:
    """For C = R R' and D = S S' the root of C D has the trace of the singular values of R' S."""
    g = dice(10)
    r, s = g.normal(size=(12, 3)), g.normal(size=(12, 2))
    flat, other = Gaussian(np.zeros(12), r @ r.T), Gaussian(np.zeros(12), s @ s.T)
    assert sum(frechet(flat, other)) == pytest.approx(np.square(r).sum() + np.square(s).sum() - 2 * np.linalg.norm(r.T @ s, "nuc"), abs=1e-6)
    point = Gaussian(flat.mean, np.zeros((12, 12)))
    assert frechet(point, other)[1] == pytest.approx(np.trace(other.cov), rel=1e-12)
    assert sum(frechet(flat, flat)) == pytest.approx(0, abs=1e-6)


def test_frechet_of_samples_follows_the_law_of_their_size() -> None:
    """n items a side of one Gaussian: the mean is 2 tr C / n + sum_ij l_i l_j (1 + [i = j]) / ((l_i + l_j) n), by Bures' metric."""
    g, d, n = dice(11), 6, 400
    scale = g.uniform(0.5, 2, d)
    found = [sum(frechet(Gaussian.of(g.normal(size=(n, d)) * scale), Gaussian.of(g.normal(size=(n, d)) * scale))) for _ in range(150)]
    law = scale**2
    expected = (2 * law.sum() + (np.outer(law, law) * (1 + np.eye(d)) / (law[:, None] + law)).sum()) / n
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.std(found) / sqrt(len(found)) + 0.02 * expected)


def test_frechet_says_how_much_it_moves() -> None:
    g = dice(12)
    found = []
    for _ in range(120):
        made, test = g.normal(0.4, 1.3, (300, 4)), g.normal(size=(300, 4))
        found.append((sum(frechet(Gaussian.of(made), Gaussian.of(test))), deviation(made, test)))
    values, said = np.array(found).T
    assert said.mean() == pytest.approx(values.std(), rel=0.25)


def test_frechet_of_vectors_is_that_of_their_coordinates() -> None:
    g = dice(13)
    train, test, made = g.normal(3, 5, (2000, 3)), g.normal(3, 5, (500, 3)), g.normal(4, 6, (500, 3))
    found = read("frechet", Case(made=made, train=train, test=test))
    unit = sum(frechet(Gaussian.of(made / 5), Gaussian.of(test / 5)))
    assert found.parts["plain"] == pytest.approx(unit, rel=0.1) and found.parts["means"] + found.parts["covariances"] == pytest.approx(found.value)
    assert found.parts["real"] < 0.1 * found.value and "3 coordinates" in found.convention


# Precision, recall, density, coverage

def brute(made: Any, test: Any, k: int = 5) -> dict[str, float]:
    """As they are defined, item by item."""
    def reach(side: Any, i: int) -> float:
        return float(np.sort([np.linalg.norm(side[i] - other) for j, other in enumerate(side) if j != i])[k - 1])

    ours, real = [reach(made, i) for i in range(len(made))], [reach(test, i) for i in range(len(test))]
    far = np.array([[np.linalg.norm(x - y) for y in test] for x in made])
    held = far <= np.array(real)
    return {"precision": held.any(1).mean(), "recall": (far <= np.array(ours)[:, None]).any(0).mean(), "density": held.sum(1).mean() / k,
            "coverage": (far.min(0) <= np.array(real)).mean()}


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_are_those_of_brute_force(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilk.metrics._neighbours.CHUNK", 500)   # several chunks
    g = dice(seed)
    made, test = g.normal(0.3, 0.8, (int(g.integers(30, 90)), 3)), g.normal(size=(int(g.integers(30, 90)), 3)) + 100
    made += 100
    found = four(made, test)
    assert {name: value for name, (value, _) in found.items()} == pytest.approx(brute(made, test), abs=1e-12)


def test_neighbours_are_those_of_prdc() -> None:
    """prdc 0.2 of PyPI: compute_prdc(x, y, 5)."""
    g = np.random.RandomState(7)
    x, y = g.normal(size=(400, 8)), g.normal(size=(300, 8)) * 0.8 + 0.3
    assert {name: value for name, (value, _) in four(y, x).items()} == pytest.approx({"precision": 0.99, "recall": 0.72, "density": 1.402, "coverage": 0.8525})


def test_neighbours_of_the_same_and_of_other_items() -> None:
    g = dice(5)
    x = g.normal(size=(200, 4))
    same, apart = four(x, x), four(x + 50, x)
    assert [same[n][0] for n in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert same["density"][0] == pytest.approx(6 / 5, abs=0.1)     # five neighbours and itself, but for asymmetry
    assert [apart[n][0] for n in ("precision", "recall", "density", "coverage")] == [0, 0, 0, 0]
    few = g.integers(0, 2, (200, 3)).astype(float)                 # every item has many equals: balls without extent
    assert [four(few, few)[n][0] for n in ("precision", "recall", "coverage")] == [1, 1, 1]
    one = np.repeat(x[:1], 200, axis=0)                            # one item again and again is precise and recalls nothing else
    assert four(one, x)["precision"][0] == 1 and four(one, x)["recall"][0] == 1 / 200 and four(one, x)["coverage"][0] < 0.1


def test_real_items_have_a_density_of_one() -> None:
    found = [four(dice(k).normal(size=(400, 3)), dice(k + 100).normal(size=(400, 3))) for k in range(12)]
    density = [f["density"][0] for f in found]
    assert np.mean(density) == pytest.approx(1, abs=4 * np.std(density) / sqrt(12))
    expected = 1 - 1 / 2**5                                        # Naeem et al. 2020: the k nearest of both sides are all test items
    coverage = [f["coverage"][0] for f in found]
    assert np.mean(coverage) == pytest.approx(expected, abs=4 * np.std(coverage) / sqrt(12) + 0.002)


# Energy distance

def test_energy_distance_is_that_of_scipy() -> None:
    g = dice(6)
    x, y = g.normal(size=300), g.normal(0.5, 2, 200)
    def inside(s: Any) -> float:
        return float(np.abs(s[:, None] - s).mean())

    biased = inside(x) / (len(x) - 1) + inside(y) / (len(y) - 1)     # SciPy counts the distance of an item to itself
    assert sqrt(energy(x[:, None], y[:, None])[0] + biased) == pytest.approx(energy_distance(x, y), abs=1e-7)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_energy_distance_of_gaussians_is_the_closed_form_without_bias(shift: float) -> None:
    g = dice(7)
    across = 2 / sqrt(pi) * exp(-shift**2 / 4) + shift * (1 - 2 * norm.cdf(-shift / sqrt(2)))
    found, said = np.array([energy(g.normal(shift, 1, (150, 1)), g.normal(0, 1, (150, 1))) for _ in range(200)]).T
    assert found.mean() == pytest.approx(2 * across - 4 / sqrt(pi), abs=4 * found.std() / sqrt(200))
    assert found.std() / 2 < said.mean() < 2 * found.std() and (shift == 0) == (found.min() < 0)


def test_energy_distance_reads_the_root() -> None:
    g = dice(8)
    train, test, made = g.normal(size=(1000, 2)), g.normal(size=(400, 2)), g.normal(1, 1, (400, 2))
    found = read("energy_distance", Case(made=made, train=train, test=test))
    assert found.value == pytest.approx(sqrt(found.parts["square"])) and found.parts["real"] < 0.3 * found.value
    assert found.error is not None and 0 < found.error < 0.3 * found.value


# Copies

@pytest.mark.parametrize("kind", ["image", "array"])
def test_planted_copies_are_near(kind: str) -> None:
    g = dice(14)
    if kind == "image":
        train, test, fresh = (g.integers(0, 256, (n, 6, 6, 1)).astype(np.uint8) for n in (500, 200, 200))
    else:
        train, test, fresh = (g.normal(size=(n, 8)) for n in (500, 200, 200))
    copied = np.concatenate([train[:80], fresh[:120]])
    honest, copies = (read("near_train_share", Case(made=made, train=train, holdout=test)) for made in (fresh, copied))
    assert copies.parts["exact_copies"] == 0.4 and honest.parts["exact_copies"] == 0 and honest.parts["holdout"] == 0.05
    assert abs(honest.value - 0.05) < 3 * (honest.error or 0)
    left = read("near_train_share", Case(made=fresh[:120], train=train, holdout=test)).value
    assert copies.value == pytest.approx(0.4 + 0.6 * left)
    assert read("near_train_share", Case(made=test, train=train, holdout=test)).value == 0.05


def test_near_is_measured_in_pixels() -> None:
    train = np.zeros((3, 2, 2, 1), np.uint8)
    made = np.full((20, 2, 2, 1), 51, np.uint8)                     # 0.2 in each of four pixels: 0.4 away
    found = read("near_train_share", Case(made=made, train=train, holdout=made))
    assert found.parts["median_distance"] == pytest.approx(0.4) and found.value == found.parts["holdout"] == 1


# Pictures

@pytest.mark.learns
@pytest.mark.parametrize("labelled", [True, False])
def test_worse_pictures_read_worse(labelled: bool) -> None:
    g = dice(15)
    (train, labels), (test, _), (fresh, _), (noisy, _) = pictures(g, 600), pictures(g, 300), pictures(g, 300), pictures(g, 300, 40.0)
    halves = np.concatenate([fresh[:, :6], fresh[::-1, 6:]], 1)
    case = Case(None, fresh, train, test, train_labels=labels if labelled else None)
    for name, sign in (("frechet", 1), ("energy_distance", 1), ("precision", -1), ("coverage", -1)):
        real = read(name, case)
        assert ("labelled" in real.convention) == labelled and "sha256" in real.convention
        for worse in (noisy, halves):
            assert sign * read(name, Case(None, worse, train, test, train_labels=case.train_labels)).value > sign * real.value
    same = read("frechet", case)
    assert abs(same.value - same.parts["real"]) < 4 * (same.error or 0.0) < 4 * same.parts["plain"]


@pytest.mark.learns
def test_wrong_labels_are_counted() -> None:
    g = dice(16)
    (train, labels), (made, right) = pictures(g, 600), pictures(g, 300)
    wrong = right.copy()
    wrong[:90] = (wrong[:90] + 1) % 3
    honest, lied = (read("label_accuracy", Case(None, made, train, train_labels=torch.from_numpy(labels), made_labels=asked)) for asked in (right, wrong))
    assert honest.value > 0.95 and honest.parts["real"] > 0.95 and set(honest.parts) == {"0", "1", "2", "real"}
    assert lied.value == pytest.approx(0.7, abs=0.05)


# Texts

def test_self_bleu_is_that_of_nltk() -> None:
    """nltk 3.10.4 of PyPI: sentence_bleu(all other texts, text, smoothing_function=SmoothingFunction().method1)."""
    texts = ["the river rose and the wind fell", "the river rose with no wind", "so the wind fell and the river rose and rose", "no",
             "wind and river and wind and river", "the river rose and the wind fell over the hill at night"]
    assert bleus([t.split() for t in texts]) == pytest.approx([1.0, 0.194330944364, 0.336607735781, 0.001198195241, 0.046713797773, 0.515662691824], abs=1e-11)
    chinese = ["北京的秋天很美", "北京的冬天很冷", "上海的秋天不冷", "秋天的北京很美很美"]
    expected = [0.316227766017, 0.215153445217, 0.175672052394, 0.091287092918]
    assert bleus(chinese) == pytest.approx(expected, abs=1e-11)
    found = read("self_bleu", Case(made=chinese, test=chinese))
    assert found.value == pytest.approx(np.mean(expected)) == found.parts["test"] and "by character" in found.convention


def test_self_bleu_of_equal_and_of_unlike_texts() -> None:
    words = [" ".join(f"w{i}_{j}" for j in range(8)) for i in range(30)]
    assert read("self_bleu", Case(made=["a b c d e"] * 30, test=words)).value == 1
    assert read("self_bleu", Case(made=words, test=words)).value == 0


def test_perplexity_is_exp_of_the_score() -> None:
    texts = ["the river rose", "the wind fell", "北京 fell", "so it rose"] * 20
    model = ilk.fit(texts, ilk.NGram(order=3))
    test = ["the river fell", "北京 rose"]
    found, said = read("perplexity", Case(model=model, test=test)), ilk.score(model, test)
    assert found.value == pytest.approx(exp(-said.per["character"]), rel=1e-9)
    assert found.parts["byte"] == pytest.approx(exp(-said.per["byte"]), rel=1e-9)
    assert found.parts["word"] == pytest.approx(exp(-float(said.nats.sum()) / 5), rel=1e-9)
    bits = read("bits_per_character", Case(model=model, test=test))
    assert found.error == pytest.approx(found.value * np.log(2) * (bits.error or 0), rel=1e-9)
