"""Adult (UCI census income) by every family that takes its rows: exact ones, floors, and networks with two minutes each."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._adult import judged

SECONDS = 120.0
QUICK = {"gmm": ilk.GMM(components=24), "copula": ilk.Copula(), "chow_liu": ilk.ChowLiu(), "mixture of trees": ilk.Mixture(components=12, each=ilk.ChowLiu(backoff=10)),
         "circuit": ilk.Circuit()}
NETWORKS = {"made": ilk.MADE(), "vae": ilk.VAE(variance="decoded"), "flow": ilk.Flow(), "diffusion": ilk.Diffusion(net=ilk.MLP(width=512)), "gan": ilk.GAN(net=ilk.MLP(width=256))}


def figure(seed: int) -> dict[str, Any]:
    """Each family judged as `adult_made` is; the value is the best pair trends among them, the floor the worst."""
    rows = {name: judged(family, seed) for name, family in QUICK.items()} | {name: judged(family, seed, SECONDS) for name, family in NETWORKS.items()}
    first, trends = next(iter(rows.values())), [row["pair_trends"] for row in rows.values()]
    return {"value": max(trends), "unit": "pair trends, the best of all", "floor": min(trends), "ceiling": first["pair_trends_ceiling"], "n": first["n"],
            "families": {name: {k: v for k, v in row.items() if isinstance(v, int | float) and k != "value"} | {"sort": row["sort"]} for name, row in rows.items()},
            "protocol": first["protocol"] + f"; networks: {SECONDS:.0f} s each"}
