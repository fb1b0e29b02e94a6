"""Digits without labels, the same U-shaped network for 120 seconds each: ours beside the plain loop of diffusers' example. Frechet distances to unseen digits."""
from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import ilk
from benchmarks.benches._peers import python, run
from benchmarks.figures import _pictures as pictures
from ilk.metrics._features import space_of
from ilk.metrics._gaussians import Gaussian, frechet

SECONDS, N = 120, 1000


def bench() -> dict[str, Any]:
    """Both make 1,000 digits with about 50 network calls each. The peer learns from all training digits, and its best way by the test digits counts."""
    python()
    data = pictures.divided(ilk.read("mnist"), N)
    space = space_of(pictures.case_of(data))
    assert not isinstance(space, str)
    test = Gaussian.of(space.vectors(data.test))
    model = ilk.fit(replace(data, labels=None), ilk.Diffusion(net=ilk.UNet2D(width=32, multiples=(1, 2))), budget=f"{SECONDS}s")
    ours = sum(frechet(Gaussian.of(space.vectors(model.sample(N, how=ilk.Heun(steps=25)))), test))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.npy"
        np.save(file, data.train)
        rows = run("diffusion.py", str(file), str(SECONDS), str(N), folder, "0")
        peers = {row["way"]: {**row, "frechet": sum(frechet(Gaussian.of(space.vectors(np.load(Path(folder) / f"{row['way']}.npy"))), test))} for row in rows}
    best = min(peers, key=lambda way: float(peers[way]["frechet"]))
    return {"ours": ours, "peer": peers[best]["frechet"], "peer_name": f"diffusers, {best}", "unit": f"Frechet distance after {SECONDS} s", "ratio": peers[best]["frechet"] / ours,
            "floor": pictures.floor(data, N), "space": space.name, "n": N, "fit_seconds": model.card["seconds"], "peers": peers}
