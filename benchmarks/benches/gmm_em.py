"""One round of expectation-maximisation: 200,000 x 16, 20 full covariances, float64, beside scikit-learn on the same start."""
from __future__ import annotations

import time
from statistics import median
from typing import Any

import torch
from sklearn.mixture import GaussianMixture
from torch.nn.functional import one_hot

import ilk
from ilk.batch import Batch, Memory

N, D, K, ROUNDS = 200_000, 16, 20, 10


def data() -> torch.Tensor:
    """Twenty Gaussian clusters drawn at random."""
    rng = ilk.Rng(0)
    mean, mix = rng.child("mean").normal(K, D) * 3, rng.child("mix").normal(K, D, D) / 4 + torch.eye(D).double()
    which = rng.child("which").integers(N, K)
    return mean[which] + (mix[which] @ rng.child("noise").normal(N, D)[..., None])[..., 0]


def bench() -> dict[str, Any]:
    """Rounds in turn, ours and the peer's, from the same responsibilities; equal log-likelihood after each."""
    x = data()
    near = torch.cdist(x, x[:K]).argmin(1)
    ours = ilk.GMM(components=K, ridge=0.0).build(ilk.Reals((D,)), ilk.Rng(0))
    source = Memory(Batch(x))
    ours.standardise(source)
    ours.absorb(ours.summed(ours.items(source.batch), one_hot(near, K).double().T.contiguous(), torch.zeros(()).double()))
    peer = GaussianMixture(K, reg_covar=0.0)
    peer._initialize(x.numpy(), one_hot(near, K).double().numpy())
    items = ours.prepared(source)
    times: tuple[list[float], list[float]] = ([], [])
    gap = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        sums = ours.total(items)
        ours.absorb(sums)
        times[0].append(time.perf_counter() - start)
        start = time.perf_counter()
        nats, shares = peer._e_step(x.numpy())
        peer._m_step(x.numpy(), shares)
        times[1].append(time.perf_counter() - start)
        scale = float(ours.scale.log().sum())
        gap = max(gap, abs(float(sums.tensors["nats"]) / N - scale - float(nats)))
    a, b = median(times[0]), median(times[1])
    return {"ours": a, "peer": b, "peer_name": "scikit-learn", "unit": "seconds per EM round", "ratio": b / a, "log_likelihood_gap": gap, "rounds": ROUNDS, "n": N}
