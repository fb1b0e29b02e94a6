"""Verbatim: the longest runs of letters that made texts share with training texts."""
from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from ..attack import Attack, Finding, Target, Unmeasured
from ..rng import Rng
from ._figures import bootstrap
from ..metrics._runs import LONGEST, corpus, longest

TEXTS, FEWEST, LEAST, TIMES = 100, 5, 20, 2


class Verbatim(Attack):
    """The longest run that any made text shares with the training texts, and whether it is more than twice what held-out real texts share with them."""

    needs: ClassVar[tuple[str, ...]] = ("made", "known", "unseen")
    modalities: ClassVar[tuple[str, ...]] = ("text",)

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """Letters, of as many made as held-out texts, cut to the same lengths."""
        pairs = list(zip(target.made[:TEXTS], target.unseen[:TEXTS], strict=False))
        if len(pairs) < FEWEST:
            return Unmeasured(f"{len(pairs)} texts are too few: {FEWEST}")
        letters = corpus(target.known)
        sizes = [min(LONGEST, max(len(made), 1), max(len(real), 1)) for made, real in pairs]
        made, real = (torch.tensor([longest(pair[side][:size], letters).letters for pair, size in zip(pairs, sizes, strict=True)]).double() for side in (0, 1))
        return [Finding("verbatim", *bootstrap(lambda mine, _: mine.amax(-1), made, real, rng), float(real.max()), max(LEAST, TIMES * float(real.max())), len(pairs),
                        "letters of the longest run that a made text shares with the training texts; the null is that of held-out texts of the same lengths")]
