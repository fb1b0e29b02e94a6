"""A VAE of binarised digits beside pythae's: items a second over the whole fit, at batches of 256 (our default) and 64 (theirs), and the test bounds that came of it."""
from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

import ilk
from benchmarks.benches._peers import python, run
from benchmarks.figures._pictures import divided
from ilk.dataset import Dataset, split_dataset
from ilk.run import Run, Steps

EPOCHS, RATE, TEST, SLACK = 20, 2e-3, 1000, 0.5


def digits() -> Dataset[Any]:
    """Pixels above 127 or not, flat: 8,100 digits to learn from, 900 that choose, 1,000 that judge."""
    data = divided(ilk.read("mnist"), TEST)
    return split_dataset(replace(ilk.read((data.items > 127).astype(np.uint8).reshape(len(data), -1)), splits=data.splits))


def ours(data: Dataset[Any], batch: int, precision: Literal["bfloat16", "float32"]) -> tuple[float, float]:
    """Items a second, and the mean one-draw bound of the test digits in nats."""
    seen = EPOCHS * (len(data.train) // batch) * batch
    start = time.perf_counter()
    model = ilk.fit(data, ilk.VAE(codes=16, draws=1, net=ilk.MLP(width=512, depth=1)), run=Run(budget=Steps(seen // batch), batch=batch, rate=RATE, precision=precision))
    return seen / (time.perf_counter() - start), model.score(data.test).mean


def bench() -> dict[str, Any]:
    """The same networks, batch, epochs, rate, AdamW and cosine; ours in bfloat16, and in float32 beside it. The bounds of both sizes must be equal."""
    python()
    data, found = digits(), {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digits.npz"
        np.savez(file, train=data.train, valid=data.valid, test=data.test)
        for batch in (256, 64):
            (plain, exact), (quick, bound) = ours(data, batch, "float32"), ours(data, batch, "bfloat16")
            peer = run("vae.py", str(file), folder, str(batch), str(EPOCHS), str(RATE))[-1]
            found[batch] = {"ours": quick, "ours_float32": plain, "peer": peer["samples_per_second"], "peer_steps_only": peer["steps_only"], "ratio": quick / peer["samples_per_second"],
                            "ratio_float32": plain / peer["samples_per_second"], "bound_ours": bound, "bound_float32": exact, "bound_peer": peer["bound"]}
    equal = all(min(f["bound_ours"], f["bound_float32"]) >= f["bound_peer"] - SLACK for f in found.values())
    small = {f"{k}_b64": v for k, v in found[64].items()}
    return {**found[256], "peer_name": "pythae", "unit": "samples per second, batch 256", "equal": equal, **small, "epochs": EPOCHS}
