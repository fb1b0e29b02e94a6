"""NLTCS, plants, DNA, mushrooms by mixtures: of independent bits (Bernoulli), and of Chow-Liu trees."""
from __future__ import annotations

import time
from typing import Any

import ilk
from benchmarks.figures._binary import row

PUBLISHED = {"nltcs": {"Chow-Liu": -6.759, "LearnSPN": -6.11}, "plants": {"Chow-Liu": -16.524, "LearnSPN": -12.98},
             "dna": {"Chow-Liu": -87.669, "LearnSPN": -82.52}, "mushrooms": {"Chow-Liu": -20.960}}
FAMILIES = {"Bernoulli": [ilk.GMM(components=k) for k in (8, 32, 100)],
            "trees": [ilk.Mixture(components=k, each=ilk.ChowLiu(smoothing=s)) for k, s in ((4, 1.0), (8, 0.1), (20, 0.1))]}


def figure(seed: int) -> dict[str, Any]:
    """The best by the validation rows of three sizes each; the value is the mean of the trees over the sets."""
    rows = {name: {kind: _best(ilk.read(name), tried, seed) for kind, tried in FAMILIES.items()} for name in PUBLISHED}
    mean = {key: sum(r["trees"][key] for r in rows.values()) / len(rows) for key in ("value", "floor")}
    return {**mean, "unit": "nats per row, mean of four sets", "sort": "exact", "ceiling": None, "published": PUBLISHED, "n": sum(r["trees"]["n"] for r in rows.values()),
            "sets": rows, "protocol": "train/valid/test of the literature; valid chooses the number of components; floor: independent columns"}


def _best(data: Any, tried: Any, seed: int) -> dict[str, Any]:
    start = time.monotonic()
    models = [ilk.fit(data, family, seed=seed) for family in tried]
    best = max(models, key=lambda m: float(m.score(data.valid).mean))
    return {**row(data, best), "components": best.body.family.components, "seconds": round(time.monotonic() - start, 1)}
