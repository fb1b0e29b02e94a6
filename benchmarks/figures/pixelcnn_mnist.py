"""Digits of 256 greys by a gated PixelCNN: exact bits a pixel on 1,000 left out of 10,000, beside what pixels say alone."""
from __future__ import annotations

import time
from math import log
from typing import Any

import torch

import ilk
from benchmarks.figures._pictures import divided
from ilk.batch import Batch, Memory
from ilk.run import Run, Seconds
from ilk.verbs.read import read

N, SECONDS, DRAWN = 1000, 600, 100  # test pictures, of training, pictures drawn for their speed


def figure(seed: int) -> dict[str, Any]:
    """The value is the model's; the floor gives each place its own shares of levels."""
    data = divided(read("mnist"), N)
    train, test = (torch.from_numpy(data.items[data.index(split).numpy()]).reshape(-1, 28, 28).long() for split in ("train", "test"))
    body = ilk.PixelCNN().build(ilk.Discrete(256, (28, 28)), ilk.Rng(seed))
    start = time.monotonic()
    body.fit(Memory(Batch(train)), Run(seed=seed, budget=Seconds(SECONDS)))
    fit = time.monotonic() - start
    bits = -float(body.log_prob(Batch(test)).mean()) / (784 * log(2))
    known = -float(body.log_prob(Batch(train[:N])).mean()) / (784 * log(2))
    start = time.monotonic()
    body.sample(DRAWN, ilk.Rng(seed))
    rate = DRAWN / (time.monotonic() - start)
    counts = torch.stack([torch.bincount(place, minlength=256) for place in train.flatten(1).T]) + 1 / 256
    share = (counts / counts.sum(1, keepdim=True)).double().log()
    floor = -float(share.gather(1, test.flatten(1).T).sum()) / (test.numel() * log(2))
    return {"value": bits, "unit": "bits per pixel", "train_bits": known, "floor": floor, "uniform": 8.0, "ceiling": None, "fit_seconds": fit, "pictures_per_second": rate,
            "n": N, "published": None, "protocol": "catalogue mnist, 9,000/1,000 by a fixed seed, 256 levels, exact; nothing chosen on the test pictures; floor: each place by itself"}
