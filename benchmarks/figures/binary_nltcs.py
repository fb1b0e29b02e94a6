"""The 16 binary columns of nltcs: every family that can say what a row weighs."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._binary import table


def figure(seed: int) -> dict[str, Any]:
    """The recipes of networks, machines and circuits for this set; the rest has the same everywhere."""
    return table("nltcs", {"made": [ilk.MADE(width=256, orders=3, epochs=30)], "rbm": [ilk.RBM(hidden=50, epochs=60)], "circuit": [ilk.Circuit()]}, seed)
