"""NLTCS, 16 binary columns, by masked autoregressive networks."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._binary import density


def figure(seed: int) -> dict[str, Any]:
    """A mixture of three orders."""
    return density("nltcs", ilk.MADE(width=256, orders=3, epochs=30), {"Chow-Liu": -6.759, "LearnSPN": -6.11}, seed)
