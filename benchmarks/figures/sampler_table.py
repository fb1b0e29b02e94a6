"""Samplers side by side on one fit of digits: Frechet distance by the number of network calls, and the orderings that are published."""
from __future__ import annotations

import time
from typing import Any

import ilk
from benchmarks.figures import _pictures as pictures
from ilk.distribution import How
from ilk.verbs.read import read

N, FIT, GUIDANCE, DRAWS = 1000, 300, 1.2, 2
WAYS: dict[str, How] = {
    **{f"ddpm_large_{k}": ilk.DDPM(steps=k, variance="large", guidance=GUIDANCE) for k in (10, 20, 50, 100)},
    **{f"ddpm_small_{k}": ilk.DDPM(steps=k, variance="small", guidance=GUIDANCE) for k in (10, 20, 50, 100)},
    **{f"ddim_{k}": ilk.DDIM(steps=k, guidance=GUIDANCE) for k in (10, 20, 50, 100)},
    **{f"ddim_half_{k}": ilk.DDIM(steps=k, eta=0.5, guidance=GUIDANCE) for k in (10, 50)},
    **{f"heun_{k}": ilk.Heun(steps=k, guidance=GUIDANCE) for k in (5, 10, 18)},
    **{f"dpm_solver_{k}": ilk.DPMSolver(steps=k, guidance=GUIDANCE) for k in (5, 10, 20)}}


def calls(name: str) -> int:
    """Network calls of a way: two a step of Heun's but the last."""
    steps = int(name.rsplit("_", 1)[1])
    return 2 * steps - 1 if name.startswith("heun") else steps


def ordering(ratio: dict[str, float]) -> dict[str, bool]:
    """What holds on other pictures, by one network (Ho et al. 2020; Song et al. 2021; Karras et al. 2022): few steps of much noise are worst."""
    small, large, ddim = ([ratio[f"{kind}_{k}"] for k in (10, 20, 50, 100)] for kind in ("ddpm_small", "ddpm_large", "ddim"))
    return {"large_is_worst_at_10_to_50": all(a > b for a, b in zip(large[:3], small[:3], strict=True)), "large_falls_with_steps": large == sorted(large, reverse=True),
            "ddim_is_below_ddpm_at_10_and_20": all(a < b for a, b in zip(ddim[:2], small[:2], strict=True)),
            "second_order_is_best_at_10_calls": ratio["dpm_solver_10"] <= min(ddim[0], small[0], large[0])}


def figure(seed: int) -> dict[str, Any]:
    """One fit of at most five minutes, then sets of 1,000 by every way; the value is the ratio of the default way."""
    data = pictures.divided(read("mnist"), N, seed)
    start = time.monotonic()
    model = ilk.fit(data, ilk.Diffusion(), seed=seed, budget=ilk.Seconds(FIT))
    fit, least = time.monotonic() - start, pictures.floor(data, N)
    rows = {}
    for name, how in WAYS.items():
        start, found = time.monotonic(), []
        for i in range(DRAWS if calls(name) <= 20 else 1):
            items, asked = pictures.made(model, data, N, how, 10 + i)
            found.append(pictures.judged(data, items, asked, ("frechet",))["frechet"])
        rows[name] = {"calls": calls(name), "ratio": sum(found) / len(found) / least, "sets": len(found), "seconds": time.monotonic() - start}
    ratio = {name: row["ratio"] for name, row in rows.items()}
    return {"value": ratio["dpm_solver_10"], "unit": "Frechet distance over that of unseen real pictures", "floor": least, "ceiling": 1.0, "rows": rows, **ordering(ratio),
            "guidance": GUIDANCE, "fit_seconds": fit, "n": N,
            "published": {"CIFAR-10, FID of 50,000, one network": {"steps": [1000, 100, 50, 20, 10], "ddpm_large": [3.05, 46.5, 85.2, 183.3, 266.8], "ddpm_small": [5.37, 11.2, 15.0, 24.5, 41.0],
                                                                   "ddim": [4.19, 6.05, 7.70, 11.65, 18.96]}, "source": "xyfJASON/Diffusion-Models-Implementations"},
            "protocol": "catalogue mnist, 9,000/1,000, divided by the seed; one default Diffusion fitted for 300 s; 1,000 pictures a set, labels as in the data, guidance 1.2; features of a CNN "
                        "trained on 5,000 of the 9,000; floor: four draws of 1,000 of the other 4,000; ways of at most 20 calls: the mean of two sets"}
