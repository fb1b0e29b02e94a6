"""Verbatim: the longest runs of letters that made texts share with training texts."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from ..attack import Attack, Finding, Target, Unmeasured
from ..metrics._runs import corpus, longest
from ..rng import Rng
from ._figures import bootstrap

TEXTS, FEWEST, LEAST, TIMES = 100, 5, 20, 2


class Verbatim(Attack):
    """The longest run that any made text shares with the training texts, and whether it is more than twice what held-out real texts share with them."""

    needs: ClassVar[tuple[str, ...]] = ("made", "known", "unseen")
    modalities: ClassVar[tuple[str, ...]] = ("text",)

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """Letters, of as many made as held-out texts."""
        many = min(TEXTS, len(target.made), len(target.unseen))
        if many < FEWEST:
            return Unmeasured(f"{many} texts are too few: {FEWEST}")
        letters = corpus(target.known)
        made, real = (torch.tensor([longest(text, letters).letters for text in side[:many]]).double() for side in (target.made, target.unseen))
        return [Finding("verbatim", *bootstrap(lambda mine, _: mine.amax(-1), made, real, rng), float(real.max()), max(LEAST, TIMES * float(real.max())), many,
                        "letters of the longest run that a made text shares with the training texts; the null is that of as many held-out texts")]
