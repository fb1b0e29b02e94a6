"""Digits edited by a diffusion model without labels: right halves made anew, by a model that was shown left halves beside its pictures and by guidance of the same
model untold; and the middle of the way between two. 9,000 to learn from, 1,000 left out."""
from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import ilk
from benchmarks.figures import _pictures as pictures
from ilk.metrics._features import space_of
from ilk.verbs.read import read

N, HALF, EDITED, DRAWS, PAIRS, NEAREST = 1000, 14, 200, 8, 100, 5
SECONDS = 280
Numbers = NDArray[Any]


def distances(some: Numbers, others: Numbers) -> Numbers:
    """Euclidean distances, (n, m)."""
    a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (some, others))
    squares: Numbers = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T
    return np.sqrt(np.maximum(squares, 0))


def near(some: Numbers, others: Numbers) -> float:
    """The mean distance to the fifth nearest."""
    return float(np.partition(distances(some, others), NEAREST - 1, axis=1)[:, NEAREST - 1].mean())


def halved(items: Numbers) -> Numbers:
    """Pictures whose right half is black: what is known of them."""
    found: Numbers = items.copy()
    found[:, :, HALF:] = 0
    return found


def completed(model: ilk.Model, items: Numbers, seed: int) -> Numbers:
    """Completions of every picture from its left half beside it, which is put back as it was; (draws, items, h, w, c)."""
    made = ilk.beside(model, {"half": halved(items)}, n=DRAWS, seed=seed, how=ilk.DPMSolver(steps=10, guidance=1.0))
    made[:, :, :HALF] = items[:, :, :HALF].repeat(DRAWS, 0)
    found: Numbers = made.reshape(len(items), DRAWS, *items.shape[1:]).swapaxes(0, 1)
    return found


def edited(model: ilk.Model, items: Numbers, seed: int) -> Numbers:
    """The same by `edit`: the model is told nothing, what is known guides it."""
    made = ilk.edit(model, items, f"box:0,{HALF},28,28", n=DRAWS, seed=seed)
    found: Numbers = made.reshape(len(items), DRAWS, *items.shape[1:]).swapaxes(0, 1)
    return found


def fills(items: Numbers, train: Numbers) -> dict[str, Numbers]:
    """Right halves by the mean training picture, and by the training picture whose left half is nearest."""
    found = {name: items.copy() for name in ("mean", "nearest")}
    found["mean"][:, :, HALF:] = np.round(train[:, :, HALF:].mean(0)).astype(np.uint8)
    found["nearest"][:, :, HALF:] = train[distances(items[:, :, :HALF], train[:, :, :HALF]).argmin(1)][:, :, HALF:]
    return found


def figure(seed: int) -> dict[str, Any]:
    """Fit without labels, complete, go half the way, judge."""
    data = pictures.divided(read("mnist"), N, seed)
    assert data.labels is not None
    start = time.monotonic()
    pairs = replace(data, labels=None, beside={"half": halved(data.items)})
    model = ilk.fit(pairs, ilk.Diffusion(), seed=seed, budget=ilk.Seconds(SECONDS))
    fit = time.monotonic() - start
    test, labels = data.test, data.labels.codes[data.index("test")]
    told = completed(model, test, seed)
    start = time.monotonic()
    real = test[:EDITED]
    guided = edited(model, real, seed)
    edit = time.monotonic() - start
    others = fills(test, data.train)

    def error(x: Numbers) -> float:
        return float(np.square((x.astype(np.float64) - test[:len(x)])[:, :, HALF:] / 255).mean())

    def accuracy(x: Numbers) -> float:
        return pictures.judged(data, x, labels[:len(x)], ("label_accuracy",))["label_accuracy"]
    errors = {"inpaint_mse": error(told.astype(np.float64).mean(0)), "one_draw_mse": error(told[0]), "guided_mse": error(guided.astype(np.float64).mean(0)),
              **{f"{name}_mse": error(x) for name, x in others.items()}}
    right = {"inpaint_accuracy": accuracy(told[0]), "guided_accuracy": accuracy(guided[0]), **{f"{name}_accuracy": accuracy(x) for name, x in others.items()},
             "real_accuracy": accuracy(test)}
    ends = data.test[: 2 * PAIRS]
    middle = np.concatenate([ilk.interpolate(model, ends[i:i + 1], ends[PAIRS + i:PAIRS + i + 1], n=3)[1:2] for i in range(PAIRS)])
    space = space_of(pictures.case_of(data))
    assert not isinstance(space, str)
    seen = space.vectors(data.train)
    return {"value": min(errors["mean_mse"], errors["nearest_mse"]) / errors["inpaint_mse"], "unit": "squared error of the better fill over that of ours", **errors, **right,
            "known_identical": bool((guided[:, :, :, :HALF] == real[None, :, :, :HALF]).all()),
            "midpoint_distance": near(space.vectors(middle), seen), "real_distance": near(space.vectors(ends), seen),
            "midpoint_pixel_distance": near(middle, data.train), "real_pixel_distance": near(ends, data.train),
            "floor": 1.0, "ceiling": None, "n": N, "guided_n": EDITED, "fit_seconds": fit, "edit_seconds": edit, "published": None,
            "protocol": f"catalogue mnist, 9,000/1,000, divided by the seed; columns {HALF} to 27 of the test pictures made anew, by the model told the left half (inpaint) and by `edit` of the "
                        f"same model untold (guided, the first {EDITED} of them); the mean of {DRAWS} completions for errors, the first of them for the classifier (a CNN trained on 5,000 of the 9,000); "
                        f"fills: the mean training picture, the one whose left half is nearest; midpoints of {PAIRS} pairs of test pictures, distance to the {NEAREST}th nearest of the 9,000 in "
                        "the classifier's features, and in pixels"}
