"""Adult with a fifth of the test cells missing completely at random: best guesses of a circuit beside mode and median and nearest neighbours.

Accuracy is the mean over the columns of categories of the share of missing cells that is guessed right; error the mean over the columns
of numbers of the mean absolute error in standard deviations of the training rows. Neighbours: 10,000 training rows; scikit-learn's
KNNImputer (means) on the standardised numbers, and votes and medians of the rows that differ least in numbers and categories
together; the better of the two errors counts.
"""
from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

import ilk
from ilk.dataset import split_dataset
from ilk.verbs.impute import imputed

SHARE, NEIGHBOURS, LEARNED = 0.2, 25, 10_000
FAMILY = ilk.Circuit()


def figure(seed: int) -> dict[str, Any]:
    """The value is the accuracy; `error` is beside it, each with those of the others."""
    data = split_dataset(ilk.read("adult"), ilk.Rng(seed).child("data"))
    model = ilk.fit(data, FAMILY, seed=seed)
    found = judged(model, data, data.test, seed)
    return {"value": found["accuracy"], "unit": "accuracy", "floor": found["accuracy_mode"], "ceiling": 1.0, "n": len(data.test), **found,
            "protocol": "train 32,561 (a tenth, at most 5,000 rows, chooses), test 16,281 with 20 % of the cells missing at random; error in standard deviations"}


def judged(model: ilk.Model, data: Any, rows: pl.DataFrame, seed: int) -> dict[str, Any]:
    """All ways on the same holes."""
    train = data.modality.join([data.train, data.valid])
    holes, mask = holed(rows, ilk.Rng(seed).child("holes"))
    start = time.monotonic()
    found = imputed(model, holes, best=True)
    seconds = time.monotonic() - start
    few = train[ilk.Rng(seed).child("few").shuffle(len(train))[:LEARNED].numpy()]
    ways = {"": found.items, "_mode": filled(holes, train), "_knn": neighbours(holes, few, train), "_knn_imputer": knn_imputer(holes, few, train)}
    scores = {name: scored(rows, made, mask, train) for name, made in ways.items()}
    out: dict[str, Any] = {f"accuracy{name}": score[0] for name, score in scores.items() if name != "_knn_imputer"}
    errors = {name: score[1] for name, score in scores.items()}
    out |= {"error": errors[""], "error_median": errors["_mode"], "error_knn": min(errors["_knn"], errors["_knn_imputer"]), "error_knn_votes": errors["_knn"],
            "error_knn_imputer": errors["_knn_imputer"], "seconds": seconds, "cells": found.cells, "met": found.met}
    return out


def holed(rows: pl.DataFrame, rng: ilk.Rng) -> tuple[pl.DataFrame, Tensor]:
    """The rows without some of their cells, and which went, (rows, columns)."""
    gone = rng.uniform(len(rows), rows.width) < SHARE
    columns = [pl.select(pl.when(pl.Series(g.numpy())).then(None).otherwise(s).alias(s.name)).to_series() for s, g in zip(rows.get_columns(), gone.T, strict=True)]
    there = torch.stack([torch.from_numpy(s.is_not_null().to_numpy().copy()) for s in rows.get_columns()], 1)
    return pl.DataFrame(columns), gone & there


def scored(rows: pl.DataFrame, made: pl.DataFrame, mask: Tensor, train: pl.DataFrame) -> tuple[float, float]:
    """Accuracy of categories and error of numbers, over the cells that went."""
    right, error = [], []
    for name, gone in zip(rows.columns, mask.T, strict=True):
        true, guess = (frame[name].filter(pl.Series(gone.numpy())) for frame in (rows, made))
        if true.dtype.is_numeric():
            error.append(float((true - guess).abs().mean()) / float(train[name].std()))  # type: ignore[arg-type]
        else:
            right.append(float((true == guess).mean()))  # type: ignore[arg-type]
    return float(np.mean(right)), float(np.mean(error))


def filled(rows: pl.DataFrame, train: pl.DataFrame) -> pl.DataFrame:
    """By the mode or the median of every column."""
    return pl.DataFrame([s.fill_null(_typical(train[s.name].drop_nulls())) for s in rows.get_columns()])


def _typical(cells: pl.Series) -> Any:
    return cells.sort()[len(cells) // 2] if cells.dtype.is_numeric() else cells.mode().sort()[0]


def neighbours(rows: pl.DataFrame, few: pl.DataFrame, train: pl.DataFrame) -> pl.DataFrame:
    """Mode or median of the nearest rows where the cell is there; a category that differs counts 1, a number the square of its difference in deviations, halved."""
    (x, here), (y, there) = (_features(frame, train) for frame in (rows, few))
    nearest = []
    for a, w in zip(x.split(500), here.split(500), strict=True):
        far = ((a.square() * w) @ there.T + w @ (y.square() * there).T - 2 * (a * w) @ (y * there).T) / (w @ there.T).clamp_min(1e-9)
        nearest.append(far.topk(4 * NEIGHBOURS, largest=False).indices)
    order = torch.cat(nearest).numpy()
    columns = []
    for series in rows.get_columns():
        gone = np.flatnonzero(series.is_null().to_numpy())
        cells = few[series.name]
        found = [_typical(cells.gather(order[i]).drop_nulls().head(NEIGHBOURS)) for i in gone]
        columns.append(series.clone().scatter(gone.tolist(), pl.Series(found, dtype=series.dtype)))
    return pl.DataFrame(columns)


def _features(frame: pl.DataFrame, train: pl.DataFrame) -> tuple[Tensor, Tensor]:
    """Coordinates and their weights (0 where missing): a number in deviations, a category as one of its values."""
    x, here = [], []
    for s in frame.get_columns():
        there = torch.from_numpy(s.is_not_null().to_numpy().copy()).float()
        if s.dtype.is_numeric():
            x.append(torch.from_numpy((s.cast(pl.Float64) / train[s.name].std()).fill_null(0.0).to_numpy().copy()).float()[:, None])
        else:
            x.append(torch.stack([torch.from_numpy((s == v).fill_null(False).to_numpy().copy()).float() for v in train[s.name].drop_nulls().unique().sort()], 1))
        here.append(there[:, None].expand_as(x[-1]) * 0.5)
    return torch.cat(x, 1), torch.cat(here, 1)


def knn_imputer(rows: pl.DataFrame, few: pl.DataFrame, train: pl.DataFrame) -> pl.DataFrame:
    """scikit-learn's, of the numbers; categories by their modes."""
    from sklearn.impute import KNNImputer

    names = [s.name for s in rows.get_columns() if s.dtype.is_numeric()]
    spread = np.array([float(train[n].std()) for n in names])  # type: ignore[arg-type]
    made = KNNImputer(n_neighbors=NEIGHBOURS).fit(few.select(names).to_numpy() / spread).transform(rows.select(names).cast(pl.Float64).fill_null(np.nan).to_numpy() / spread) * spread
    return filled(rows, train).with_columns([pl.Series(n, made[:, j]) for j, n in enumerate(names)])
