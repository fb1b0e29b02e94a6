"""Authenticity: whether made items crowd a training item more than its own neighbours do."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from ..attack import Attack, Finding, Target, Unmeasured
from ..metrics._nearest import nearest
from ..rng import Rng
from ._figures import exact
from ._points import neighbours

MARGIN, FEWEST = 0.05, 20


class Authenticity(Attack):
    """The share of made items that are not authentic: nearer to their nearest training item than that one is to any other (Alaa et al. 2022).

    The null is not a constant: it is measured with held-out items, and with training items each left out, in the place of made ones. The larger counts, since
    a division that keeps equal items together gives held-out items no equals.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "known", "unseen", "points")
    modalities: ClassVar[tuple[str, ...]] = ("table", "array", "image")

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """One share."""
        made, known, unseen = target.placed
        if len(known) < FEWEST:
            return Unmeasured(f"{len(known)} training items are too few: {FEWEST}")
        first, second, at = neighbours(known)
        far, index = nearest(made, known)
        crowd, (out, near) = far < first[index], nearest(unseen, known)
        real = [out < first[near], first < torch.where(at[at] == torch.arange(len(at)), second[at], first[at])]
        hits, n = int(crowd.sum()), len(crowd)
        low, high = exact(hits, n)
        nulls = [(float(r.double().mean()), exact(int(r.sum()), len(r))[1]) for r in real]
        return [Finding("unauthentic", hits / n, low, high, max(n for n, _ in nulls), min(1.0, max(h for _, h in nulls) + MARGIN), n,
                        "share of made items nearer to their nearest training item than that one is to its nearest other; the null is that of real items in their place")]
