"""Exact conditions: probabilities of rules about adult rows beside how often test rows obey, and of all rows of a small table beside their sum."""
from __future__ import annotations

from itertools import product
from math import exp, sqrt
from typing import Any

import polars as pl

import ilk
from ilk.dataset import split_dataset
from ilk.rules import parse

RULES = ("age > 60 and `hours-per-week` < 20", "age > 60", "`hours-per-week` < 20", "age < 25 and income == '>50K'", "`capital-gain` > 5000 and sex == 'Female'",
         "age >= 30 and age <= 32 and `marital-status` == 'Divorced'", "workclass == None and age > 60", "`education-num` >= 13 and income == '>50K' and `hours-per-week` > 45")


def figure(seed: int) -> dict[str, Any]:
    """The value is the probability of the first rule; its floor takes age and hours to be independent, its ceiling is the share of test rows."""
    data = split_dataset(ilk.read("adult"), ilk.Rng(seed).child("data"))
    model = ilk.fit(data, ilk.Circuit(), seed=seed)
    rules = [_rule(model, data, rule) for rule in RULES]
    far = max(abs(r["probability"] - r["frequency"]) / r["se"] for r in rules)
    return {"value": rules[0]["probability"], "unit": "probability", "se": 0.0, "sort": rules[0]["sort"], "floor": rules[1]["probability"] * rules[2]["probability"],
            "ceiling": rules[0]["frequency"], "n": len(data.test), "rules": rules, "largest_gap_in_standard_errors": far, "nats": model.score(data).mean,
            "enumerated_gap": _enumerated(seed), "protocol": "train 32,561 (a tenth, at most 5,000 rows, chooses); frequencies in the 16,281 test rows"}


def _rule(model: Any, data: Any, rule: str) -> dict[str, Any]:
    met = model.given(rule).met.met
    share = float(data.modality.obeys(data.test, data.modality.checked(parse(rule))).double().mean())
    return {"rule": rule, "sort": met.sort, "probability": exp(met.log_mass), "frequency": share, "se": sqrt(max(share * (1 - share), 1 / len(data.test)) / len(data.test))}


def _enumerated(seed: int) -> float:
    """The largest gap between a rule's probability and the sum over every row that obeys, for a table of three columns."""
    rng = ilk.Rng(seed).child("table")
    cause = rng.integers(2000, 3)
    columns = {name: (cause + rng.child(name).integers(2000, 2)) % 4 for name in ("a", "b", "c")}
    model = ilk.fit(pl.DataFrame({name: [f"v{int(v)}" for v in column] for name, column in columns.items()}), ilk.Circuit(hidden=5), seed=seed)
    every = pl.DataFrame(list(product([f"v{i}" for i in range(4)], repeat=3)), schema=["a", "b", "c"], orient="row")
    mass = model.score(every).nats.exp()
    gaps = []
    for rule, obeys in (("a == 'v1'", pl.col("a") == "v1"), ("a in ['v0', 'v2'] and c != 'v3'", pl.col("a").is_in(["v0", "v2"]) & (pl.col("c") != "v3"))):
        keep = every.select(obeys).to_series().to_list()
        gaps.append(abs(exp(model.given(rule).met.met.log_mass) - sum(float(m) for m, k in zip(mass, keep, strict=True) if k)))
    return max(gaps)
