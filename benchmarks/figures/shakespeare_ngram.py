"""Tiny Shakespeare, nats per character on the whole last tenth, the context carried over from the training text."""
from __future__ import annotations

from math import log
from typing import Any

import torch

import ilk
from ilk.batch import Batch, Memory
from ilk.catalogue.load import whole
from ilk.run import Run


def figure(seed: int) -> dict[str, Any]:
    """Orders 3 to 8; the value is order 7's. Nothing is random here."""
    text = whole("shakespeare")
    cut = int(0.9 * len(text))
    alphabet = sorted(set(text))
    place = {c: i for i, c in enumerate(alphabet)}
    code = torch.tensor([place[c] for c in text])

    def one(x: torch.Tensor) -> Batch:
        return Batch(Batch(x), length=torch.tensor([len(x)]))

    orders = {}
    for order in range(3, 9):
        model = ilk.NGram(order=order).build(ilk.Many(ilk.Discrete(len(alphabet)), 4 * len(code)), ilk.Rng(seed))
        model.fit(Memory(one(code[:cut])), Run())
        orders[str(order)] = -float(model.log_prob_from(one(code), cut, end=False)) / (len(code) - cut)
    counts = torch.bincount(code[:cut], minlength=len(alphabet)).double() + 0.5
    floor = -float((counts / counts.sum()).log()[code[cut:]].mean())
    return {"value": orders["7"], "unit": "nats per character", "orders": orders, "floor": floor, "uniform": log(len(alphabet)), "ceiling": None,
            "published": {"nanoGPT, CPU setting": 1.88, "nanoGPT, baby GPU": 1.4697, "protocol": "random batches at contexts of 64 and 256, all positions"},
            "n": len(code) - cut, "protocol": "first nine tenths train; every character of the last tenth predicted from all before it; the end of text not counted"}
