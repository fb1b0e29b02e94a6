"""A rule that one adult row in five hundred obeys, by the command: the seconds of `ilk sample` from a cold start, and whether the rows follow the model's law."""
from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from math import exp, sqrt
from pathlib import Path
from typing import Any

import polars as pl
from scipy.stats import chi2_contingency, ks_2samp

import ilk
from ilk.dataset import split_dataset
from ilk.rules import parse

RULE = "age > 60 and `hours-per-week` < 20 and income == '>50K'"
N, PLAIN, ROUNDS, LEAST = 1000, 250_000, 4, 20


def figure(seed: int) -> dict[str, Any]:
    """The value is the seconds for 1,000 rows, start and loading included; `least_p` the least p-value of any column against the model's plain rows that obey."""
    data = split_dataset(ilk.read("adult"), ilk.Rng(seed).child("data"))
    model = ilk.fit(data, ilk.Circuit(), seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        at, out = model.save(Path(folder) / "adult.ilk"), Path(folder) / "rare.parquet"
        start = time.monotonic()
        subprocess.run([sys.executable, "-m", "ilk", "sample", str(at), "-n", str(N), "--given", RULE, "--seed", str(seed), "--out", str(out)], check=True, stdout=sys.stderr)
        seconds = time.monotonic() - start
        made = pl.read_parquet(out)
    met, tests = model.given(RULE).met.met, data.modality.checked(parse(RULE))
    obey = pl.concat([rows.filter(pl.Series(data.modality.obeys(rows, tests).numpy())) for rows in (model.sample(PLAIN, seed=seed + 1000 + i) for i in range(ROUNDS))])
    share, many = len(obey) / (PLAIN * ROUNDS), PLAIN * ROUNDS
    ps = {c: _p(made[c], obey[c]) for c in made.columns}
    return {"value": seconds, "unit": "s", "floor": 0.0, "ceiling": 5.0, "n": N, "sort": met.sort, "probability": exp(met.log_mass),
            "share": share, "share_se": sqrt(share * (1 - share) / many), "share_test": float(data.modality.obeys(data.test, tests).double().mean()),
            "obeys": float(data.modality.obeys(made, tests).double().mean()), "least_p": min(1.0, min(ps.values()) * len(ps)), "least_p_column": min(ps, key=lambda c: ps[c]),
            "filtered": len(obey), "protocol": f"circuit; {N} rows by the command against those of {many:,} plain rows that obey; least p times the number of columns"}


def _p(one: pl.Series, other: pl.Series) -> float:
    """Kolmogorov and Smirnov's of numbers, chi-square of categories, rare ones taken together."""
    if one.dtype.is_numeric():
        return float(ks_2samp(one.to_numpy(), other.to_numpy()).pvalue)
    every = pl.concat([one, other]).fill_null("?")
    often = set(every.value_counts().filter(pl.col("count") >= LEAST)[one.name])
    counts = [{v: int((s.fill_null("?") == v).sum()) for v in often} for s in (one, other)]
    table = [[*c.values(), len(s) - sum(c.values())] for c, s in zip(counts, (one, other), strict=True)]
    table = [[row[j] for j in range(len(table[0])) if table[0][j] + table[1][j]] for row in table]
    return float(chi2_contingency(table).pvalue) if len(table[0]) > 1 else 1.0
