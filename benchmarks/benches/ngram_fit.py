"""Fitting a Kneser-Ney model of order 7 on tiny Shakespeare, per token, beside nltk's."""
from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import ilk
from benchmarks.benches._peers import python, run
from ilk.batch import Batch, Memory
from ilk.catalogue.load import whole
from ilk.run import Run

TOKENS = 200_000


def bench() -> dict[str, Any]:
    """Ours on the whole text, three times; the peer's counting on its first 200,000 characters (its cost grows with the text)."""
    text = whole("shakespeare")
    place = {c: i for i, c in enumerate(sorted(set(text)))}
    code = torch.tensor([place[c] for c in text])
    source = Memory(Batch(Batch(code), length=torch.tensor([len(code)])))
    python()
    times = []
    for _ in range(3):
        model = ilk.NGram(order=7).build(ilk.Many(ilk.Discrete(len(place)), 4 * len(code)), ilk.Rng(0))
        start = time.perf_counter()
        model.fit(source, Run())
        times.append((time.perf_counter() - start) / len(code))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "text.txt"
        file.write_text(text, encoding="utf-8")
        found = run("ngram.py", str(file), "7", str(TOKENS))[-1]
    peer = found["seconds"] / found["tokens"]
    return {"ours": median(times) * 1e6, "peer": peer * 1e6, "peer_name": "nltk KneserNeyInterpolated", "unit": "microseconds per token", "ratio": peer / median(times),
            "tokens": len(code), "peer_tokens": found["tokens"], "note": "ours works out all discounts and back-off weights in this time; the peer only counts"}
