"""Spoken digits at 8 kHz in 256 mu-law levels by a WaveNet: bits a sample on the official test recordings, beside counts and linear prediction."""
from __future__ import annotations

import time
from math import log
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

import ilk
from ilk.batch import Batch, Memory
from ilk.catalogue.load import sounds
from ilk.run import Run, Seconds

SECONDS, LEVELS, ORDER = 900, 256, 16  # of training; of mu-law; samples that linear prediction looks at
Reals = NDArray[np.float64]


def levels(wave: NDArray[np.int16]) -> NDArray[np.int64]:
    """Mu-law (ITU-T G.711's curve) to 256 levels, 0 to 255."""
    x = wave / 32768
    return np.asarray(np.floor((np.sign(x) * np.log1p(255 * np.abs(x)) / log(256) + 1) / 2 * 255 + 0.5), dtype=np.int64)


def heights(level: Any) -> Reals:
    """Back to waves in [-1, 1]; a half level is the border of two cells."""
    y = np.asarray(level, dtype=np.float64) / 255 * 2 - 1
    return np.asarray(np.sign(y) * (256 ** np.abs(y) - 1) / 255)


def batch_of(codes: list[NDArray[np.int64]]) -> Batch:
    """Recordings as items."""
    return Batch(Batch(torch.from_numpy(np.concatenate(codes))), length=torch.tensor([len(c) for c in codes]))


def bits(body: Any, batch: Batch) -> float:
    """A sample of a model's, the ends of recordings not counted."""
    return -float(body.log_prob_from(batch, 0, end=False).sum()) / (int(batch.lengths.sum()) * log(2))


class Predictor:
    """Linear prediction with Laplace residuals, whose scale follows the last ones: scale = most * (least + decayed mean of |residual|)."""

    def __init__(self, codes: list[NDArray[np.int64]]) -> None:
        square, cross = np.eye(ORDER) * 1e-9, np.zeros(ORDER)
        for code in codes:
            before, wave = _before(heights(code)), heights(code)
            square, cross = square + before.T @ before, cross + before.T @ wave
        self.weights = np.linalg.solve(square, cross)
        some = codes[::30]
        grid = [(most, least, decay) for most in (0.7, 1.0, 1.4) for least in (2e-5, 5e-5, 1e-4, 5e-4) for decay in (0.7, 0.8, 0.9)]
        self.scale = min(grid, key=lambda asked: sum(self.nats(c, asked).sum() for c in some))

    def nats(self, code: NDArray[np.int64], scale: tuple[float, float, float] | None = None) -> Reals:
        """-log of the mass that each sample's cell has."""
        most, least, decay = scale or self.scale
        wave = heights(code)
        mean = _before(wave) @ self.weights
        away = np.abs(wave - mean)
        wide = most * (least + np.concatenate([[0.0], lfilter([1 - decay], [1, -decay], away)[:-1]]))
        low, high = (np.where(edge, np.inf * sign, (heights(code + half) - mean) / wide)
                     for edge, sign, half in ((code == 0, -1, -0.5), (code == LEVELS - 1, 1, 0.5)))
        mass = np.where(low > 0, (np.exp(-np.abs(low)) - np.exp(-np.abs(high))) / 2,
                        np.where(high < 0, (np.exp(-np.abs(high)) - np.exp(-np.abs(low))) / 2, 1 - (np.exp(-np.abs(low)) + np.exp(-np.abs(high))) / 2))
        return np.asarray(-np.log((1 - 1e-4) * mass + 1e-4 / LEVELS))


def _before(wave: Reals) -> Reals:
    """The samples before each, (T, ORDER)."""
    return np.lib.stride_tricks.sliding_window_view(np.concatenate([np.zeros(ORDER), wave]), ORDER)[:-1]


def baselines(train: list[NDArray[np.int64]], test: list[NDArray[np.int64]], space: ilk.Many) -> dict[str, float]:
    """What is to be beaten, in bits a sample."""
    counts = np.bincount(np.concatenate(train), minlength=LEVELS) + 0.5
    found = {"uniform": log(LEVELS) / log(2), "levels_alone": float(-np.log2(counts / counts.sum())[np.concatenate(test)].mean())}
    for order in (2, 3):
        body = ilk.NGram(order=order).build(space, ilk.Rng(0))
        body.fit(Memory(batch_of(train)), Run())
        found[f"kneser_ney_{order - 1}_before"] = bits(body, batch_of(test))
    predictor = Predictor(train)
    return {**found, "linear_prediction": float(np.concatenate([predictor.nats(c) for c in test]).mean() / log(2))}


def figure(seed: int) -> dict[str, Any]:
    """The value is the WaveNet's."""
    train, test = ([levels(w) for w in sounds("spoken_digits")[split].waves] for split in ("train", "test"))
    space = ilk.Many(ilk.Discrete(LEVELS), 2 * max(map(len, train + test)))
    body = RECIPE.build(space, ilk.Rng(seed))
    start = time.monotonic()
    body.fit(Memory(batch_of(train)), Run(seed=seed, budget=Seconds(SECONDS)))
    fit = time.monotonic() - start
    start = time.monotonic()
    made = body.sample(16, ilk.Rng(seed), ilk.Ancestral(most=500))
    rate = int(made.lengths.sum()) / (time.monotonic() - start)
    return {"value": bits(body, batch_of(test)), "unit": "bits per sample", "train_bits": bits(body, batch_of(train[::9])), "fit_seconds": fit, "samples_per_second": rate,
            "n": sum(map(len, test)), **baselines(train, test, space), "published": None,
            "protocol": "official split: recordings 0 to 4 of each speaker and digit are the test set (300), the rest train (2,700); 256 mu-law levels; ends of recordings not counted; "
                        "linear prediction: 16 samples by least squares on the training set, Laplace mass of each mu-law cell, its scale following the last residuals, fitted on 90 training recordings"}


RECIPE = ilk.WaveNet()
