"""Rounds of Baum-Welch by hmmlearn (scaling implementation) on one sequence of symbols: seconds a round, and the log-likelihood before each."""
from __future__ import annotations

import json
import sys
import time

import numpy as np
from hmmlearn.hmm import CategoricalHMM


def main(path: str, rounds: int) -> None:
    with np.load(path) as file:
        x, start, move, says = (file[name] for name in ("x", "start", "move", "says"))
    model = CategoricalHMM(len(start), implementation="scaling", n_iter=rounds, tol=-np.inf, init_params="", n_features=says.shape[1])
    model.startprob_, model.transmat_, model.emissionprob_ = start, move, says
    began = time.perf_counter()
    model.fit(x.reshape(-1, 1))
    print(json.dumps({"seconds": (time.perf_counter() - began) / rounds, "nats": list(model.monitor_.history)}))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: hmm_long.py START.npz ROUNDS")
    main(sys.argv[1], int(sys.argv[2]))
