"""Colour emoji by group, 32 x 32, by class-conditional diffusion at its defaults; a sheet of them goes into the docs."""
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ilk
from benchmarks.figures import _pictures as pictures
from ilk.verbs.read import read

N, SHEET = 277, 64
NAMES = ("frechet", "precision", "coverage", "near_train_share")
SHOWN = Path(__file__).parents[2] / "docs" / "pictures" / "emoji.png"


def figure(seed: int) -> dict[str, Any]:
    """Fit on four fifths, judge against the rest."""
    data = pictures.divided(replace(read("emoji"), captions=None), N)
    start = time.monotonic()
    model = ilk.fit(data, ilk.Diffusion(), seed=seed)
    fit = time.monotonic() - start
    how = pictures.chosen(model, data, N, [ilk.DPMSolver(steps=10, guidance=w) for w in (1.0, 1.5, 2.0, 3.0)])
    items, asked = pictures.made(model, data, N, how, seed)
    found, least = pictures.judged(data, items, asked, NAMES), pictures.floor(data, N)
    if seed == 0:
        SHOWN.parent.mkdir(parents=True, exist_ok=True)
        SHOWN.write_bytes(model.modality.show(items[:: max(1, N // SHEET)][:SHEET]).data)
    return {"value": found["frechet"] / least, "unit": "Frechet distance over that of unseen real pictures", "frechet_ratio": found["frechet"] / least, **found, "floor": least,
            "ceiling": 1.0, "guidance": how.guidance, "calls": 10, "fit_seconds": fit, "n": N, "published": None,
            "protocol": f"catalogue emoji, {len(data) - N} to learn from, {N} left out; features of a CNN trained on half of those learned from; floor: four draws of {N} of the other half"}
