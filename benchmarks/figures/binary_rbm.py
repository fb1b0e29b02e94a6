"""Boltzmann machines on binary sets: nats per row, exact on NLTCS and small digits, else by annealed importance sampling beside the conservative bound."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.utils import shuffle

import ilk
from ilk.batch import Batch
from ilk.dataset import Dataset

RAISED = 200   # test rows whose conservative bound is worked out
SETS: dict[str, ilk.RBM] = {
    "nltcs": ilk.RBM(hidden=50, epochs=60), "plants": ilk.RBM(hidden=100, epochs=60, rungs=4000), "dna": ilk.RBM(hidden=50, epochs=200, rungs=4000),
    "mushrooms": ilk.RBM(hidden=100, epochs=200, rungs=4000), "digits": ilk.RBM(hidden=16, epochs=150), "digits_wide": ilk.RBM(hidden=64, epochs=150, rungs=4000)}
PUBLISHED = {"nltcs": {"Chow-Liu": -6.759, "LearnSPN": -6.11}, "plants": {"Chow-Liu": -16.524, "LearnSPN": -12.98}, "dna": {"Chow-Liu": -87.669, "LearnSPN": -82.52},
             "mushrooms": {"Chow-Liu": -20.960}}


def data_of(name: str) -> Dataset[Any]:
    """A set of the literature on its own split, or 8 x 8 digits, black where 8 of 16 greys or more: 1,197, 300 and 300 of them."""
    if not name.startswith("digits"):
        return ilk.read(name)
    items = (ilk.read("digits").items >= 8).astype(np.uint8).reshape(-1, 64)
    order = torch.from_numpy(shuffle(np.arange(len(items)), random_state=0))
    return replace(ilk.read(items), splits={"train": order[:1197].sort().values, "valid": order[1197:1497].sort().values, "test": order[1497:].sort().values})


def measured(name: str, seed: int) -> dict[str, float]:
    """Mean test nats, the error of the mean, that of log Z, the conservative bound of some rows less the estimate of the same, and independent columns."""
    data = data_of(name)
    model = ilk.fit(data, SETS[name], seed=seed)
    found, error = model.score(data), float(model.body.log_z[1])
    p = (data.train.astype(np.float64).sum(0) + 0.5) / (len(data.train) + 1)
    floor = float((data.test * np.log(p) + (1 - data.test) * np.log(1 - p)).sum(1).mean())
    some = {}
    if error:
        batch = Batch(torch.from_numpy(np.asarray(data.test[:RAISED])).long())
        some = {"raise": found.mean + float((model.body.conservative(batch, ilk.Rng(seed)) - found.nats[:RAISED]).mean())}
    return {"value": found.mean, "se": found.error, "log_z_error": error, "floor": floor, "n": float(len(found.nats)), **some}


def figure(seed: int) -> dict[str, Any]:
    """NLTCS is the value; the others stand beside it under their names."""
    rows = {name: measured(name, seed) for name in SETS}
    beside = {f"{name}_{key}".removesuffix("_value"): value for name, row in rows.items() if name != "nltcs" for key, value in row.items()}
    return {**rows["nltcs"], "unit": "nats per row", "sort": "exact", "ceiling": None, "published": PUBLISHED, **beside,
            "protocol": "train/valid/test of the literature; valid chooses; digits: 64 pixels, 1197/300/300; log Z exact for nltcs and digits, else annealed over 4,000 temperatures; "
                        "raise: mean conservative bound of 200 test rows, moved to all of them"}
