"""Counterfactual rows: brute force over all rows of a small table, a threshold known in closed form, and what is refused."""
from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.errors import UsageError
from ilk.rng import Rng
from ilk.rules import parse
from ilk.verbs._counter import Answers

RULE = "loan == 'yes'"


@pytest.fixture(scope="module")
def people() -> pl.DataFrame:
    """Four columns of few values: a loan comes with work or with a house, hardly ever with neither."""
    rng = Rng(3)
    n = 1500
    work, house, town = (rng.child(name).integers(n, k) for name, k in (("work", 3), ("house", 2), ("town", 3)))
    loan = rng.child("loan").uniform(n) < 0.05 + 0.42 * (work > 0).double() + 0.35 * (work == 2).double() * house + 0.1 * house
    return pl.DataFrame({"work": [("none", "some", "full")[w] for w in work.tolist()], "house": (house > 0).numpy(), "town": [f"t{t}" for t in town.tolist()],
                         "loan": ["yes" if yes else "no" for yes in loan.tolist()]})


@pytest.fixture(scope="module")
def model(people: pl.DataFrame) -> ilk.Model:
    return ilk.fit(people, ilk.GMM(components=4), seed=1)


def brute(model: ilk.Model, people: pl.DataFrame, one: pl.DataFrame, keep: list[str], sure: float, least: float) -> float:
    """The least number of columns (none of them a number) that an answer differs in: every row there is, its density by the model, p(loan | rest) by sums."""
    every = pl.DataFrame(list(product(*(people[c].unique().sort().to_list() for c in people.columns))), schema=people.schema, orient="row")
    every = every.with_columns(nats=model.score(every).nats.numpy())
    yes, no = (every.filter(pl.col("loan") == v) for v in ("yes", "no"))
    both = yes.join(no, on=[c for c in people.columns if c != "loan"], suffix="_no")
    chance = 1 / (1 + (both["nats_no"] - both["nats"]).exp())
    good = both.filter((chance >= sure) & (both["nats"] >= least))
    for name in keep:
        good = good.filter(pl.col(name) == one[name][0])
    away = [sum(row[c] != one[c][0] for c in people.columns) for row in good.iter_rows(named=True)]
    return float(min(away, default=np.inf))


@pytest.mark.parametrize(("keep", "sure", "plausible"), [([], 0.5, 0.05), (["town"], 0.5, 0.05), (["house", "town"], 0.4, 0.02), (["work"], 0.5, 0.0), ([], 0.7, 0.1)])
def test_as_near_as_brute_force(model: ilk.Model, people: pl.DataFrame, keep: list[str], sure: float, plausible: float) -> None:
    rows = people.unique(maintain_order=True).filter(pl.col("loan") == "no")[:12]
    least = Answers.of(model, RULE, parse(RULE), sure, plausible, Rng(0).child("counterfactual")).least
    wanted = [brute(model, people, rows[i:i + 1], keep, sure, least) for i in range(len(rows))]
    found = ilk.counterfactual(model, rows, RULE, keep=keep, sure=sure, plausible=plausible)
    assert [i for i, w in enumerate(wanted) if np.isfinite(w)] == found.of.tolist() != []
    assert found.distance.tolist() == [w for w in wanted if np.isfinite(w)]
    assert bool((found.items["loan"] == "yes").all()) and float(found.sure.min()) >= sure and bool((model.score(found.items).nats >= least).all())
    assert all(bool((found.items[name] == rows[name][found.of.numpy()]).all()) for name in keep)


def test_a_row_that_obeys_already_is_its_own_answer(model: ilk.Model) -> None:
    one = {"work": ["full"], "house": [True], "town": ["t0"], "loan": ["yes"]}
    found = ilk.counterfactual(model, one, RULE)
    assert found.items.to_dict(as_series=False) == one and found.changed.tolist() == [0] and found.distance.tolist() == [0]
    refused = ilk.counterfactual(model, {**one, "loan": ["no"]}, RULE)   # another loan, and nothing else
    assert refused.items.to_dict(as_series=False) == one and refused.changed.tolist() == [0] and refused.distance.tolist() == [1]
    assert "0.00 columns changed" in repr(refused)


def test_numbers_go_as_far_as_the_rule_is_even() -> None:
    """y = x + noise around it: p(y > 2 | x) is a half at x = 2 sharp; z has no part in it and stays."""
    noise = Rng(2).normal(4000, 3).numpy()
    x = noise[:, 0]
    rows = pl.DataFrame({"x": x, "y": x + 0.5 * noise[:, 1], "z": noise[:, 2], "name": [f"n{i}" for i in range(4000)]})
    model = ilk.fit(rows, ilk.GMM(components=1))
    found = ilk.counterfactual(model, pl.DataFrame({"x": [-0.5, 0.8], "y": [-0.4, 0.9], "z": [0.25, -1.0], "name": ["me", "you"]}), "y > 1", plausible=0.02)
    assert np.abs(found.items["x"].to_numpy() - 1.0).max() < 0.12 and found.items["x"].min() > 0.9
    assert bool(((found.items["y"] > 1) & (found.items["y"] < 1.1)).all())
    assert found.items["z"].to_list() == [0.25, -1.0] and found.items["name"].to_list() == ["me", "you"]
    assert found.changed.tolist() == [1, 1] and bool((found.percentile >= 0.02).all())
    exact = torch.special.ndtr((torch.from_numpy(found.items["x"].to_numpy()) - 1.0) / 0.5)
    assert float((found.sure - exact).abs().max()) < 0.15   # by draws


def test_what_is_given_beforehand_bounds_the_answers(model: ilk.Model) -> None:
    one = {"work": ["none"], "house": [False], "town": ["t0"], "loan": ["no"]}
    found = ilk.counterfactual(model.given("work != 'some'"), one, RULE)
    assert found.items["work"].to_list() == ["full"]
    assert bool(ilk.counterfactual(model, one, RULE, seed=4).items.equals(ilk.counterfactual(model, one, RULE, seed=4).items))


def test_what_has_no_answer(model: ilk.Model) -> None:
    one: dict[str, Any] = {"work": ["none"], "house": [False], "town": ["t0"], "loan": ["no"]}
    for code, options in {"TOO_RARE": {"keep": ["work", "house", "town"]}, "COLUMN": {"keep": ["job"]}, "CONTRADICTION": {"keep": ["loan"]}, "OPTION": {"sure": 1.0}}.items():
        with pytest.raises(UsageError) as why:
            ilk.counterfactual(model, one, RULE, **options)
        assert why.value.code == code and why.value.remedy
    for rows, want, code in ((pl.DataFrame(one)[:0], RULE, "ITEMS"), (one, "loan == 'maybe'", "RULE_TYPE"), (one, "debt > 3", "COLUMN")):
        with pytest.raises(UsageError) as why:
            ilk.counterfactual(model, rows, want)
        assert why.value.code == code
    with pytest.raises(UsageError, match="no rows"):
        ilk.counterfactual(ilk.fit(np.zeros((50, 2)) + Rng(0).normal(50, 2).numpy(), ilk.GMM(components=1)), np.zeros((1, 2)), "`0` > 1")
