"""Figures of groups: a group that is left out, done badly or known badly is named, by how much it is known in closed form."""
from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import norm

import ilk
from ilk import registry
from ilk.dataset import Labels
from ilk.metric import Case, NotApplicable, Reading, measured
from ilk.metrics._neighbours import four
from ilk.metrics.calibration import gap
from ilk.rng import Rng

torch.set_num_threads(1)
HAN = "春風又綠江南岸明月何時照我還山空人靜鳥鳴白雲深處有家"


def dice(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def read(name: str, case: Case, seed: int = 0) -> Reading:
    found = measured(registry.get("metrics", name)(), case, Rng(seed))
    assert isinstance(found, Reading), found
    return found


def people(seed: int, n: int = 2000, few: float = 0.2, off: float = 0.0) -> pl.DataFrame:
    """Two groups, b the smaller, whose x is `off` too high."""
    g = dice(seed)
    b = g.random(n) < few
    return pl.DataFrame({"x": g.normal(size=n) + 2 * b + off * b, "y": g.normal(size=n), "group": np.where(b, "b", "a")})


def table(made: pl.DataFrame) -> Case:
    return Case(made=made, train=people(1), test=people(2))


def test_a_group_made_half_as_often_gets_a_half() -> None:
    found, fair = read("group_fidelity", table(people(3, few=0.1))), read("group_fidelity", table(people(3)))
    assert found.error and abs(found.value - 0.5) < 3 * found.error and found.value == found.parts["group=b: share"]
    assert "the share of group=b" in found.convention and fair.value > 0.85
    assert read("group_fidelity", table(people(3, few=0.0))).value == 0, "a group that is never made"


def test_a_group_made_badly_is_named() -> None:
    found = read("group_fidelity", table(people(3, off=3.0)))
    ks = 2 * norm.cdf(1.5) - 1   # of two Gaussians 3 apart
    assert found.parts["group=b: fidelity"] == pytest.approx(((1 - ks) + 1) / 2, abs=0.05) and found.parts["group=a: fidelity"] > 0.9
    assert "of group=b" in found.convention and found.value == found.parts["group=b: coverage"] < 0.5 < 0.9 < found.parts["group=a: coverage"]


def test_fidelity_and_coverage_within_a_group_are_those_of_its_items() -> None:
    made, test = people(3, off=0.5), people(4)
    least = min(frame.filter(pl.col("group") == "b").height for frame in (made, test))
    sides = [pl.concat([frame.filter(pl.col("group") == name).head(least) for name in "ab"]) for frame in (made, test)]
    found = read("group_fidelity", Case(made=sides[0], test=sides[1]))
    for name in "ab":
        mine, real = (side.filter(pl.col("group") == name).drop("group") for side in sides)
        assert found.parts[f"group={name}: fidelity"] == pytest.approx(read("column_shapes", Case(made=mine, test=real)).value)
        scale = sides[1].select(pl.col("x", "y").std(ddof=0)).to_numpy()
        assert found.parts[f"group={name}: coverage"] == four(mine.to_numpy() / scale, real.to_numpy() / scale)["coverage"][0]
        assert found.parts[f"group={name}: share"] == 1


def test_the_error_of_a_share_covers() -> None:
    found = [read("group_fidelity", Case(made=people(seed, 600, few=0.1), train=people(1), test=people(seed + 500, 600))) for seed in range(60)]
    shares = [f.parts["group=b: share"] for f in found]
    assert all("share of group=b" in f.convention for f in found)
    assert 0.75 < np.mean([f.error or 0 for f in found]) / np.std(shares, ddof=1) < 1.3


def languages(seed: int, n: int, chinese: float) -> tuple[list[str], Any]:
    """Lines in Chinese characters or English words, and which."""
    g = dice(seed)
    han = g.random(n) < chinese
    words = ["river", "moon", "cloud", "empty", "bird", "home", "spring", "wind"]
    return ["".join(g.choice(list(HAN), 10)) if h else " ".join(g.choice(words, 5)) for h in han], han.astype(int)


def test_a_language_hardly_written_is_named() -> None:
    (train, labels), (test, said) = languages(1, 600, 0.5), languages(2, 400, 0.5)
    case = Case(train=train, test=test, train_labels=labels, test_labels=Labels(torch.from_numpy(said), ("English", "Chinese")), made=languages(3, 400, 0.1)[0])
    found = read("group_fidelity", case)
    assert found.error and abs(found.value - 0.2) < 3 * found.error and "share of label=Chinese" in found.convention
    assert read("scripts", case).value > 0.2


def test_labels_of_vectors_are_told_by_a_classifier() -> None:
    def drawn(seed: int, off: float) -> tuple[Any, Any]:
        labels = (dice(seed).random(900) < 0.3).astype(int)
        return dice(seed + 50).normal(size=(900, 4)) * (1 - off * labels[:, None] / 2) + 5 * labels[:, None], labels

    (train, labels), (test, _) = drawn(1, 0), drawn(2, 0)
    fair, narrow = (read("group_fidelity", Case(made=drawn(3, off)[0], train=train, test=test, train_labels=labels)) for off in (0.0, 1.8))
    assert fair.value > 0.8 and narrow.value < 0.3 and "coverage of label=1" in narrow.convention and "about 1.000" in narrow.convention


@pytest.mark.parametrize("case", [
    Case(made=["a"], train=["a"], test=["a"]), Case(made=people(1).head(20), train=people(1), test=people(2).head(40)),
    Case(made=people(1)[["x"]], train=people(1), test=people(2)[["x"]]),
    Case(made=np.zeros((9, 2)), train=np.zeros((200, 2)), test=np.zeros((9, 2)), train_labels=np.zeros(200)), Case(made=people(1).head(0), train=people(1), test=people(2)),
    Case(made=np.zeros((90, 2)), train=np.zeros((200, 2)), test=np.zeros((90, 2)), train_labels=np.arange(200) % 2)])  # type: ignore[arg-type]
def test_where_there_are_no_groups_it_says_so(case: Case) -> None:
    found = measured(registry.get("metrics", "group_fidelity")(), case, Rng(0))
    assert isinstance(found, NotApplicable) and found.reason


# Likelihood and calibration of groups

def test_rare_likelihood_is_the_mean_score_of_the_rarest() -> None:
    model, test = ilk.fit(people(1), ilk.GMM(components=2), seed=1), people(2)
    nats = ilk.score(model, test).nats.numpy()
    rare = (test["group"] == "b").to_numpy()
    found = read("rare_likelihood", Case(model=model, test=test))
    assert found.value == pytest.approx(nats[rare].mean()) == found.parts["group=b"] and found.n == rare.sum()
    assert found.parts["all"] == pytest.approx(nats.mean()) and found.parts["gap"] == pytest.approx(nats[rare].mean() - nats.mean())
    assert found.error == pytest.approx(nats[rare].std(ddof=1) / rare.sum() ** 0.5)


def test_a_model_that_never_saw_the_rare_group_knows_it_badly() -> None:
    seen = pl.concat([people(1, few=0.0), people(3, 8, few=1.0)])
    models = [ilk.fit(data, ilk.GMM(components=2), seed=1) for data in (people(1), seen)]
    fair, blind = (read("rare_likelihood", Case(model=model, test=people(2))) for model in models)
    assert fair.value - blind.value > 5 * ((fair.error or 0) + (blind.error or 0)) and fair.parts["gap"] > blind.parts["gap"] + 2


def test_rare_likelihood_of_labels() -> None:
    x = np.concatenate([dice(1).normal(size=(400, 2)), dice(2).normal(size=(100, 2)) + 4])
    labels = Labels(torch.arange(500).ge(400).long(), ("many", "few"))
    model = ilk.fit(x, ilk.GMM(components=2), seed=1)
    found = read("rare_likelihood", Case(model=model, test=x, test_labels=labels))
    assert found.value == pytest.approx(float(ilk.score(model, x).nats[400:].mean())) == found.parts["label=few"]


def test_calibration_is_that_of_classify() -> None:
    model, test = ilk.fit(people(1), ilk.GMM(components=2), seed=1), people(2)
    found, told = read("calibration", Case(model=model, test=test)), ilk.classify(model, test, by="group")
    assert found.value == pytest.approx(told.calibration_error, abs=1e-12)
    assert (found.parts["accuracy"], found.parts["log_loss"]) == pytest.approx((told.accuracy, told.log_loss))
    bins = {name[:7] for name in found.parts if name[-2:] == " n"}
    assert sum(found.parts[f"{b} n"] * abs(found.parts[f"{b} sure"] - found.parts[f"{b} right"]) for b in bins) / found.n == pytest.approx(found.value)


def test_chances_that_are_right_get_what_is_called_real() -> None:
    """The true model is as badly calibrated as chances that are exactly right; a too-sure one is not."""
    model = ilk.fit(people(1, 4000), ilk.GMM(components=2), seed=1)
    found = read("calibration", Case(model=model, test=people(2)))
    assert found.error and abs(found.value - found.parts["real"]) < 4 * found.error
    sure = dice(5).uniform(0.5, 1, 4000)
    assert gap(sure, (dice(6).random(4000) < sure).astype(float)) < 0.03
    assert gap(np.full(4000, 0.95), (dice(6).random(4000) < 0.7).astype(float)) == pytest.approx(0.25, abs=0.02)


def test_calibration_of_labels_and_of_none() -> None:
    def drawn(seed: int) -> tuple[Any, Labels]:
        labels = torch.arange(400) % 2
        return dice(seed).normal(size=(400, 2)) + 1.5 * labels.numpy()[:, None], Labels(labels, ("low", "high"))

    (x, labels), (test, said) = drawn(1), drawn(2)
    data = ilk.Dataset(ilk.read(x).modality, x, {"train": torch.arange(300), "valid": torch.arange(300, 400), "test": torch.arange(0)}, labels)
    model = ilk.fit(data, ilk.Flow(), budget=ilk.Steps(60), seed=1)
    found = read("calibration", Case(model=model, test=test, test_labels=said))
    assert found.parts["accuracy"] > 0.8 and found.value < 0.15 and "'label'" in found.convention
    few = Labels(said.codes[:9], said.names)
    for case in (Case(model=model, test=test), Case(model=ilk.fit(x, ilk.GMM(components=1)), test=x), Case(model=model, test=test[:9], test_labels=few)):
        assert isinstance(measured(registry.get("metrics", "calibration")(), case, Rng(0)), NotApplicable)
