"""Tiny Shakespeare by a small transformer, nats per character on the last tenth: plain, and with embeddings of n-grams."""
from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ilk
from benchmarks.figures._characters import PUBLISHED, Text, mixed
from ilk.families._sequence_rows import Line, Rows
from ilk.run import Run, Seconds

CONTEXT, PLAIN, GRAMS = 128, 360, 480  # seconds


def nats(body: Any, text: Text, step: int) -> Tensor:
    """Of every character of the last part: windows of CONTEXT that move by `step`, of which the last `step` characters count (the first window whole)."""
    line = Line(torch.cat([text.code[text.cut - 1:], text.code[:1]]).int(), np.array([0]), body.size)
    many = len(text.code) - text.cut
    begin = np.arange(0, max(1, many - CONTEXT + step), step)
    rows = Rows(begin, np.where(begin > 0, CONTEXT - step, 0), np.minimum(CONTEXT, many - begin))
    out = torch.full((many,), torch.nan, dtype=torch.float64)
    with torch.no_grad():
        for start in range(0, len(rows), 64):
            found, _, place = body.scored(line, rows.at(slice(start, start + 64)), {})
            out[place] = found
    if bool(out.isnan().any()):
        raise ValueError(f"{int(out.isnan().sum())} characters were not scored")
    return out


def figure(seed: int) -> dict[str, Any]:
    """The value is the model with n-gram embeddings; the plain Llama shape beside it."""
    text = Text.shakespeare()
    plain = ilk.Transformer(layers=4, heads=4, width=128, context=CONTEXT)
    row: dict[str, Any] = {}
    for name, recipe, seconds in (("plain", plain, PLAIN), ("grams", replace(plain, ngrams=6144, dropout=0.05), GRAMS)):
        body = recipe.build(text.space, ilk.Rng(seed))
        start = time.monotonic()
        body.fit(text.train, Run(seed=seed, budget=Seconds(seconds)))
        row[f"{name}_seconds"] = time.monotonic() - start
        found = nats(body, text, CONTEXT // 2)
        row |= {name: float(found.mean()), f"{name}_chunks": float(nats(body, text, CONTEXT).mean())}
    return {"value": row["grams"], "unit": "nats per character", **row, **mixed(text, found), "n": len(found), "published": PUBLISHED,
            "protocol": "first nine tenths train, nothing chosen on the rest; windows of 128 moved by 64 (every character of the last tenth from at least 64 before it, but for "
                        "the first 64); chunks: moved by 128; the 7-gram sees all before each character"}
