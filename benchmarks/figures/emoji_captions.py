"""Emoji by their Unicode names, 32 x 32: pictures made for a name are to be told from those of other names; a sheet of them goes into the docs."""
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ilk
from benchmarks.figures import _pictures as pictures
from ilk.dataset import Dataset
from ilk.metrics._caption_net import Matching, found, matching
from ilk.verbs.evaluate import prompted
from ilk.verbs.read import read

TEST, N, AMONG, ROW = 277, 256, 32, 8
FAMILY = ilk.Diffusion(guidance=3.0)
SHOWN = Path(__file__).parents[2] / "docs" / "pictures" / "emoji_captions.png"


def figure(seed: int) -> dict[str, Any]:
    """Fit on four fifths, asked for names among those and for others; the judge learns from the same real pictures."""
    data = pictures.divided(replace(read("emoji"), labels=None), TEST)
    judge = matching(data.train, texts(data, data.index("train")))
    start = time.monotonic()
    model = ilk.fit(data, FAMILY, seed=seed)
    fit = time.monotonic() - start
    known, new = (named(data, split, seed) for split in ("train", "test"))
    made = {name: prompted(model, data, index, seed) for name, index in (("known", known), ("new", new))}
    if seed == 0:
        sheet(data.items[known.numpy()], made["known"])
    share = retrieved(judge, data, made["known"], known)
    return {"value": share, "unit": "share of made emoji whose own name is found among 32", "retrieval": share, "times_chance": share * AMONG,
            "new_names": retrieved(judge, data, made["new"], new), "ceiling": retrieved(judge, data, data.items[known.numpy()], known),
            "real_of_new_names": retrieved(judge, data, data.items[new.numpy()], new), "floor": 1 / AMONG, "fit_seconds": fit, "n": len(known), "judge": judge.digest()[:8],
            "published": None,
            "protocol": f"catalogue emoji with their Unicode names, {len(data) - TEST} to learn from; {len(known)} of those names asked for once each; judge: contrastive network of "
                        f"the {len(data) - TEST} real pictures, so the ceiling is that of pictures it has learned; new_names: {len(new)} names that neither has seen"}


def texts(data: Dataset[Any], index: Tensor) -> list[str]:
    assert data.captions is not None
    return [data.captions.texts[i] for i in index.tolist()]


def named(data: Dataset[Any], split: str, seed: int) -> Tensor:
    """At most N pictures of a split that have names, at random."""
    index = torch.tensor([i for i, text in zip(data.index(split).tolist(), texts(data, data.index(split)), strict=True) if text])
    return index[ilk.Rng(seed).child("names", split).shuffle(len(index))[:N]]


def retrieved(judge: Matching, data: Dataset[Any], items: Any, index: Tensor) -> float:
    """The share whose own name is nearest of 32."""
    return float(found(judge, items, texts(data, index), sorted({t for t in texts(data, torch.arange(len(data))) if t}), ilk.Rng(0).child("judge"), AMONG).mean())


def sheet(real: Any, made: Any) -> None:
    """Rows of real pictures, below each the ones made for the same names."""
    rows = [part[i:i + ROW] for i in range(0, 4 * ROW, ROW) for part in (real, made)]
    SHOWN.parent.mkdir(parents=True, exist_ok=True)
    SHOWN.write_bytes(ilk.read(real).modality.show(np.concatenate(rows)).data)
