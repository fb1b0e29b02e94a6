"""Bayes' rule: classes by a joint model are those of the definition, summed out by hand, and of scikit-learn's Gaussian classifiers."""
from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import log
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB

import ilk
from ilk.families._gaussians import Diagonal, Full
from ilk.families.gmm import Law


def table(seed: int, n: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    a, b, c = ((y + rng.integers(2, size=n)) % 4 for _ in range(3))
    return pl.DataFrame({"y": [f"y{i}" for i in y], "a": [f"a{i}" for i in a], "b": [f"b{i}" for i in b], "c": [f"c{i}" for i in c]})


@pytest.mark.parametrize("family", [ilk.Circuit(hidden=4), ilk.GMM(components=3), ilk.Mixture(components=2), ilk.ChowLiu()])
def test_the_definition(family: Any) -> None:
    """p(y | x) is p(x, y) over its sum, for every row there can be."""
    model = ilk.fit(table(1), family)
    every = pl.DataFrame(list(product(*(sorted(table(1)[k].unique()) for k in "yabc"))), schema=list("yabc"), orient="row")
    mass = every.with_columns(mass=model.score(every).nats.exp().numpy())
    rows = every.select("a", "b", "c").unique(maintain_order=True)
    found = ilk.classify(model, rows, by="y")
    assert found.sort == "exact" and found.classes == ("y0", "y1", "y2")
    for i, row in enumerate(rows.iter_rows(named=True)):
        here = mass.filter(*(pl.col(k) == v for k, v in row.items())).sort("y")["mass"].to_numpy()
        assert np.allclose(found.chances[i].numpy(), here / here.sum(), atol=1e-9)


@pytest.mark.parametrize("family", [ilk.Circuit(hidden=4), ilk.GMM(components=3)])
def test_missing_cells_are_summed_out(family: Any) -> None:
    """Where training knew of no missing cell, one is unknown: p(y | the others) is the sum over all it can be."""
    model = ilk.fit(table(2), family)
    every = pl.DataFrame(list(product(*(sorted(table(2)[k].unique()) for k in "yabc"))), schema=list("yabc"), orient="row")
    mass = every.with_columns(mass=model.score(every).nats.exp().numpy())
    found = ilk.classify(model, pl.DataFrame({"a": ["a1", None], "b": [None, "b2"], "c": ["c0", "c1"]}), by="y")
    for i, row in enumerate(({"a": "a1", "c": "c0"}, {"b": "b2", "c": "c1"})):
        here = mass.filter(*(pl.col(k) == v for k, v in row.items())).group_by("y").agg(pl.col("mass").sum()).sort("y")["mass"].to_numpy()
        assert np.allclose(found.chances[i].numpy(), here / here.sum(), atol=1e-9)


def gaussians(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=600)
    x = np.array([[0.0, 0.0], [2.0, 1.0], [0.0, 3.0]])[y] + rng.standard_normal((600, 2)) @ np.array([[1.0, 0.4], [0.0, 0.8]])
    return x, y


def frame(x: Any, y: Any) -> pl.DataFrame:
    return pl.DataFrame({"u": x[:, 0], "v": x[:, 1], "y": [f"y{i}" for i in y]})


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_scikit_learns_gaussian_classifiers(covariance: str) -> None:
    """One component a class with scikit-learn's own means and variances: GaussianNB, and linear discriminants where all share a covariance."""
    x, y = gaussians(3)
    model = ilk.fit(frame(x, y), ilk.GMM(components=3, covariance=covariance), budget=ilk.Steps(1))
    weight = torch.tensor(np.bincount(y) / len(y)).log()
    sure = torch.full((3, 3), log(1e-12)).double().fill_diagonal_(0.0)
    if covariance == "diag":
        twin: Any = GaussianNB().fit(x, y)
        gauss: Any = Diagonal(torch.tensor(twin.theta_), torch.tensor(twin.var_))
    else:
        twin = LinearDiscriminantAnalysis(store_covariance=True).fit(x, y)
        gauss = Full(torch.tensor(twin.means_), torch.tensor(twin.covariance_).repeat(3, 1, 1))
    body: Any = model.body
    body.center, body.scale = torch.zeros(2).double(), torch.ones(2).double()
    body.law = Law(log_weight=weight, gauss=gauss, tables=(sure,), log_there=torch.zeros(3, 0).double(), log_gone=torch.zeros(3, 0).double())
    new, _ = gaussians(4)
    found = ilk.classify(model, frame(new, np.zeros(600, dtype=int)).drop("y"), by="y")
    assert np.abs(found.chances.numpy() - twin.predict_proba(new)).max() < 1e-6


def test_fitted_is_near_naive_bayes() -> None:
    """A mixture learned by EM, whose components are told apart by the class column, classifies as GaussianNB does."""
    rng = np.random.default_rng(5)
    y = rng.integers(2, size=2000)
    x = np.array([[0.0, 0.0], [3.0, 3.0]])[y] + rng.standard_normal((2000, 2))
    model = ilk.fit(frame(x, y), ilk.GMM(components=2, covariance="diag"))
    new = np.array([[0.0, 0.0], [3.0, 3.0]])[rng.integers(2, size=500)] + rng.standard_normal((500, 2))
    found = ilk.classify(model, frame(new, np.zeros(500, dtype=int)).drop("y"), by="y").chances.numpy()
    assert np.abs(found - GaussianNB().fit(x, y).predict_proba(new)).mean() < 0.02


def test_labels_of_a_conditional_model() -> None:
    """log p(x | label) + log share, normalised; the shares are those of the items learned from."""
    rng = np.random.default_rng(6)
    y = (rng.uniform(size=600) < 0.25).astype(int)
    x = (4.0 * y + rng.standard_normal(600))[:, None]
    data = replace(ilk.read(x), labels=ilk.Labels(torch.from_numpy(y), ("low", "high")))
    model = ilk.fit(data, ilk.Flow(), budget=ilk.Steps(60), seed=1)
    found = ilk.classify(model, data)
    counts = np.array(model.card["label_counts"], dtype=float)
    joint = np.stack([model.given(ilk.Label(v)).score(data.test).nats.numpy() for v in ("low", "high")], 1) + np.log(counts / counts.sum())
    want = np.exp(joint - np.logaddexp(joint[:, :1], joint[:, 1:]))
    assert counts.sum() == len(data.train) and np.allclose(found.chances.numpy(), want, atol=1e-9) and found.accuracy > 0.9


def test_a_temperature_makes_chances_no_surer_than_right() -> None:
    """Log chances ten times too large are cooled by ten, and their log loss falls."""
    from ilk.verbs.classify import _temperature

    rng = torch.from_numpy(np.random.default_rng(7).standard_normal((4000, 3)))
    truth = torch.distributions.Categorical(logits=rng).sample()   # drawn from what the chances say
    assert abs(_temperature(10 * rng, truth) / 10 - 1) < 0.1
    model = ilk.fit(table(8), ilk.Circuit(hidden=4))
    plain, cooled = ilk.classify(model, table(9), by="y"), ilk.classify(model, table(9), by="y", held=table(10))
    assert cooled.temperature > 0 and cooled.log_loss < plain.log_loss + 0.01 and cooled.accuracy == plain.accuracy


def test_perfect_and_hopeless_figures() -> None:
    found = ilk.classify(ilk.fit(table(1), ilk.Circuit(hidden=4)), table(1), by="y")
    truth = found.truth
    sure = replace(found, log_chances=torch.nn.functional.one_hot(truth, 3).double().clamp_min(1e-9).log())
    assert sure.accuracy == 1 and sure.log_loss < 1e-6 and sure.calibration_error < 1e-6
    wrong = replace(found, log_chances=torch.nn.functional.one_hot((truth + 1) % 3, 3).double().clamp_min(1e-9).log())
    assert wrong.accuracy == 0 and wrong.calibration_error > 0.99 and wrong.log_loss > 20


@pytest.mark.learns
def test_unlabelled_rows_help() -> None:
    """Ten labels a class and 1,500 rows without beat the ten labels alone, on every seed, in the mean by much."""
    gains = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        def draw(n: int, rng: Any = rng) -> tuple[Any, Any]:
            y = rng.integers(3, size=n)
            return np.array([[0.0] * 6, [1.7] * 6, [1.7, -1.7] * 3])[y] + rng.standard_normal((n, 6)), y
        (x, y), (held, truth) = draw(1530), draw(1000)
        names = [f"c{k}" for k in y]
        kept = np.concatenate([np.flatnonzero(y == k)[:10] for k in range(3)])
        half = pl.DataFrame({**{f"x{j}": x[:, j] for j in range(6)}, "y": [names[i] if i in set(kept.tolist()) else None for i in range(len(y))]})
        test = pl.DataFrame({**{f"x{j}": held[:, j] for j in range(6)}, "y": [f"c{k}" for k in truth]})
        data, none = ilk.read(half), torch.tensor([], dtype=torch.long)
        parts = [replace(data, splits={"train": train, "valid": none}) for train in (torch.from_numpy(kept), torch.arange(len(y)))]
        accuracy = [ilk.classify(ilk.fit(part, ilk.GMM(components=3), seed=seed), test, by="y").accuracy for part in parts]
        gains.append(accuracy[1] - accuracy[0])
    assert min(gains) > 0 and sum(gains) / 3 > 0.03


def test_what_is_refused() -> None:
    model = ilk.fit(table(1), ilk.Circuit(hidden=2))
    for by, said in (("nothing", "no class `nothing`"), (None, "nothing says"), ("label", "no class `label`")):
        with pytest.raises(ilk.IlkError, match=said):
            ilk.classify(model, table(1), by=by)
    with pytest.raises(ilk.IlkError, match="held-out items have no class"):
        ilk.classify(model, table(1), by="y", held=table(1).drop("y"))
    gan = ilk.fit(table(1), ilk.GAN(), budget=ilk.Steps(2))
    with pytest.raises(ilk.IlkError, match="no likelihood"):
        ilk.classify(gan, table(1), by="y")
