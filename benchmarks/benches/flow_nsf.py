"""Neural spline flows of 6 numbers beside zuko's: steps a second in float32, autoregressive and coupled, and the test nats that came of it."""
from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ilk
from benchmarks.benches._peers import python, run
from benchmarks.figures._targets import pushed
from ilk.batch import Batch, Memory
from ilk.run import Run, Steps

TRAIN, TEST, LAYERS, WIDTH, BINS, STEPS, BATCH, RATE, SLACK = 50_000, 20_000, 3, 64, 8, 2000, 512, 2e-3, 0.02


def ours(train: torch.Tensor, test: torch.Tensor, structure: Any) -> tuple[float, float]:
    """Steps a second over the whole fit, and mean test nats."""
    body: Any = ilk.Flow(structure=structure, layers=LAYERS, width=WIDTH, bins=BINS, bound=5.0).build(ilk.Reals((train.shape[1],)), ilk.Rng(0))
    start = time.perf_counter()
    body.fit(Memory(Batch(train)), Run(budget=Steps(STEPS), batch=BATCH, rate=RATE, precision="float32"))
    return STEPS / (time.perf_counter() - start), float(body.log_prob(Batch(test)).mean())


def bench() -> dict[str, Any]:
    """The same numbers, layers, widths, bins, batch, rates and steps; ours does a spline of each number alone and a product more, in one thread as in all."""
    python()
    target = pushed()
    train, test = (target.sample(n, ilk.Rng(0).child(s)).tensor for s, n in (("train", TRAIN), ("test", TEST)))
    spread, center = torch.std_mean(train, 0)
    train, test = (train - center) / spread, (test - center) / spread
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "numbers.npz"
        np.savez(file, train=train.numpy(), test=test.numpy())
        for structure in ("autoregressive", "coupling"):
            speed, nats = ours(train, test, structure)
            peer = run("flow.py", str(file), structure, *map(str, (LAYERS, WIDTH, BINS, STEPS, BATCH)), str(RATE))[-1]
            found[structure] = {"ours": speed, "peer": peer["steps_per_second"], "ratio": speed / peer["steps_per_second"], "nats_ours": nats, "nats_peer": peer["nats"]}
    equal = all(f["nats_ours"] >= f["nats_peer"] - SLACK for f in found.values())
    coupled = {f"{k}_coupling": v for k, v in found["coupling"].items()}
    return {**found["autoregressive"], "peer_name": "zuko", "unit": f"steps per second, batch {BATCH}", "equal": equal, **coupled, "steps": STEPS, "n": TEST}
