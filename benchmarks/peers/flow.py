"""Trains zuko's neural spline flow by torch's AdamW on given numbers: steps a second, and the test nats that came of it.

    PEERS_PYTHON benchmarks/peers/flow.py NUMBERS.npz STRUCTURE LAYERS WIDTH BINS STEPS BATCH RATE

NUMBERS.npz holds train and test, (n, d), standardised. STRUCTURE is autoregressive or coupling. Cosine rate, gradients clipped at norm 5. Needs zuko.
"""
from __future__ import annotations

import json
import sys
import time
from math import cos, pi

import numpy as np
import torch
import zuko


def main(path: str, structure: str, layers: int, width: int, bins: int, steps: int, batch: int, rate: float) -> None:
    torch.manual_seed(0)
    with np.load(path) as file:
        train, test = (torch.from_numpy(file[name]).float() for name in ("train", "test"))
    passes = {"passes": 2} if structure == "coupling" else {}
    flow = zuko.flows.NSF(train.shape[1], bins=bins, transforms=layers, hidden_features=(width, width), **passes)
    optimiser = torch.optim.AdamW(flow.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.99))
    began = time.perf_counter()
    for step in range(steps):
        if step % (len(train) // batch) == 0:
            order = torch.randperm(len(train))
        at = step % (len(train) // batch)
        loss = -flow().log_prob(train[order[at * batch:(at + 1) * batch]]).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        fraction = step / steps
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (fraction + 1e-9) / 0.02) * 0.5 * (1 + cos(pi * fraction))
        optimiser.step()
    spent = time.perf_counter() - began
    with torch.no_grad():
        nats = torch.cat([flow().log_prob(part) for part in test.split(4096)]).double()
    print(json.dumps({"steps_per_second": steps / spent, "nats": float(nats.mean()), "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    if len(sys.argv) != 9:
        sys.exit("usage: flow.py NUMBERS.npz STRUCTURE LAYERS WIDTH BINS STEPS BATCH RATE")
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:8]), float(sys.argv[8]))
