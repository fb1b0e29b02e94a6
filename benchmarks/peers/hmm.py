"""Rounds of Baum-Welch by hmmlearn (scaling implementation) from a given start: seconds a round, and the log-likelihood before each."""
from __future__ import annotations

import json
import sys
import time

import numpy as np
from hmmlearn.hmm import GaussianHMM


def main(path: str, rounds: int) -> None:
    with np.load(path) as file:
        x, start, move, mean, cov = (file[name] for name in ("x", "start", "move", "mean", "cov"))
    n, steps, d = x.shape
    model = GaussianHMM(len(start), "full", implementation="scaling", n_iter=rounds, tol=-np.inf, init_params="", min_covar=0.0,
                        covars_prior=0.0, covars_weight=0.0, means_weight=0.0)
    model.startprob_, model.transmat_, model.means_, model.covars_ = start, move, mean, cov
    began = time.perf_counter()
    model.fit(x.reshape(-1, d), [steps] * n)
    spent = time.perf_counter() - began
    nats = list(model.monitor_.history)
    began = time.perf_counter()
    for i in range(20):
        model.sample(steps, random_state=i)
    print(json.dumps({"seconds": spent / rounds, "nats": nats, "sampled_per_second": 20 * steps / (time.perf_counter() - began)}))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: hmm.py START.npz ROUNDS")
    main(sys.argv[1], int(sys.argv[2]))
