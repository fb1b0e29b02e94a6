"""One epoch of persistent contrastive divergence: 60,000 binary digits of 784 pixels, 256 hidden units, batches and chains of 100, beside scikit-learn."""
from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np
import torch
from sklearn.neural_network import BernoulliRBM
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

import ilk
from benchmarks.figures._pictures import divided
from ilk.batch import Batch, Memory
from ilk.families._rbm_fit import Learner
from ilk.run import Run, Steps

HIDDEN, BATCH, EPOCHS, TIMES, TEST = 256, 100, 3, 6, 200


def digits() -> tuple[Tensor, Tensor]:
    """Pixels above 127 or not: the 9,800 digits that are not held out, over and over up to 60,000, and 200 others."""
    data = divided(ilk.read("mnist"), TEST)
    train, test = (torch.from_numpy((items > 127).reshape(len(items), -1)).long() for items in (data.train, data.test))
    return train[torch.arange(TIMES * 10_000) % len(train)], test


def pseudo_likelihood(weight: Tensor, visible: Tensor, hidden: Tensor, v: Tensor) -> float:
    """Mean over items of the sum over pixels of log p(pixel | the others), in nats, all flips worked out."""
    drive, total = hidden + v @ weight, torch.zeros(len(v), dtype=torch.double)
    here = softplus(drive).sum(1) + v @ visible
    for i in range(v.shape[1]):
        turn = 1 - 2 * v[:, i]
        there = softplus(drive + turn[:, None] * weight[i]).sum(1) + v @ visible + turn * visible[i]
        total += logsigmoid(here - there)
    return float(total.mean())


def bench() -> dict[str, Any]:
    """Epochs in turn, ours and the peer's, float32 both, at their own default rates; then the pseudo-likelihood of held-out digits under each."""
    x, test = digits()
    plain, steps = x.numpy().astype(np.float32), len(x) // BATCH
    body = ilk.RBM(hidden=HIDDEN, chains=BATCH, k=1).build(ilk.Discrete(2, (x.shape[1],)), ilk.Rng(0))
    learner = Learner(body, Memory(Batch(x)), Run(batch=BATCH, budget=Steps(EPOCHS * steps)), None)
    peer = BernoulliRBM(HIDDEN, learning_rate=0.1, batch_size=BATCH, n_iter=1, random_state=0)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(EPOCHS):
        start = time.perf_counter()
        with torch.no_grad():
            for _ in range(steps):
                learner.advance()
        times[0].append(time.perf_counter() - start)
        start = time.perf_counter()
        for i in range(0, len(plain), BATCH):
            peer.partial_fit(plain[i:i + BATCH])
        times[1].append(time.perf_counter() - start)
    ours = [learner.now[name].double() for name in ("weight", "visible", "hidden")]
    theirs = [torch.from_numpy(np.asarray(a, dtype=np.float64)) for a in (peer.components_.T.copy(), peer.intercept_visible_, peer.intercept_hidden_)]
    a, b = median(times[0]), median(times[1])
    likelihood = [pseudo_likelihood(*found, test.double()) for found in (ours, theirs)]
    return {"ours": a, "peer": b, "peer_name": "scikit-learn BernoulliRBM", "unit": "seconds per epoch", "ratio": b / a, "pseudo_likelihood_ours": likelihood[0],
            "pseudo_likelihood_peer": likelihood[1], "equal": likelihood[0] >= likelihood[1] - 1, "epochs": EPOCHS, "n": len(x)}
