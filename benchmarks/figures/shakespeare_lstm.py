"""Tiny Shakespeare by a recurrent network, nats per character on the last tenth: alone, and mixed with counts."""
from __future__ import annotations

import time
from typing import Any

import torch

import ilk
from benchmarks.figures._characters import PUBLISHED, Text, mixed, one
from ilk.run import Run, Seconds

SECONDS, LEAD = 600, 5000  # of training; characters that are read before the first one scored


def figure(seed: int) -> dict[str, Any]:
    """The value is the network's; every character is predicted from all before it."""
    text = Text.shakespeare()
    body = RECIPE.build(text.space, ilk.Rng(seed))
    start = time.monotonic()
    body.fit(text.train, Run(seed=seed, budget=Seconds(SECONDS)))
    fit = time.monotonic() - start
    nats = torch.cat([found[0] for _, found in body.pieces(one(text.code[text.cut - LEAD:]))])[LEAD:-1]
    return {"value": float(nats.double().mean()), "unit": "nats per character", "fit_seconds": fit, **mixed(text, nats), "n": len(nats), "published": PUBLISHED,
            "protocol": f"first nine tenths train, nothing chosen on the rest; the network reads the last {LEAD} characters of the first part, then every character of the last tenth is "
                        "predicted from all before it, once; the 7-gram sees all before each character"}


RECIPE = ilk.RNN(cell="lstm")
