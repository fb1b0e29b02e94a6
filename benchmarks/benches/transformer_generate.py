"""Greedy generation, 4 layers x 128, 192 new tokens: tokens a second beside transformers.generate on the same weights, the same tokens."""
from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import ilk
from benchmarks.benches._peers import python, run
from ilk.batch import Batch
from ilk.catalogue.load import whole
from ilk.exporters.transformers import Transformers
from ilk.run import Run, Steps

PROMPT, TOKENS, REPEATS = 32, 192, 5


def ours(body: Any, prompts: torch.Tensor) -> tuple[float, list[list[int]]]:
    """New tokens a second by begin and step, the best of some repeats, and the tokens; the end is left out, as for the peer."""
    best, made = float("inf"), torch.zeros(0)
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        with torch.inference_mode():
            cache = body.begin(Batch(Batch(prompts.flatten()), length=torch.full((len(prompts),), prompts.shape[1])))
            found = [body.step(cache, None)[:, :-1].argmax(1)]
            for _ in range(TOKENS - 1):
                found.append(body.step(cache, found[-1])[:, :-1].argmax(1))
        best, made = min(best, time.perf_counter() - start), torch.stack(found, 1)
    return len(prompts) * TOKENS / best, made.tolist()


def bench() -> dict[str, Any]:
    """Batches of 1 and 32, ours and the peer's in turn, after a short training so that greedy choices are no near-ties."""
    python()
    text = whole("shakespeare")
    lines = [text[i:i + 300] for i in range(0, 300 * 1500, 300)]
    model = ilk.fit(lines, ilk.Transformer(context=256, epochs=1), run=Run(seed=0, budget=Steps(200), batch=24))
    codes = model.codec.encode(lines[:32], ilk.Rng(0)).padded(0)[:, :PROMPT]
    row: dict[str, Any] = {"peer_name": "transformers.generate", "unit": "new tokens per second"}
    same = []
    with tempfile.TemporaryDirectory() as folder:
        at, file = Path(folder) / "llama", Path(folder) / "prompts.json"
        Transformers().write(model, at)
        for batch, suffix in ((1, ""), (32, "_b32")):
            prompts = codes[:batch]
            file.write_text(json.dumps([[model.body.size, *p] for p in prompts.tolist()]))  # type: ignore[attr-defined]
            speed, made = ours(model.body, prompts)
            peer = run("generate.py", str(at), str(file), str(TOKENS), str(REPEATS))[-1]
            row |= {f"ours{suffix}": speed, f"peer{suffix}": peer["tokens_per_second"], f"ratio{suffix}": speed / peer["tokens_per_second"]}
            same += [a == b for a, b in zip(made, peer["ids"], strict=True)]
    return {**row, "same_tokens": sum(same) / len(same), "tokens": TOKENS, "prompt": PROMPT}
