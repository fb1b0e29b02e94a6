"""Binary density sets by circuits: exact nats per row on the literature's splits, beside Chow-Liu trees of the same rows."""
from __future__ import annotations

import time
from typing import Any

import ilk
from benchmarks.figures._binary import floor_of

RECIPES = {"nltcs": ilk.Circuit(), "plants": ilk.Circuit(), "dna": ilk.Circuit(), "mushrooms": ilk.Circuit(hidden=128, smoothing=0.003)}
PUBLISHED = {"nltcs": {"Chow-Liu": -6.759, "LearnSPN": -6.11}, "plants": {"Chow-Liu": -16.524, "LearnSPN": -12.98}, "dna": {"Chow-Liu": -87.669, "LearnSPN": -82.52},
             "mushrooms": {"Chow-Liu": -20.960}}


def figure(seed: int) -> dict[str, Any]:
    """All four sets; the value is that of nltcs."""
    sets = {name: _density(name, family, seed) for name, family in RECIPES.items()}
    first = sets["nltcs"]
    return {"value": first["value"], "unit": "nats per row of nltcs", "se": first["se"], "sort": first["sort"], "floor": first["floor"], "ceiling": None, "n": first["n"],
            "published": PUBLISHED, "sets": sets, "protocol": "train/valid/test of the literature; valid chooses the round; one circuit each"}


def _density(name: str, family: ilk.Circuit, seed: int) -> dict[str, Any]:
    data = ilk.read(name)
    start = time.monotonic()
    model = ilk.fit(data, family, seed=seed)
    seconds = time.monotonic() - start
    found = model.score(data)
    return {"value": found.mean, "se": found.error, "sort": found.sort, "floor": floor_of(data), "n": len(found.nats), "hidden": model.body.move.shape[-1], "seconds": seconds,
            "chow_liu": ilk.fit(data, ilk.ChowLiu(), seed=seed).score(data).mean}
