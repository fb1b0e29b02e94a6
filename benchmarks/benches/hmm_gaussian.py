"""One round of Baum-Welch: 2,000 sequences of 200 steps, 4 numbers each, 8 states of full covariance, float64, beside hmmlearn from the same start."""
from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ilk
from benchmarks.benches._peers import run
from ilk.batch import Batch, Memory
from ilk.families._em import total
from ilk.families._hmm_chain import portions
from ilk.families.hmm import Hidden

N, STEPS, D, K, ROUNDS = 2000, 200, 4, 8, 10


def data() -> torch.Tensor:
    """Paths of a random chain that mostly stays, each state around a centre of its own."""
    rng = ilk.Rng(0)
    centre, move = 2 * rng.child("centre").normal(K, D), (0.85 * torch.eye(K) + 0.15 / K).double().log()
    state = rng.child("first").integers(N, K)
    x = torch.zeros(N, STEPS, D, dtype=torch.float64)
    for t in range(STEPS):
        x[:, t] = centre[state] + rng.child("x", t).normal(N, D)
        state = rng.child("state", t).pick(move[state], N)
    return x


def rounded(body: Hidden, batch: Batch) -> float:
    """One round; the log-likelihood before it."""
    sums = total(body, map(body.statistics, portions(batch)))
    body.absorb(sums)
    return float(sums.tensors["nats"])


def bench() -> dict[str, Any]:
    """Ten rounds each; log-likelihoods a step must agree, and samples drawn are counted in steps a second."""
    x = data()
    body = ilk.HMM(states=K, ridge=1e-300, smoothing=0.0).build(ilk.Many(ilk.Reals((D,)), STEPS), ilk.Rng(0))
    assert isinstance(body, Hidden)
    source = Memory(Batch(Batch(x.flatten(0, 1)), length=torch.full((N,), STEPS)))
    body.begin_at(source, K, ilk.Rng(1))
    gauss, scale = body.speech.law.gauss, body.speech.scale
    go = body.moves.go / body.moves.go.sum(1, keepdim=True)
    body.moves = type(body.moves)(body.moves.start / body.moves.start[:-1].sum() * torch.tensor([1.0] * K + [0.0]), torch.cat([go, torch.zeros(K, 1)], 1), STEPS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "start.npz"
        np.savez(file, x=x.numpy(), start=body.moves.start[:-1].numpy(), move=go.numpy(), mean=(gauss.mean * scale + body.speech.center).numpy(),
                 cov=(gauss.cov * scale[:, None] * scale).numpy())
        start = time.perf_counter()
        nats = [rounded(body, source.batch) for _ in range(ROUNDS)]
        ours = (time.perf_counter() - start) / ROUNDS
        peer = run("hmm.py", str(file), str(ROUNDS))[-1]
    start = time.perf_counter()
    body.sample(N, ilk.Rng(2))
    drawn = N * STEPS / (time.perf_counter() - start)
    gap = max(abs(a - b) for a, b in zip(nats, peer["nats"], strict=True)) / (N * STEPS)
    return {"ours": ours, "peer": peer["seconds"], "peer_name": "hmmlearn, scaling", "unit": "seconds per round", "ratio": peer["seconds"] / ours, "log_likelihood_gap_a_step": gap,
            "steps_drawn_per_second": drawn, "ratio_sampling": drawn / peer["sampled_per_second"], "rounds": ROUNDS, "n": N * STEPS}
