"""Whether made items lie nearer to training items than to as many held-out ones."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..attack import Attack, Finding, Target
from ..metrics.dcr_share import _share
from ..rng import Rng
from ._points import head

BAR = 0.55


class NearestRecord(Attack):
    """The figure `dcr_share`: the share of made items nearer to a training item than to a held-out one, ties half, of as many of each."""

    needs: ClassVar[tuple[str, ...]] = ("made", "known", "unseen", "points")
    modalities: ClassVar[tuple[str, ...]] = ("table", "array", "image")

    def find(self, target: Target, rng: Rng) -> Sequence[Finding]:
        """One share; its interval counts made items with the same neighbour as one."""
        made, known, unseen = target.placed
        share, error = _share(made, head(known, len(unseen)), unseen)
        return [Finding("nearest_record", share, max(0.0, share - 1.96 * error), min(1.0, share + 1.96 * error), 0.5, BAR, len(made),
                        "share of made items nearer to a training item than to any of as many held-out items: .5 if nothing was copied, 1 if all was")]
