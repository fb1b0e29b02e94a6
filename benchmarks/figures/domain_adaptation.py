"""Adapting to a related set: 6,000 adults of other races, then one in a hundred of the black ones, judged on black ones of the test set."""
from __future__ import annotations

from typing import Any

import polars as pl
import torch
from torch import Tensor

import ilk
from ilk.dataset import Dataset
from ilk.errors import UsageError

FAMILIES = {"circuit": (ilk.Circuit(hidden=16), None), "gmm": (ilk.GMM(components=12), None), "made": (ilk.MADE(), ilk.Steps(1500))}
SOURCE, SHARE, COLUMN, VALUE = 6000, 0.01, "race", "Black"


def figure(seed: int) -> dict[str, Any]:
    """The value is what the circuit gains over the target alone, in nats a row; its floor is the source as it is, over the target alone."""
    source, target = sets(seed)
    rows = {name: _row(family, budget, source, target, seed) for name, (family, budget) in FAMILIES.items()}
    first = rows["circuit"]
    return {"value": first["both"] - first["alone"], "unit": "nats a row over the target alone", "floor": first["source"] - first["alone"], "ceiling": None, "n": len(target.test),
            "families": rows, "least_gain": min(r["both"] - r["alone"] for r in rows.values()), "over_source": min(r["both"] - r["source"] for r in rows.values()),
            "target_rows": len(target.index("train")), "refused": _refused(source, seed),
            "protocol": f"adult, {SOURCE} training rows of other races; 1 % of the training rows with {COLUMN} {VALUE}; exact nats of the test rows with it, race among the columns"}


def sets(seed: int) -> tuple[Dataset[Any], Dataset[Any]]:
    """Source and target, both with the target's test rows."""
    data = ilk.read("adult")
    train, test = data.index("train"), data.index("test")
    own = torch.from_numpy((data.items[COLUMN] == VALUE).fill_null(False).to_numpy().copy())
    rng = ilk.Rng(seed).child("sets")
    others, few = (_some(train[side], n, rng.child(name)) for name, side, n in (("source", ~own[train], SOURCE), ("target", own[train], round(SHARE * int(own[train].sum())))))
    return _of(data, others, test[own[test]]), _of(data, few, test[own[test]])


def _some(index: Tensor, n: int, rng: ilk.Rng) -> Tensor:
    return index[rng.shuffle(len(index))[:n]]


def _of(data: Dataset[Any], train: Tensor, test: Tensor) -> Dataset[Any]:
    frame = pl.concat([data.modality.take(data.items, train), data.modality.take(data.items, test)])
    return Dataset(data.modality, frame, {"train": torch.arange(len(train)), "test": torch.arange(len(train), len(frame))})


def _row(family: Any, budget: Any, source: Dataset[Any], target: Dataset[Any], seed: int) -> dict[str, float]:
    first = ilk.fit(source, family, seed=seed, budget=budget)
    alone = ilk.fit(target, family, like=first, seed=seed)
    both = ilk.fit(target, start=first, seed=seed)
    return {"source": first.score(target).mean, "alone": alone.score(target).mean, "both": both.score(target).mean}


def _refused(source: Dataset[Any], seed: int) -> bool:
    """Whether rows with a value that the source never knew are refused, with a remedy."""
    model = ilk.fit(source.items[:200], ilk.GMM(components=1), seed=seed)
    try:
        ilk.fit(source.items[:100].with_columns(pl.lit("Atlantis").alias("native-country")), start=model)
    except UsageError as why:
        return why.code == "CODING" and bool(why.remedy)
    return False
