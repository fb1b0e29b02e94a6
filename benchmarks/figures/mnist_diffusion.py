"""Digits by class-conditional diffusion at its defaults: 9,000 to learn from, 1,000 made against 1,000 that are left out."""
from __future__ import annotations

import time
from typing import Any

import ilk
from benchmarks.figures import _pictures as pictures
from ilk.verbs.read import read

N, DRAWS = 1000, 3
NAMES = ("frechet", "label_accuracy", "precision", "recall", "density", "coverage", "near_train_share")
GUIDANCE = (1.1, 1.2, 1.3, 1.4, 1.5)


def figure(seed: int) -> dict[str, Any]:
    """Fit, choose guidance without the test pictures, judge; the same with 5 times as many network calls."""
    data = pictures.divided(read("mnist"), N, seed)
    start = time.monotonic()
    model = ilk.fit(data, ilk.Diffusion(), seed=seed)
    fit = time.monotonic() - start
    how = pictures.chosen(model, data, N, [ilk.DPMSolver(steps=10, guidance=w) for w in GUIDANCE])
    start = time.monotonic()
    items, asked = pictures.made(model, data, N, how, seed)
    rate = N / (time.monotonic() - start)
    found = pictures.judged(data, items, asked, NAMES)
    least = pictures.floor(data, N)
    fast, slow = ([pictures.judged(data, pictures.made(model, data, N, ilk.DPMSolver(steps=steps, guidance=how.guidance), 10 + i)[0], asked, ("frechet",))["frechet"]
                   for i in range(DRAWS)] for steps in (10, 50))
    return {"value": found["frechet"] / least, "unit": "Frechet distance over that of unseen real pictures", "frechet_ratio": found["frechet"] / least, **found, "floor": least,
            "ceiling": 1.0, "calls": 10, "frechet_10_calls": fast, "frechet_50_calls": slow, "few_steps_ratio": sum(fast) / sum(slow), "guidance": how.guidance, "fit_seconds": fit, "pictures_per_second": rate,
            "n": N, "published": None,
            "protocol": "catalogue mnist, 9,000/1,000, divided by the seed; 100 a class about; features of a CNN trained on 5,000 of the 9,000; floor: four draws of 1,000 of the other 4,000; "
                        "guidance chosen on those; 10 calls against 50: means of three sets of 1,000 each"}
