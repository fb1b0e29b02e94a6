"""The 784-16-2 VAE of article 004 on digits, summed as the bound asks, beside its own reduction, which switches all codes off; a sheet of both goes into the docs."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

import ilk
from benchmarks.figures._pictures import divided
from ilk.batch import Batch, Memory
from ilk.dataset import Dataset
from ilk.distribution import Family, Port
from ilk.families.vae import Vae
from ilk.model import Model
from ilk.run import Noted
from ilk.verbs.read import read

N, SHOWN = 1000, 32
SHEET = Path(__file__).parents[2] / "docs" / "pictures" / "article_vae.png"


class Sixteen(nn.Module):
    """One hidden layer of 16."""

    def __init__(self, port: Port) -> None:
        super().__init__()
        self.gives = port.gives
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(port.takes)), 16), nn.ReLU(), nn.Linear(16, int(np.prod(port.gives))))

    def forward(self, x: Tensor) -> Tensor:
        """(B, *takes) -> (B, *gives)."""
        out: Tensor = self.layers(x)
        return out.reshape(-1, *self.gives)


def fitted(data: Dataset[Any], family: Family, seed: int, notes: list[str]) -> Model:
    """A model, and what its fit had to say."""
    return ilk.fit(data, family, run=ilk.Run(seed=seed, listeners=(lambda e: notes.append(e.text) if isinstance(e, Noted) else None,)))


def judged(model: Model, data: Dataset[Any], seed: int) -> tuple[dict[str, Any], Any]:
    """KL, active codes and squared error on test digits (of greys from 0 to 1), and the means of codes from the prior."""
    body = model.body
    assert isinstance(body, Vae)
    test = model.codec.encode(data.test, ilk.Rng(0))
    units = body.units(Memory(test))
    back = model.codec.decode(body.decode(body.encode(test)), ilk.Rng(0))
    error = float(np.square(back / 255.0 - data.test / 255.0).mean())
    made = model.codec.decode(body.decode(Batch(ilk.Rng(seed).child("prior").normal(SHOWN, 2).float())), ilk.Rng(0))
    return {"kl": float(units.kl.sum()), "active_dimensions": int(units.active.sum()), "squared_error": error}, made


def figure(seed: int) -> dict[str, Any]:
    """Both fits. The article's mean over pixels and codes weighs the KL 784 / 4 times beside ½ squared error of greys from 0 to 1."""
    data = divided(replace(read("mnist"), labels=None), N)
    spread = float(data.train.std()) / 255
    notes: list[str] = []
    sums = fitted(data, ilk.VAE(codes=2, net=Sixteen), seed, [])
    means = fitted(data, ilk.VAE(codes=2, net=Sixteen, variance="fixed", beta=784 / 4 / spread**2), seed, notes)
    ours, made = judged(sums, data, seed)
    theirs, dead = judged(means, data, seed)
    if seed == 0:
        SHEET.write_bytes(sums.modality.show(np.concatenate([dead, made])).data)
    score = sums.score(data.test)
    mean_image = float(np.square(data.train.mean(0) / 255 - data.test / 255).mean())
    return {"value": ours["kl"], "unit": "nats of KL a digit", **ours, "bits_per_dim": -score.mean / 784 / float(np.log(2)), "sort": score.sort,
            "original": {**theirs, "alarm": bool(notes)}, "squared_error_of_mean_image": mean_image, "floor": theirs["kl"], "ceiling": None, "n": N, "published": None,
            "protocol": "catalogue mnist without labels, 9,000/1,000 by a fixed seed; 784-16-2 networks with one ReLU layer; KL, active codes (variance of means > .01) and error on the 1,000; "
                        "original: the article's means as a weight of the KL"}
