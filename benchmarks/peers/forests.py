"""Fits ForestDiffusion or arfpy on a csv and writes as many rows as they were shown.

    FORESTS_PYTHON benchmarks/peers/forests.py forest_diffusion|arf TRAIN.csv SECONDS OUT_DIR SEED

Needs the packages of forests.txt. Neither stops by the clock: each is given as many rows as it fits in about SECONDS, found by
a fit of few rows first (time grows with rows at least in proportion, which is in the peer's favour), and all else is as it ships, on all cores.
"""
from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FEW = 600


def forest_diffusion(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Diffusion by gradient-boosted trees (Jolicoeur-Martineau et al. 2024)."""
    from ForestDiffusion import ForestDiffusionModel

    named = [c for c in train if not pd.api.types.is_numeric_dtype(train[c])]
    codes = {c: train[c].astype("category").cat for c in named}
    numbers = train.assign(**{c: codes[c].codes for c in named}).to_numpy(dtype=float)
    places = [train.columns.get_loc(c) for c in named]
    whole = [i for i, c in enumerate(train) if c not in named and pd.api.types.is_integer_dtype(train[c])]
    model = ForestDiffusionModel(numbers, n_t=50, duplicate_K=20, cat_indexes=places, int_indexes=whole, n_jobs=-1, seed=seed)
    made = pd.DataFrame(model.generate(batch_size=n), columns=train.columns)
    for c in named:
        made[c] = np.asarray(codes[c].categories)[made[c].round().clip(0, len(codes[c].categories) - 1).astype(int)]
    return made


def arf(train: pd.DataFrame, n: int, seed: int) -> pd.DataFrame:
    """Adversarial random forests (Watson et al. 2023)."""
    from arfpy import arf as module

    model = module.arf(x=train.astype({c: "category" for c in train if not pd.api.types.is_numeric_dtype(train[c])}), random_state=seed, verbose=False)
    model.forde()
    return model.forge(n=n)


def main(arguments: list[str]) -> None:
    """One peer."""
    name, path, seconds, out, seed = arguments
    print(json.dumps(raced(name, {"forest_diffusion": forest_diffusion, "arf": arf}[name], pd.read_csv(path), float(seconds), Path(out), int(seed))), flush=True)


def raced(name: str, peer: Any, train: pd.DataFrame, seconds: float, out: Path, seed: int) -> dict[str, Any]:
    """One peer on as many rows as the time allows; what it took, or why it failed."""
    np.random.seed(seed)
    few = train.sample(min(FEW, len(train)), random_state=seed)
    start = time.monotonic()
    try:
        peer(few, 100, seed)
        rows = int(min(len(train), max(len(few), len(few) * seconds / (time.monotonic() - start))))
        start = time.monotonic()
        made = peer(train.sample(rows, random_state=seed), len(train), seed)
    except Exception as why:  # told, not hidden: a peer that does not run on these versions
        return {"peer": name, "failed": f"{type(why).__name__}: {why}"[:300]}
    made.to_csv(out / f"{name}.csv", index=False)
    return {"peer": name, "asked_seconds": seconds, "seconds": round(time.monotonic() - start, 2), "fitted_rows": rows, "rows": len(made), "seed": seed}


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit("usage: forests.py PEER TRAIN.csv SECONDS OUT_DIR SEED")
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
