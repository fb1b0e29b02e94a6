"""Binary density sets: every family that can, in nats per test row on the literature's split."""
from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

import ilk
from ilk.batch import Batch
from ilk.distribution import Family
from ilk.errors import UsageError

PUBLISHED = {"nltcs": {"Chow-Liu": -6.759, "LearnSPN": -6.11}, "plants": {"Chow-Liu": -16.524, "LearnSPN": -12.98}, "dna": {"Chow-Liu": -87.669, "LearnSPN": -82.52},
             "mushrooms": {"Chow-Liu": -20.960}}
RAISED = 200   # test rows whose conservative bound is worked out


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


def mixtures() -> dict[str, Sequence[Family]]:
    """Mixtures of independent bits and of trees, of several sizes."""
    return {"bernoullis": [ilk.GMM(components=k) for k in (8, 32, 100)],
            "trees": [ilk.Mixture(components=k, each=ilk.ChowLiu(smoothing=s)) for k, s in ((4, 1.0), (8, 0.1), (20, 0.1))]}


def table(name: str, families: Mapping[str, Sequence[Family]], seed: int) -> dict[str, Any]:
    """One row a family, the recipe of each chosen by the validation rows; the value is that of the family which they choose."""
    data = ilk.read(name)
    every = {"chow_liu": [ilk.ChowLiu()], **mixtures(), **families, "vae": [ilk.VAE(codes=16, draws=200)], "gan": [ilk.GAN()]}
    rows = {kind: _best(data, tried, seed) for kind, tried in every.items()}
    chosen = max((k for k in rows if "valid" in rows[k] and rows[k]["sort"] != "estimate"), key=lambda k: float(rows[k]["valid"]))
    return {**rows[chosen], "unit": "nats per row", "chosen": chosen, "floor": floor_of(data), "ceiling": None, "n": len(data.test), "published": PUBLISHED[name], "families": rows,
            "protocol": "train/valid/test of the literature; valid chooses the recipe, and the family of the value, estimates left out; floor: independent columns"}


def _best(data: Any, tried: Sequence[Family], seed: int) -> dict[str, Any]:
    start = time.monotonic()
    try:
        models = [ilk.fit(data, family, seed=seed) for family in tried]
        held = [float(model.score(data.valid).mean) for model in models]
    except UsageError as why:
        return {"refused": str(why.message)}
    at = int(np.argmax(held))
    found = models[at].score(data)
    return {"value": found.mean, "se": found.error, "sort": found.sort, "valid": held[at], "tried": len(tried), "seconds": round(time.monotonic() - start, 1),
            **_raised(models[at], data, found, seed)}


def _raised(model: Any, data: Any, found: Any, seed: int) -> dict[str, float]:
    """Beside an annealed estimate, the mean conservative bound of some rows, moved to all of them."""
    if not hasattr(model.body, "conservative") or found.sort == "exact":
        return {}
    batch = Batch(torch.from_numpy(np.asarray(data.test[:RAISED])).long())
    return {"log_z_error": float(model.body.log_z[1]), "raise": found.mean + float((model.body.conservative(batch, ilk.Rng(seed)) - found.nats[:RAISED]).mean())}
