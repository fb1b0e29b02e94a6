"""Rings and grids of small Gaussians, the data of PacGAN (Lin et al. 2018): how many modes are made, how well, and whether a collapse is told."""
from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.families.gan import GAN
from ilk.rng import Rng
from ilk.run import Event, Noted, Run, Steps
from ilk.space import Reals

ITEMS, MADE, NEAR = 100_000, 2500, 3.0
STEPS = int(os.environ.get("ILK_FIGURE_STEPS", "0"))   # 0: the default
PLAIN = GAN(penalty="none", pack=1, codes=2)   # the game as it was published first


@dataclass(frozen=True)
class Modes:
    """Equal Gaussians around some points."""

    centres: Tensor
    spread: float

    def draw(self, n: int, rng: Rng) -> Tensor:
        """n points."""
        return self.centres[rng.child("mode").integers(n, len(self.centres))] + self.spread * rng.child("noise").normal(n, 2)

    def judged(self, x: Tensor) -> dict[str, float]:
        """Modes with a point within three standard deviations, the share of such points, and KL(made || real) of the nearest modes in nats."""
        far, which = torch.cdist(x, self.centres).min(1)
        good = far < NEAR * self.spread
        share = torch.bincount(which, minlength=len(self.centres)).double() / len(x)
        return {"modes": float(len(which[good].unique())), "quality": float(good.double().mean()), "kl": float((share * len(share)).clamp_min(1e-300).log() @ share)}


def ring() -> Modes:
    """Eight on a circle of radius 1."""
    angle = torch.arange(8, dtype=torch.double) * torch.pi / 4
    return Modes(torch.stack([angle.cos(), angle.sin()], 1), 0.01)


def grid() -> Modes:
    """Five by five, two apart."""
    side = torch.arange(-4, 5, 2, dtype=torch.double)
    return Modes(torch.cartesian_prod(side, side), 0.05)


def fitted(truth: Modes, recipe: GAN, seed: int, steps: int = STEPS) -> dict[str, float]:
    """What a fit makes, and whether it said that it collapsed."""
    said: list[str] = []

    def hear(event: Event) -> None:
        said.extend([event.text] if isinstance(event, Noted) else [])
    body = recipe.build(Reals((2,)), Rng(seed).child("build"))
    data = Memory(Batch(truth.draw(ITEMS, Rng(seed).child("data"))))
    body.fit(data, Run(seed=seed, budget=Steps(steps) if steps else None, listeners=(hear,)))
    found = truth.judged(body.sample(MADE, Rng(seed).child("made")).tensor)
    return {**found, "told": float(any("collapse" in text for text in said))}


def figure(seed: int) -> dict[str, Any]:
    """The default recipe and the plain game on both; the value is the larger reverse KL of the default."""
    rows = {f"{name}_{kind}": fitted(truth, recipe, seed) for name, truth in (("ring", ring()), ("grid", grid())) for kind, recipe in (("gan", ilk.GAN()), ("plain", PLAIN))}
    real = {name: truth.judged(truth.draw(MADE, Rng(seed).child("again"))) for name, truth in (("ring", ring()), ("grid", grid()))}
    flat = {f"{where}_{what}": value for where, row in rows.items() for what, value in row.items()}
    return {"value": max(flat["ring_gan_kl"], flat["grid_gan_kl"]), "unit": "nats, reverse KL over modes", **flat, "floor": max(real["ring"]["kl"], real["grid"]["kl"]),
            "ceiling": None, "quality_of_real": real["ring"]["quality"], "n": MADE,
            "published": {"GAN": {"ring": [6.3, 0.982, 0.45], "grid": [17.3, 0.948, 0.70]}, "PacGAN2": {"ring": [7.9, 0.956, 0.07], "grid": [23.8, 0.913, 0.13]},
                          "PacGAN4": {"ring": [7.8, 0.959, 0.07], "grid": [24.8, 0.936, 0.04]}, "protocol": "Lin et al. 2018, table 1: modes, quality, KL; 400 epochs, other networks"},
            "protocol": "8 Gaussians of spread .01 on a circle of radius 1, 25 of spread .05 on a grid two apart; 100,000 points, default recipe and steps; 2,500 made; a mode counts "
                        "with a point within 3 standard deviations; plain: no penalty, one item at a time, 2 codes, the same steps"}
