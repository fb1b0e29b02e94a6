"""Membership by score: whether training items are told from held-out ones by their likelihood alone."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from ..attack import Attack, Finding, Target, Unmeasured
from ..rng import Rng
from ._figures import auc, bootstrap, caught

BAR, RARE, FEWEST, ENOUGH = 0.55, 0.05, 20, 100


class Membership(Attack):
    """Who guesses that likelier items were learned from is right how often (Yeom et al. 2018), and how often when sure (Carlini et al. 2022)."""

    needs: ClassVar[tuple[str, ...]] = ("known", "unseen", "scores")

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """The area under the ROC curve, and with 100 held-out items the share caught at 1 % false alarms."""
        if target.scores is None or len(target.unseen) < FEWEST:
            return Unmeasured(f"{len(target.unseen)} held-out items are too few: {FEWEST}")
        return told("membership", "by their likelihood", *target.scores(), rng)


def told(name: str, way: str, seen: Tensor, unseen: Tensor, rng: Rng) -> list[Finding]:
    """How well a number tells training items, (n,), from held-out ones, (m,)."""
    found = [Finding(name, *bootstrap(auc, seen, unseen, rng), 0.5, BAR, len(unseen),
                     f"chance that a training item is told from a held-out one {way} (area under the ROC curve): .5 is guessing")]
    if len(unseen) >= ENOUGH:
        found.append(Finding(f"{name}_sure", *bootstrap(caught, seen, unseen, rng.child("sure")), 0.01, RARE, len(unseen),
                             f"share of training items told {way} while 1 % of the held-out ones are taken for such: .01 is guessing"))
    return found
