"""One epoch of persistent contrastive divergence: 60,000 binary digits of 784 pixels, 256 hidden units, batches and chains of 100, beside scikit-learn."""
from __future__ import annotations

import time
from statistics import median
from typing import Any, Literal

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


def epoch(learner: Learner, steps: int) -> float:
    """Seconds of so many steps."""
    start = time.perf_counter()
    with torch.no_grad():
        for _ in range(steps):
            learner.advance()
    return time.perf_counter() - start


def peers(peer: BernoulliRBM, x: np.ndarray[Any, Any]) -> float:
    """Seconds of one pass."""
    start = time.perf_counter()
    for i in range(0, len(x), BATCH):
        peer.partial_fit(x[i:i + BATCH])
    return time.perf_counter() - start


def learner_of(x: Tensor, steps: int, precision: Literal["auto", "float32"]) -> Learner:
    """Ours, before the first step."""
    body = ilk.RBM(hidden=HIDDEN, chains=BATCH, k=1).build(ilk.Discrete(2, (x.shape[1],)), ilk.Rng(0))
    return Learner(body, Memory(Batch(x)), Run(batch=BATCH, budget=Steps(EPOCHS * steps), precision=precision), None)


def bench() -> dict[str, Any]:
    """Epochs in turn, each at its own default rate: ours as this machine does it best, ours in float32, and the peer in float32; then pseudo-likelihoods."""
    x, test = digits()
    plain, steps = x.numpy().astype(np.float32), len(x) // BATCH
    best, exact = learner_of(x, steps, "auto"), learner_of(x, steps, "float32")
    peer = BernoulliRBM(HIDDEN, learning_rate=0.1, batch_size=BATCH, n_iter=1, random_state=0)
    a, b, c = (median(each) for each in zip(*((epoch(best, steps), epoch(exact, steps), peers(peer, plain)) for _ in range(EPOCHS)), strict=True))
    theirs = [torch.from_numpy(np.asarray(t, dtype=np.float64)) for t in (peer.components_.T.copy(), peer.intercept_visible_, peer.intercept_hidden_)]
    likelihood = [pseudo_likelihood(found[0], found[1], found[2], test.double())
                  for found in (*([one.now[name].double() for name in ("weight", "visible", "hidden")] for one in (best, exact)), theirs)]
    return {"ours": a, "ours_float32": b, "peer": c, "peer_name": "scikit-learn BernoulliRBM, partial_fit, float32", "unit": "seconds per epoch", "ratio": c / a, "ratio_float32": c / b,
            "pseudo_likelihood_ours": likelihood[0], "pseudo_likelihood_float32": likelihood[1], "pseudo_likelihood_peer": likelihood[2],
            "equal": min(likelihood[:2]) >= likelihood[2] - 1, "epochs": EPOCHS, "n": len(x)}
