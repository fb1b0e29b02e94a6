"""Augmenting a rare class: one in a hundred of its items left in MNIST and in adult; and adult with classes that nothing tells, where it can't help."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

import ilk
from benchmarks.figures import _pictures as pictures
from ilk.dataset import Dataset
from ilk.metrics._picture_net import Trained
from ilk.verbs.augment import Augmented, Gain, augment
from ilk.verbs.read import read

RARE, LEFT, TEST, REPEATS, PICTURES, CLASS = 8, 0.01, 1000, 3, ilk.VAE(codes=16), "income"
ROWS, JUDGED, RARE_ROWS, TABLES = 6000, 4000, 60, ilk.Circuit(hidden=16)


def figure(seed: int) -> dict[str, Any]:
    """The value is the gain in recall of the rare digit; the ceiling its recall if none were taken away, less that of the judge without made items."""
    digits = augment_digits(seed)
    table = augment(rows(seed, noise=False), CLASS, TABLES, repeats=REPEATS, seed=seed)
    noise = augment(rows(seed, noise=True), CLASS, TABLES, repeats=REPEATS, seed=seed)
    one, two = (found.recalls[found.rare] for found in (digits, table))
    whole, copies = _without_gap(seed)
    return {"value": one.value, "unit": "gain in recall of the rare digit", "floor": 0.0, "ceiling": whole - one.real, "n": TEST,
            "gain_mnist": one.value, "gain_table": two.value, "mnist": _said(digits), "table": _said(table), "refused": not noise.helps and not bool(noise.synthetic.any()), "noise": _said(noise),
            "recall_by_copies_of_real": copies, "repeats": REPEATS,
            "protocol": f"mnist of the catalogue, 9,000/1,000, {LEFT:.0%} of the training {RARE}s left; adult, {ROWS} training rows of which {RARE_ROWS} earn much, {JUDGED} test rows; noise: the "
                        f"same rows, classes shuffled; {REPEATS} divisions into training and validation items; 95 % intervals by bootstrap over these and test items; copies: real "
                        f"{RARE}s repeated to as many as of the others, one judge"}


def augment_digits(seed: int) -> Augmented:
    """MNIST with few of one digit."""
    data, _ = _few_digits(seed)
    return augment(data, "label", PICTURES, repeats=REPEATS, seed=seed)


def _few_digits(seed: int) -> tuple[Dataset[Any], Tensor]:
    """The data with most of a digit's training items gone, and those that are left of it."""
    data = pictures.divided(read("mnist"), TEST, seed)
    assert data.labels is not None
    train = data.index("train")
    own = train[data.labels.codes[train] == RARE]
    left = own[ilk.Rng(seed).child("left").shuffle(len(own))[: round(LEFT * len(own))]]
    kept = torch.cat([train[data.labels.codes[train] != RARE], left]).sort().values
    return replace(data, splits={"train": kept, "test": data.index("test")}), left


def rows(seed: int, noise: bool) -> Dataset[Any]:
    """Adult with few rows that earn much to learn from, or with classes dealt out anew."""
    data = ilk.read("adult")
    rng, much = ilk.Rng(seed).child("rows"), torch.from_numpy((data.items[CLASS] == ">50K").fill_null(False).to_numpy().copy())
    train, test = data.index("train"), data.index("test")
    rich, poor = train[much[train]], train[~much[train]]
    learn = torch.cat([rich[rng.child("rich").shuffle(len(rich))[:RARE_ROWS]], poor[rng.child("poor").shuffle(len(poor))[: ROWS - RARE_ROWS]]])
    judge = test[rng.child("test").shuffle(len(test))[:JUDGED]]
    frame = pl.concat([data.modality.take(data.items, learn), data.modality.take(data.items, judge)])
    if noise:
        frame = frame.with_columns(pl.concat([part.gather(rng.child("noise", i).shuffle(len(part)).numpy()) for i, part in enumerate((frame[CLASS][:ROWS], frame[CLASS][ROWS:]))]))
    return Dataset(data.modality, frame, {"train": torch.arange(ROWS), "test": torch.arange(ROWS, len(frame))})


def _without_gap(seed: int) -> tuple[float, float]:
    """Recall of the digit by a judge that learned from all there were, and by one that learned from copies of those that are left."""
    whole = pictures.divided(read("mnist"), TEST, seed)
    few, left = _few_digits(seed)
    many = len(whole.index("train")) // 10
    copies = torch.cat([few.index("train"), left.repeat(many // len(left))])
    return tuple(_recall(whole, train, seed) for train in (whole.index("train"), copies))   # type: ignore[return-value]


def _recall(data: Dataset[Any], train: Tensor, seed: int) -> float:
    assert data.labels is not None
    net = Trained(data.items[train.numpy()], data.labels.codes[train].numpy(), ilk.Rng(seed).child("judge"))
    own = data.index("test")[data.labels.codes[data.index("test")] == RARE]
    return float(np.mean(net.classes(data.items[own.numpy()]) == RARE))


def _said(found: Augmented) -> dict[str, Any]:
    return {"rare": str(found.rare), "made": sum(found.many), "helps": found.helps, "recall": _interval(found.recalls[found.rare]), "balanced": _interval(found.balanced),
            "accuracy": _interval(found.accuracy)}


def _interval(gain: Gain) -> dict[str, float]:
    return {"gain": gain.value, "low": gain.low, "high": gain.high, "real": gain.real, "both": gain.both}
