"""Adult under conditions that one row in a hundred obeys: rows a second of ours against SDV's conditional sampling by its Gaussian copula.

`rule`: people above 60 who work less than 20 hours, 0.9 % of the rows. SDV's conditions are values, not ranges: it has the better of
filtering its plain rows, by the share of training rows that obey, and of `each`. `each`: rows whose known cells differ (age and hours of
such people): `impute` against `sample_remaining_columns`. `same`: all rows have one value in common (education is Doctorate, 1.2 %), which
is what `sample_from_conditions` is made for.
"""
from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

import ilk
from benchmarks.benches._peers import python, run
from ilk.dataset import split_dataset

N, EACH = 20_000, 300
VALUES = {"education": "Doctorate"}
KNOWN, RULE = ["age", "hours-per-week"], (pl.col("age") > 60) & (pl.col("hours-per-week") < 20)
FAMILIES = {"circuit": ilk.Circuit(), "gmm": ilk.GMM(components=24)}


def bench() -> dict[str, Any]:
    """`ratio` is that of the rule, by the slower of our families; those of the other two are beside it."""
    python()
    data = split_dataset(ilk.read("adult"), ilk.Rng(0).child("data"))
    train = data.modality.join([data.train, data.valid])
    rare = train.filter(RULE)
    known = rare.head(EACH).select(KNOWN)
    with tempfile.TemporaryDirectory() as folder:
        train.write_csv(Path(folder) / "train.csv")
        known.write_csv(Path(folder) / "known.csv")
        peer = {row.pop("way"): row for row in run("conditional.py", f"{folder}/train.csv", f"{folder}/known.csv", json.dumps(VALUES), str(N))}
    theirs = {way: peer[way]["rows_per_second"] for way in ("same", "each")} | {"rule": peer["plain"]["rows_per_second"] * len(rare) / len(train)}
    ours = {name: _ours(ilk.fit(data, family, seed=0), train, known) for name, family in FAMILIES.items()}
    best = theirs | {"rule": max(theirs["rule"], theirs["each"])}
    least = {way: min(rates[way] for rates in ours.values()) for way in best}
    return {"ours": least["rule"], "peer": best["rule"], "peer_name": "SDV GaussianCopulaSynthesizer", "unit": "rows/s", "ratio": least["rule"] / best["rule"],
            "ratio_each": least["each"] / best["each"], "ratio_same": least["same"] / best["same"], "rates": {**ours, "sdv": theirs},
            "sdv_fit_seconds": peer["fit"]["seconds"], "sdv_obey": peer["same"]["obey"]}


def _ours(model: ilk.Model, train: pl.DataFrame, known: pl.DataFrame) -> dict[str, float]:
    gaps = pl.DataFrame([known[c] if c in KNOWN else pl.Series(c, [None] * len(known), dtype=train[c].dtype) for c in train.columns])
    rule = model.given("age > 60 and `hours-per-week` < 20")
    return {"same": _fastest(lambda: model.given(VALUES).sample(N)), "each": _fastest(lambda: ilk.impute(model, gaps)), "rule": _fastest(lambda: rule.sample(N))}


def _fastest(make: Callable[[], pl.DataFrame]) -> float:
    """Rows a second, the best of three."""
    rates = []
    for _ in range(3):
        start = time.monotonic()
        rates.append(len(make()) / (time.monotonic() - start))
    return max(rates)
