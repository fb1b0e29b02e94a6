"""Binary density sets: nats per row on the literature's split."""
from __future__ import annotations

from typing import Any

import numpy as np

import ilk


def density(name: str, family: Any, published: dict[str, Any], seed: int) -> dict[str, Any]:
    """A model's exact test log-likelihood beside that of independent columns."""
    data = ilk.read(name)
    return {**row(data, ilk.fit(data, family, seed=seed)), "ceiling": None, "published": published,
            "members": family.orders, "protocol": "train/valid/test of the literature; valid chooses; uniform mixture of members with their own orders"}


def row(data: Any, model: Any) -> dict[str, Any]:
    """The test rows by a model, and by independent columns."""
    found = model.score(data)
    return {"value": found.mean, "unit": "nats per row", "se": found.error, "sort": found.sort, "floor": floor_of(data), "n": len(found.nats)}


def floor_of(data: Any) -> float:
    """What independent columns score."""
    p = (data.train.astype(np.float64).sum(0) + 0.5) / (len(data.train) + 1)
    return float((data.test * np.log(p) + (1 - data.test) * np.log(1 - p)).sum(1).mean())
