"""Plants, 69 binary columns, by masked autoregressive networks."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._binary import density


def figure(seed: int) -> dict[str, Any]:
    """A mixture of three orders."""
    return density("plants", ilk.MADE(width=384, orders=3, dropout=0.2, epochs=40), {"Chow-Liu": -16.524, "LearnSPN": -12.98}, seed)
