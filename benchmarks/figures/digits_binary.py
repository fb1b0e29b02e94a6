"""Binarised digits of 8 x 8 pixels: test nats of several families beside independent bits and mixtures of Bernoullis on the same split."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

import ilk
from ilk.dataset import Dataset
from ilk.run import Steps

Bits = NDArray[np.float64]
ENDS, DRAWS, ROUNDS = (1197, 1497), 1000, 300
MIXTURES = (10, 30, 60, 100)
FAMILIES: dict[str, tuple[Any, Steps | None]] = {
    "made": (ilk.MADE(width=256, depth=1, dropout=0.3, epochs=40), None),
    "made_orders": (ilk.MADE(width=256, depth=1, dropout=0.3, orders=8, epochs=40), None),
    "vae": (ilk.VAE(codes=16, draws=DRAWS, net=ilk.MLP(width=200, depth=1, dropout=0.2)), Steps(4000)),
    "hierarchical_vae": (ilk.HierarchicalVAE(levels=3, codes=4, width=32, dropout=0.2, draws=DRAWS), Steps(3000)),
}


def data() -> Dataset[Any]:
    """8 or more of 16 levels is white; 1197 items to learn from, 300 that choose, 300 that judge, in the order of RandomState(0)."""
    pictures = np.where(load_digits().images >= 8, 255, 0).astype(np.uint8)
    order = torch.from_numpy(check_random_state(0).permutation(len(pictures)))
    parts = dict(zip(("train", "valid", "test"), np.split(np.arange(len(order)), ENDS), strict=True))
    return replace(ilk.read(pictures), splits={name: order[torch.from_numpy(part)] for name, part in parts.items()})


def independent(train: Bits, test: Bits) -> float:
    """Mean nats of bits that know nothing of each other."""
    p = (train.sum(0) + 0.5) / (len(train) + 1)
    return float((test * np.log(p) + (1 - test) * np.log(1 - p)).sum(1).mean())


def mixture(k: int, parts: tuple[Bits, Bits, Bits], seed: int) -> tuple[float, float]:
    """Mean nats of valid and of test items by the best round of EM for k products of Bernoullis, as the valid ones choose it."""
    train, valid, test = parts
    p = 0.25 + 0.5 * ilk.Rng(seed).child("mixture", k).uniform(k, train.shape[1]).numpy()
    weight, best = np.full(k, 1 / k), (-np.inf, -np.inf)
    for _ in range(ROUNDS):
        joint = _joint(train, weight, p)
        share = np.exp(joint - np.logaddexp.reduce(joint, 1)[:, None])
        weight = (share.sum(0) + 0.1) / (len(train) + 0.1 * k)
        p = (share.T @ train + 0.5) / (share.sum(0)[:, None] + 1)
        best = max(best, tuple(float(np.logaddexp.reduce(_joint(x, weight, p), 1).mean()) for x in (valid, test)))  # type: ignore[assignment]
    return best


def _joint(x: Bits, weight: Bits, p: Bits) -> Bits:
    nats: Bits = np.log(weight) + x @ np.log(p).T + (1 - x) @ np.log(1 - p).T
    return nats


def figure(seed: int) -> dict[str, Any]:
    """Nats a picture, lower is better: exact for MADE, an upper bound (1,000 importance samples) for autoencoders."""
    pictures = data()
    parts = tuple((p.reshape(len(p), -1) > 0).astype(np.float64) for p in (pictures.train, pictures.valid, pictures.test))
    found, valid = {}, {}
    for name, (family, budget) in FAMILIES.items():
        model = ilk.fit(pictures, family, seed=seed, budget=budget)
        found[name], valid[name] = (-model.score(items, seed=seed).mean for items in (pictures.test, pictures.valid))
    mixtures = {f"mixture_{k}": -mixture(k, parts, seed)[1] for k in MIXTURES}  # type: ignore[arg-type]
    best = min(valid, key=lambda name: valid[name])
    return {"value": found[best], "unit": "nats a picture, lower is better", "best": best, **found, "floor": -independent(parts[0], parts[2]), "ceiling": None, **mixtures,
            "n": len(parts[2]), "protocol": "scikit-learn's digits, 8 or more of 16 is white; RandomState(0): 1197 train, 300 valid (chooses rounds and the family), 300 test; "
            f"MADE exact, autoencoders bounded with {DRAWS} importance samples"}
