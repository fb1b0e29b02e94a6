"""SmolLM2-135M-Instruct learns to define nouns as WordNet does, from 300 examples: LoRA, and for comparison adapters and a learned prompt."""
from __future__ import annotations

import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ilk
from benchmarks.figures._tuned import gaps
from ilk.catalogue import load
from ilk.model import Model
from ilk.run import Run, Steps
from ilk.tuning import Tuning
from ilk.verbs.export import export

ROWS, STEPS, SHORT = 375, 113, 40   # of which a tenth chooses and a tenth judges; steps of 8 examples: three passes; of the comparisons
BASE, RATE = "hf:smollm2-135m-instruct", 1e-3
_NOUN = re.compile(r"(.*?) \(noun\): ([^;]*[^; ])")


def figure(seed: int) -> dict[str, Any]:
    """The value is how much less held-out nats a learned token are after LoRA, as a share of those before."""
    rows = definitions(seed)
    start = time.monotonic()
    model = tuned(rows, ilk.LoRA(rank=8, alpha=16.0), RATE, STEPS, seed)
    seconds, told = time.monotonic() - start, model.card["tune"]
    others = {name: tuned(rows, way, rate, SHORT, seed).card["tune"] for name, way, rate in
              (("adapter", ilk.Adapter(size=32), 1e-3), ("prompt", ilk.SoftPrompt(length=16), 1e-2))}
    double, single = gaps(model)
    with TemporaryDirectory() as folder:
        served = export(model, "gguf", Path(folder) / "out").drift
        merged = export(model, "transformers", Path(folder) / "plain").drift
    return {"value": told["less"] / told["before"], "unit": "share of held-out nats a token", "before": told["before"], "after": told["after"], "se": told["se"],
            "share": told["less"] / told["before"], "low": (told["less"] - 1.96 * told["se"]) / told["before"], "seconds": seconds, "n": told["examples"], "tokens": told["tokens"],
            "merged_gap": double, "merged_gap_float32": single, "merged_drift": None if merged is None else merged.largest, "gguf_same": None if served is None else served.greedy,
            "gguf_drift": None if served is None else served.largest,
            **{f"{name}_{key}": t[key] for name, t in others.items() for key in ("before", "after", "se")},
            "protocol": f"{ROWS} random nouns of WordNet with their definitions, a tenth chooses the best weights, a tenth judges; {STEPS} steps of 8 examples at {RATE}, "
                        f"{SHORT} steps for the comparisons; the error is paired by example; the gap is the largest difference of a logit between merged and unmerged weights: merged and computed in float64, and in float32 as it is used (thirty layers round logits of tens by some 1e-4)"}


def definitions(seed: int) -> list[dict[str, str]]:
    """Questions about nouns and what WordNet says of the first meaning's term."""
    found = [m.groups() for meaning in load.texts("wordnet")["all"] if (m := _NOUN.match(meaning))]
    some = ilk.Rng(seed).child("rows").shuffle(len(found))[:ROWS].tolist()
    return [{"prompt": f'Define the noun "{found[i][0].partition(", ")[0]}".', "answer": found[i][1].strip()} for i in some]


def tuned(rows: list[dict[str, str]], way: Tuning, rate: float, steps: int, seed: int) -> Model:
    """SmolLM2 tuned in a way."""
    return ilk.tune(BASE, rows, way, run=Run(seed=seed, budget=Steps(steps), rate=rate))
