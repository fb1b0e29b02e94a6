"""The 180 binary columns of dna: every family that can say what a row weighs."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._binary import table


def figure(seed: int) -> dict[str, Any]:
    """The recipes of networks, machines and circuits for this set; the rest has the same everywhere."""
    return table("dna", {"made": [ilk.MADE(width=256, orders=3, dropout=0.5, weight_decay=0.1)], "rbm": [ilk.RBM(hidden=50, epochs=200, rungs=4000)], "circuit": [ilk.Circuit()]}, seed)
