"""One round of Baum-Welch on one sequence of 500,000 symbols (64 of them), 16 states, float64, beside hmmlearn from the same start."""
from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ilk
from benchmarks.benches._peers import run
from benchmarks.benches.hmm_gaussian import rounded
from ilk.batch import Batch, Memory
from ilk.families.hmm import Hidden
from ilk.rng import choose

STEPS, SYMBOLS, K, ROUNDS = 500_000, 64, 16, 5


def data() -> torch.Tensor:
    """500 paths of a random chain that mostly stays, each state with a law of its own, end to end."""
    rng, paths = ilk.Rng(0), 500
    says = rng.child("says").uniform(K, SYMBOLS).pow(8).log()
    move = (0.9 * torch.eye(K) + 0.1 / K).double().log()
    state, found = rng.child("first").integers(paths, K), []
    for t in range(STEPS // paths):
        found.append(choose(says[state].log_softmax(1), rng.child("x", t).uniform(paths)))
        state = choose(move[state], rng.child("state", t).uniform(paths))
    return torch.stack(found, 1).flatten()


def bench() -> dict[str, Any]:
    """Rounds of each from one start; log-likelihoods a step must agree."""
    batch = Batch(Batch(data()), length=torch.tensor([STEPS]))
    body = ilk.HMM(states=K, smoothing=0.0).build(ilk.Many(ilk.Discrete(SYMBOLS), STEPS), ilk.Rng(0))
    assert isinstance(body, Hidden)
    body.begin_at(Memory(batch), K, ilk.Rng(1))
    go = body.moves.go / body.moves.go.sum(1, keepdim=True)
    body.moves = type(body.moves)(torch.tensor([1 / K] * K + [0.0]).double(), torch.cat([go, torch.zeros(K, 1)], 1), STEPS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "start.npz"
        np.savez(file, x=batch.elements.tensor.numpy(), start=body.moves.start[:-1].numpy(), move=go.numpy(), says=body.says().numpy())
        start = time.perf_counter()
        nats = [rounded(body, batch) for _ in range(ROUNDS)]
        ours = (time.perf_counter() - start) / ROUNDS
        peer = run("hmm_long.py", str(file), str(ROUNDS))[-1]
    gap = max(abs(a - b) for a, b in zip(nats, peer["nats"], strict=True)) / STEPS
    return {"ours": ours, "peer": peer["seconds"], "peer_name": "hmmlearn, scaling", "unit": "seconds per round", "ratio": peer["seconds"] / ours,
            "log_likelihood_gap_a_step": gap, "rounds": ROUNDS, "n": STEPS}
