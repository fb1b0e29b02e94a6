"""Bits a pixel that families need for unseen digits of 256 grey levels, beside what PNG needs."""
from __future__ import annotations

import io
import time
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

import ilk
from benchmarks.figures._pictures import divided
from ilk.distribution import Family
from ilk.verbs.read import read

N = 1000
ROWS: dict[str, Family] = {
    "vae": ilk.VAE(codes=32, likelihood="logistic", variance="decoded"),
}


def row(name: str, data: Any, seed: int) -> dict[str, Any]:
    """One family: bits a pixel of the test digits, of what sort, and how long it took."""
    start = time.monotonic()
    model = ilk.fit(data, ROWS[name], seed=seed)
    fit = time.monotonic() - start
    score = model.score(data.test, seed)
    bits = 1 / (float(np.log(2)) * data.test[0].size)
    return {"bits_per_dim": -score.mean * bits, "se": score.error * bits, "sort": score.sort, "fit_seconds": round(fit, 1), "score_seconds": round(time.monotonic() - start - fit, 1),
            "parameters": sum(t.numel() for t in model.body.state().tensors.values())}


def png(pictures: Any) -> float:
    """Bits a pixel of one optimised PNG file each, headers included."""
    return sum(8 * _bytes(x) for x in pictures) / pictures.size


def sheet(pictures: Any) -> float:
    """Bits a pixel of all in one PNG file, one above the other."""
    return 8 * _bytes(pictures.reshape(-1, *pictures.shape[2:])) / pictures.size


def _bytes(x: Any) -> int:
    file = io.BytesIO()
    Image.fromarray(x[..., 0]).save(file, format="PNG", optimize=True)
    return len(file.getvalue())


def independent(train: Any, test: Any) -> float:
    """Bits a pixel of every pixel by its own frequencies of levels, smoothed."""
    a, b = train.reshape(len(train), -1), test.reshape(len(test), -1)
    counts = np.stack([np.bincount(column, minlength=256) for column in a.T]) + 1 / 256
    law = np.log2(counts / counts.sum(1, keepdims=True))
    return -float(np.take_along_axis(law.T, b.astype(np.int64), 0).mean())


def figure(seed: int) -> dict[str, Any]:
    """Every row, and the floors; the value is the best of the rows."""
    data = divided(replace(read("mnist"), labels=None), N)
    rows = {name: row(name, data, seed) for name in ROWS}
    best = min(rows.values(), key=lambda one: float(one["bits_per_dim"]))
    floors = {"png": png(data.test), "png_sheet": sheet(data.test), "independent_pixels": independent(data.train, data.test)}
    return {"value": best["bits_per_dim"], "unit": "bits a pixel of 256 levels, test", "rows": rows, "floors": floors, "floor": min(floors.values()), "ceiling": None, "n": N, "published": None,
            "protocol": "catalogue mnist, 9,000/1,000 by a fixed seed, without labels; defaults but for the options in ROWS; PNG: one optimised file a digit, "
                        "or all in one file"}
