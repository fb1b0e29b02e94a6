"""The 69 binary columns of plants: every family that can say what a row weighs."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._binary import table


def figure(seed: int) -> dict[str, Any]:
    """The recipes of networks, machines and circuits for this set; the rest has the same everywhere."""
    return table("plants", {"made": [ilk.MADE(width=384, orders=3, dropout=0.2, epochs=40)], "rbm": [ilk.RBM(hidden=100, epochs=60, rungs=4000)], "circuit": [ilk.Circuit()]}, seed)
