"""Digits by adversarial networks: 9,000 to learn from, 1,000 made against 1,000 that are left out; sheets of mixed and truncated styles."""
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import ilk
from benchmarks.figures import _pictures as pictures
from ilk.batch import Batch
from ilk.dataset import Dataset
from ilk.distribution import Family
from ilk.families.stylegan import Stylegan
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs.read import read

N = 1000
NAMES = ("frechet", "label_accuracy", "precision", "recall", "coverage", "near_train_share")
PSI = (1.0, 0.9, 0.8, 0.7)
STEPS = int(os.environ.get("ILK_FIGURE_STEPS", "0"))   # 0: the default
SHEETS = Path(__file__).parents[1] / "results"


def row(data: Dataset[Any], recipe: Family, seed: int) -> tuple[Model, dict[str, Any]]:
    """A fit, truncated as is best for unseen training pictures, and what is made of it; the curve of truncation beside it."""
    start = time.monotonic()
    model = ilk.fit(data, recipe, seed=seed, budget=ilk.Steps(STEPS) if STEPS else None)
    fit = time.monotonic() - start
    how = pictures.chosen(model, data, N, [ilk.Truncation(psi=psi) for psi in PSI])
    items, asked = pictures.made(model, data, N, how, seed)
    least = pictures.floor(data, N)
    found = pictures.judged(data, items, asked, NAMES)
    curve = {str(psi): pictures.judged(data, pictures.made(model, data, N, ilk.Truncation(psi=psi), seed)[0], asked, ("precision", "recall")) for psi in PSI}
    return model, {"frechet_ratio": found["frechet"] / least, **found, "floor": least, "how": repr(how), "truncation": curve, "fit_seconds": fit}


def sheet(rows: list[torch.Tensor], path: Path) -> None:
    """Rows of pictures, (n, 1, height, width) in -1..1, as one picture file."""
    tiles = torch.cat([torch.cat(list(((x.clamp(-1, 1) + 1) * 127.5).byte()[:, 0]), 1) for x in rows])
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.ascontiguousarray(tiles.numpy())).save(path)


def sheets(body: Stylegan, folder: Path) -> None:
    """One row a code that gives the coarse styles, one column a code that gives the fine ones; then one row a psi."""
    labels = torch.arange(10)
    with torch.no_grad():
        about = body.context({"label": Batch(labels)})
        w = body.styles(10, Rng(1), about)
    cut = max(1, body.layers // 2)
    sheet([body.mixed(w[i: i + 1].expand(10, -1), w, cut, Rng(2)).tensor for i in range(10)], folder / "mnist_stylegan_mixing.png")
    sheet([body.truncated(10, Rng(1), {"label": Batch(labels)}, psi).tensor for psi in (0.0, 0.3, 0.5, 0.7, 1.0)], folder / "mnist_stylegan_truncation.png")


def figure(seed: int) -> dict[str, Any]:
    """The value is the larger of the two ratios."""
    data = pictures.divided(read("mnist"), N)
    _, gan = row(data, ilk.GAN(), seed)
    model, style = row(data, ilk.StyleGAN(), seed)
    assert isinstance(model.body, Stylegan)
    sheets(model.body, SHEETS)
    return {"value": max(gan["frechet_ratio"], style["frechet_ratio"]), "unit": "Frechet distance over that of unseen real pictures", "gan": gan, "stylegan": style,
            "gan_ratio": gan["frechet_ratio"], "stylegan_ratio": style["frechet_ratio"], "floor": gan["floor"], "ceiling": 1.0, "n": N, "published": None,
            "protocol": "catalogue mnist, 9,000/1,000 by a fixed seed; default recipes with labels; 100 a class about; features of a CNN trained on 5,000 of the 9,000; floor: four draws of "
                        "1,000 of the other 4,000; truncation chosen on those"}
