"""Known leaks: how often the audit flags models that learned rows by heart, and how often it lets a model pass that learned the law."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import torch

import ilk
from ilk.dataset import Dataset
from ilk.rng import Rng

SEEDS, ROWS, CLASSES, MADE = 20, 500, 4, 1000
OVERFITTED = {"components": 120, "ridge": 1e-4}   # four rows a component
NOISE = 0.02                                      # of a standard deviation


def figure(seed: int) -> dict[str, Any]:
    """The value is the least of three counts of 20: over-fitted models, bootstrap copies, and noisy copies that are flagged."""
    rows = [_one(Rng(seed).child("leak", i), i) for i in range(SEEDS)]
    count = {name: sum(row[name] for row in rows) for name in ("overfitted", "copies", "noisy", "passed")}
    blind = torch.tensor([row["independent"] for row in rows], dtype=torch.double)
    error = float(blind.std()) / SEEDS**0.5
    flagged = min(count["overfitted"], count["copies"], count["noisy"])
    return {"value": flagged, "unit": "leaks found of 20", "flagged": flagged, "floor": 0, "ceiling": SEEDS, "n": SEEDS, **count, "independent_auc": float(blind.mean()), "independent_error": error,
            "independent_within": abs(float(blind.mean()) - 0.5) <= 3 * error, "overfitted_auc": sum(row["auc"] for row in rows) / SEEDS,
            "protocol": f"{ROWS} rows of a law of {CLASSES} classes (2 numbers, 3 categories) learned from, as many held out; over-fitted: gmm of {OVERFITTED}; copies: {MADE} training rows "
                        f"drawn with replacement; noisy: the same with numbers moved by {NOISE} of their standard deviations; passed: gmm of {CLASSES} components without a flag; "
                        "independent: the membership AUC of a model of other rows"}


def _one(rng: Rng, seed: int) -> dict[str, Any]:
    kind = ilk.read(_rows(rng.child("kind"), 4 * ROWS)).modality
    data, other = (Dataset(kind, _rows(rng.child(name), 2 * ROWS), {"train": torch.arange(ROWS), "valid": torch.arange(0), "test": torch.arange(ROWS, 2 * ROWS)})
                   for name in ("data", "other"))
    right, wrong = ilk.fit(data, ilk.GMM(components=CLASSES), seed=seed), ilk.fit(data, ilk.GMM(**OVERFITTED), seed=seed)
    blind = ilk.fit(replace(other, modality=kind), ilk.GMM(components=CLASSES), seed=seed)
    copies = data.train[rng.child("copies").integers(MADE, ROWS).numpy()]
    over = ilk.audit(wrong, data, seed=seed)
    return {"overfitted": bool(over.flagged), "auc": over["membership"].value, "copies": bool(ilk.audit(None, data, made=copies, seed=seed).flagged),
            "noisy": bool(ilk.audit(None, data, made=_moved(copies, rng.child("noise")), seed=seed).flagged), "passed": not ilk.audit(right, data, seed=seed).flagged,
            "independent": ilk.audit(blind, data, n=ROWS, seed=seed)["membership"].value}


def _rows(rng: Rng, n: int) -> pl.DataFrame:
    """Rows of a law of four classes."""
    k = rng.child("class").integers(n, CLASSES)
    x = 3 * torch.stack([(k % 2).double(), (k // 2).double()], 1) + rng.child("x").normal(n, 2)
    words = [(k + (rng.child("word", j).uniform(n) < 0.4) * (j + 1)) % CLASSES for j in range(3)]
    return pl.DataFrame({"x": x[:, 0].numpy(), "y": x[:, 1].numpy(), **{f"word{j}": [f"w{int(v)}" for v in w] for j, w in enumerate(words)}})


def _moved(rows: pl.DataFrame, rng: Rng) -> pl.DataFrame:
    return rows.with_columns(pl.Series(name, rows[name].to_numpy() + NOISE * float(rows[name].std()) * rng.child(name).normal(len(rows)).numpy()) for name in ("x", "y"))  # type: ignore[arg-type]
