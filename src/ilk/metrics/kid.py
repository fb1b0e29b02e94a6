"""How far the laws of made and real features are apart, by a cubic kernel (kernel distance, the KID of a feature space learned here)."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._features import ALWAYS, sides
from ._kernels import Cubic, discrepancy
from ._tables import Cells

BLOCKS = 10


class KID(Metric):
    """Squared maximum mean discrepancy by the kernel (x.y / d + 1)^3, without bias, mean over ten blocks of items (Binkowski et al. 2018).

    Without bias at any number of items, so it may be below 0; figures of different numbers of items can be compared, of different spaces not.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array", "image")
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = -inf
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The mean; its error is that of the mean of blocks, which have no item in common."""
        found = sides(case)
        if isinstance(found, str):
            return NotApplicable(found)
        if min(len(found.made), len(found.test)) < 2 * BLOCKS:
            return NotApplicable(f"{BLOCKS} blocks of two need at least {2 * BLOCKS} items a side, not {min(len(found.made), len(found.test))}")
        each = blocks(found.made, found.test)
        parts = {} if found.real is None else {"real": float(blocks(found.real, found.test).mean())}
        error = float(each.std(ddof=1)) / BLOCKS**0.5 if case.errors else None
        return Reading(float(each.mean()), error, len(found.made), parts, f"cubic kernel, without bias, mean of {BLOCKS} blocks, in {found.convention}")


def blocks(made: Cells, test: Cells) -> Cells:
    """The squared discrepancy of each block, (10,); items that come in some order, as by label, are spread over the blocks."""
    ours, real = (x[ALWAYS.child("blocks").shuffle(len(x)).numpy()] for x in (made, test))
    found: Cells = np.array([discrepancy(ours[i::BLOCKS], real[i::BLOCKS], Cubic())[0] for i in range(BLOCKS)])
    return found
