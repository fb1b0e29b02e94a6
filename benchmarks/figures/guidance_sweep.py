"""Guidance: what is asked for is met more often the stronger it is, and pictures of one caption become alike; plotted for the docs."""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ilk
from benchmarks.figures import _shapes as shapes
from ilk.dataset import Dataset
from ilk.metrics._caption_net import Matching, found, matching
from ilk.verbs.evaluate import prompted
from ilk.verbs.read import read

WEIGHTS, EACH = (0.0, 1.0, 1.5, 2.0, 4.0, 8.0), 12
FAMILY = ilk.Diffusion(reads=1)
SHOWN = Path(__file__).parents[2] / "docs" / "pictures" / "guidance_sweep.png"


def figure(seed: int) -> dict[str, Any]:
    """One fit, drawn from at every weight with the same noise."""
    data = read("shapes")
    data = replace(ilk.read(shapes.cut(data.items, ilk.Rng(0).child("cut"))), splits=data.splits, captions=data.captions)
    judge = matching(data.train, shapes.texts_of(data, "train"))
    start = time.monotonic()
    model = ilk.fit(data, FAMILY, seed=seed)
    fit = time.monotonic() - start
    index, real = some(data), some(data, "test")
    made = [prompted(model, data, index, seed, ilk.DPMSolver(steps=10, guidance=w)) for w in WEIGHTS]
    met, apart = [adherence(judge, data, items, index) for items in made], [diversity(items) / diversity(data.items[real.numpy()]) for items in made]
    if seed == 0:
        plot(met, apart)
    strongest = WEIGHTS.index(4.0)
    return {"value": met[strongest] - met[1], "unit": "gain of caption retrieval from guidance 1 to 4", **{f"retrieval_{w:g}": v for w, v in zip(WEIGHTS, met, strict=True)},
            **{f"diversity_{w:g}": v for w, v in zip(WEIGHTS, apart, strict=True)}, "ceiling": adherence(judge, data, data.items[real.numpy()], real), "floor": 1 / 24,
            "fit_seconds": fit, "n": len(index), "judge": judge.digest()[:8], "published": None,
            "protocol": f"catalogue shapes, cut out and shrunk to 16 x 16, its 24 captions {EACH} times each at every weight; retrieval: own caption nearest of 24 by a contrastive network of the training "
                        "pictures (floor and ceiling are its); diversity: mean distance of pixels within a caption over that of real test pictures"}


def some(data: Dataset[Any], split: str = "train") -> torch.Tensor:
    """The first pictures of every caption."""
    assert data.captions is not None
    found: dict[str, list[int]] = {}
    for i in data.index(split).tolist():
        found.setdefault(data.captions.texts[i], []).append(i)
    return torch.tensor([i for name in sorted(found) for i in found[name][:EACH]])


def adherence(judge: Matching, data: Dataset[Any], items: Any, index: torch.Tensor) -> float:
    """The share whose own caption is nearest of all."""
    assert data.captions is not None
    every = sorted(set(data.captions.texts))
    return float(found(judge, items, [data.captions.texts[i] for i in index.tolist()], every, ilk.Rng(0), len(every)).mean())


def diversity(items: Any) -> float:
    """The mean distance of two pictures of one caption, pixels in [0, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(items)).reshape(-1, EACH, items[0].size).float() / 255
    return float(torch.cdist(x, x).sum() / (len(x) * EACH * (EACH - 1)))


def plot(met: Sequence[float], apart: Sequence[float]) -> None:
    """Both against the weight."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    page = Figure(figsize=(5, 3.2), dpi=120, layout="constrained")
    FigureCanvasAgg(page)
    axes = page.subplots()
    axes.plot(WEIGHTS, met, "o-", label="own caption found among 24")
    axes.plot(WEIGHTS, apart, "s--", label="diversity within a caption, real = 1")
    axes.set(xlabel="guidance", ylim=(0, None))
    axes.legend(frameon=False)
    SHOWN.parent.mkdir(parents=True, exist_ok=True)
    page.savefig(SHOWN)
