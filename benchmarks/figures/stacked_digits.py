"""Stacked digits: three digits of 8 x 8 as the channels of one picture make 1,000 modes; how many a GAN makes, and how evenly."""
from __future__ import annotations

import os
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.svm import SVC
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Reals

ITEMS, MADE = 50_000, 26_000
STEPS = int(os.environ.get("ILK_FIGURE_STEPS", "2000"))   # the default is 6,000
RECIPE = ilk.GAN(codes=64)


def stacked(x: Tensor, n: int, rng: Rng) -> Tensor:
    """n pictures of three digits each, (n, 3, 8, 8)."""
    return x[torch.stack([rng.child(c).integers(n, len(x)) for c in range(3)], 1)]


def judged(x: Tensor, judge: SVC) -> tuple[int, float]:
    """How many of the 1,000 modes there are, and KL(made || even) in nats."""
    digits = torch.from_numpy(judge.predict(x.reshape(-1, 64).numpy())).reshape(-1, 3)
    count = torch.bincount(digits @ torch.tensor([100, 10, 1]), minlength=1000).double()
    share = count / count.sum()
    return int((count > 0).sum()), float((share * (share * 1000).clamp_min(1e-300).log()).sum())


def figure(seed: int) -> dict[str, Any]:
    """The value is the number of modes; beside it the divergence, and both of real pictures that were left out."""
    pixels, classes = load_digits(return_X_y=True)
    order = Rng(0).child("division").shuffle(len(pixels))
    x, y = torch.from_numpy(pixels)[order].reshape(-1, 8, 8) / 8 - 1, torch.from_numpy(classes)[order]
    train, rest = x[:1200], x[1200:]
    judge = SVC(gamma=0.05).fit(train.reshape(-1, 64).numpy(), y[:1200].numpy())
    body = RECIPE.build(Reals((3, 8, 8)), Rng(seed).child("build"))
    data = stacked(train, ITEMS, Rng(seed).child("data")) + (Rng(seed).child("fill").uniform(ITEMS, 3, 8, 8) - 0.5) / 8
    body.fit(Memory(Batch(data)), Run(seed=seed, budget=Steps(STEPS)))
    modes, kl = judged(body.sample(MADE, Rng(seed).child("made")).tensor, judge)
    real_modes, real_kl = judged(stacked(rest, MADE, Rng(seed).child("real")), judge)
    accuracy = float((judge.predict(rest.reshape(-1, 64).numpy()) == y[1200:].numpy()).mean())
    return {"value": float(modes), "unit": "modes of 1,000", "modes": modes, "kl": kl, "real_modes": real_modes, "real_kl": real_kl, "floor_kl": 999 / (2 * MADE), "classifier_on_real": accuracy,
            "floor": 1.0, "ceiling": 1000.0, "n": MADE, "steps": STEPS, "published": {"DCGAN": [99.0, 3.40], "PacDCGAN2": [1000, 0.06], "protocol": "stacked MNIST of 28 x 28, Lin et al. 2018, table 2"},
            "protocol": "scikit-learn's digits, 1,200 to stack and to learn the classifier from, levels filled by noise; default recipe with 64 codes, packs of two, R1 .1; 26,000 made"}
