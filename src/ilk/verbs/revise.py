"""revise: items partly made anew, by as much noise as is asked for."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from ilk.batch import Batch
from ilk.distribution import Encodes, How, Revises
from ilk.errors import UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs._told import body_of, lacks, raw, seen, times
from ilk.verbs.edit import vary
from ilk.verbs.read import native


@dataclass(frozen=True, eq=False)
class Revised:
    """Items made anew in part: by noise that was taken away again, or by varied codes."""

    items: Any
    by: Literal["noise", "codes"]


def revise(model: Model, items: Any, strength: float = 0.5, n: int = 1, seed: int = 0, how: How | None = None) -> Any:
    """n revisions of each item: noise is put on it and taken away again, given what is given (SDEdit, Meng et al. 2022).

    `strength` is where on the way from data to noise it begins: 0 gives the items as they are, 1 keeps nothing of them. Details go first, large
    shapes last. Families without noise levels vary the codes of the items instead (see `vary`).

    >>> import ilk, numpy as np
    >>> model = ilk.fit(ilk.Rng(1).normal(200, 2).numpy(), ilk.Diffusion(), budget=ilk.Steps(3))
    >>> bool((revise(model, np.ones((1, 2)), strength=0) == 1).all())
    True
    """
    return revised(model, items, strength, n, seed, how).items


def revised(model: Model, items: Any, strength: float = 0.5, n: int = 1, seed: int = 0, how: How | None = None) -> Revised:
    """As `revise`, and by what."""
    if not 0 <= strength <= 1:
        raise UsageError(f"strength is {strength}", code="OPTION", param="strength", remedy="0 (the items as they are) to 1 (nothing of them)")
    body, rng = body_of(model), Rng(seed).child("revise")
    found = native(model.modality, items)
    each = torch.arange(len(found)).repeat_interleave(times(n))
    if isinstance(body, Revises):
        if strength == 0 and not model.givens:
            return Revised(model.modality.take(found, each), "noise")
        start = Batch(seen(model, found, Rng(0).child("code")).tensor[each])
        return Revised(raw(model, body.revise(start, strength, rng.child("code"), how), rng.child("raw")), "noise")
    if isinstance(body, Encodes) and how is None and not model.givens:
        return Revised(vary(model, found, strength, n, seed), "codes")
    raise lacks(model, "can't revise items", "Revises", "diffusion, flow_matching and score can; families with codes do it by their codes where nothing is given")
