"""Laws that are known: mixtures in the plane, and what a fixed random flow makes of noise."""
from __future__ import annotations

from math import e, log, pi
from typing import Any

import torch
from torch import Tensor

import ilk
from ilk.families.flow import Flow

RING, GRID = "ring", "grid"
ENTROPY = {RING: log(8) + log(2 * pi * e * 0.01**2), GRID: log(25) + log(2 * pi * e * 0.05**2)}   # modes hardly overlap


def mixture(name: str, n: int, rng: ilk.Rng) -> Tensor:
    """8 modes on a circle of radius 1, spread .01; or 25 on a grid of step 2, spread .05; (n, 2)."""
    noise, which = rng.child("noise").normal(n, 2), rng.child("mode").integers(n, 8 if name == RING else 25)
    if name == RING:
        turn = which * (2 * pi / 8)
        return torch.stack([turn.cos(), turn.sin()], 1) + 0.01 * noise
    return torch.stack([2.0 * (which % 5) - 4, 2.0 * (which // 5) - 4], 1) + 0.05 * noise


def pushed(d: int = 6, by: float = 0.1) -> Any:
    """A flow with fixed random parameters, in float64: it samples, and its density is known."""
    body: Any = Flow(layers=3, width=32, bins=6, transform="spline").build(ilk.Reals((d,)), ilk.Rng(0))
    with torch.no_grad():
        for i, p in enumerate(body.map.parameters()):
            p += by * ilk.Rng(7).child(i).normal(1, *p.shape)[0]
    return body.double()
