"""Membership by likelihood ratio: what a model says of an item, beside what models say that did and did not learn from it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from ..attack import Attack, Finding, Shadows, Target, Unmeasured
from ..rng import Rng
from .membership import FEWEST, told

SMALLEST = 1e-6


class LikelihoodRatio(Attack):
    """LiRA (Carlini et al. 2022) with few shadows, hence one variance for all items: stronger than `membership`, since an item that is easy anyway proves nothing."""

    needs: ClassVar[tuple[str, ...]] = ("known", "unseen", "scores")
    asks: ClassVar[str] = "shadows"

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """The same figures as of `membership`."""
        if target.scores is None or target.shadows is None or len(target.unseen) < FEWEST:
            return Unmeasured(f"{len(target.unseen)} held-out items are too few: {FEWEST}")
        (seen, unseen), shadows = target.scores(), target.shadows()
        ratio = evidence(torch.cat([seen, unseen]), shadows)
        return told("likelihood_ratio", f"by their likelihood ratio under {len(shadows.nats)} shadow models", ratio[: len(seen)], ratio[len(seen):], rng)


def evidence(nats: Tensor, shadows: Shadows) -> Tensor:
    """Log p(score | learned from) - log p(score | not), (n,): normal laws, a mean for each item and one variance for all."""
    low = min(float(x[x.isfinite()].min()) for x in (nats, shadows.nats))
    every, mine, inside = shadows.nats.clamp_min(low), nats.clamp_min(low), shadows.member.double()
    laws = []
    for part in (inside, 1 - inside):
        mean = (every * part).sum(0) / part.sum(0).clamp_min(1)
        spread = max(SMALLEST, float(((every - mean).square() * part).sum() / (part.sum() - len(mean)).clamp_min(1)))
        laws.append(-(mine - mean).square() / (2 * spread) - 0.5 * torch.tensor(spread).log())
    return laws[0] - laws[1]
