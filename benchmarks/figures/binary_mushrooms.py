"""The 112 binary columns of mushrooms: every family that can say what a row weighs."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._binary import table


def figure(seed: int) -> dict[str, Any]:
    """The recipes of networks, machines and circuits for this set; the rest has the same everywhere."""
    return table("mushrooms", {"made": [ilk.MADE(width=256, orders=4, dropout=0.3, epochs=200)], "rbm": [ilk.RBM(hidden=100, epochs=200, rungs=4000)], "circuit": [ilk.Circuit(hidden=128, smoothing=0.003)]}, seed)
