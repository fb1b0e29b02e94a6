"""Adult (UCI census income) with the default recipe: train 32,561 rows, judged on the 16,281 test rows."""
from __future__ import annotations

from typing import Any

from benchmarks.figures._adult import judged


def figure(seed: int) -> dict[str, Any]:
    """Fit, make as many rows as there are test rows, judge."""
    return judged(None, seed)
