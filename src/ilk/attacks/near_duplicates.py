"""Copies: training items that stand, unchanged or nearly so, among the made ones."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..attack import Attack, Finding, Target, Unmeasured
from ..metrics._nearest import nearest
from ..rng import Rng
from ._figures import shares
from ._points import head

NEAR, MARGIN = 0.1, 0.01


class NearDuplicates(Attack):
    """The share of training items that some made item repeats, beside that of as many held-out items: a model that copies nothing repeats both alike.

    Near is a tenth of the distance that held-out items usually have to their nearest training item. Texts are repeated letter by letter, but for spaces.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "known", "unseen")

    def find(self, target: Target, rng: Rng) -> Sequence[Finding] | Unmeasured:
        """One share."""
        if target.points is None and not isinstance(target.made, list):
            return Unmeasured("no distance between such items")
        seen, unseen = _texts(target) if target.points is None else _points(*target.placed)
        return [shares("near_duplicates", seen, unseen, MARGIN, "share of training items repeated, exactly or nearly, by a made item; the null is that of held-out items")]


def _points(made: Any, known: Any, unseen: Any) -> tuple[Tensor, Tensor]:
    near = NEAR * float(nearest(unseen, known)[0].median())
    seen, other = (nearest(side, made)[0] <= near for side in (head(known, len(unseen)), unseen))
    return seen, other


def _texts(target: Target) -> tuple[Tensor, Tensor]:
    made = {" ".join(text.split()) for text in target.made}
    seen, unseen = (torch.tensor([" ".join(text.split()) in made for text in side]) for side in (target.seen, target.unseen))
    return seen, unseen
