"""background: pictures with another background; what stands before it is kept to the bit."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ilk import registry
from ilk.distribution import How
from ilk.errors import UsageError
from ilk.model import Model
from ilk.region import Mask, mask
from ilk.verbs._foreground import foreground
from ilk.verbs.edit import anew


@dataclass(frozen=True, eq=False)
class Backgrounds:
    """Pictures, n of each; which pixels of each given one were taken for foreground, (given, height, width); and how what is kept was met."""

    items: Any
    foreground: Any
    met: str


def background(model: Model, items: Any, n: int = 1, seed: int = 0, how: How | None = None) -> Backgrounds:
    """n pictures for each of these with its background made anew by the model: as `edit` of all that does not stand out.

    What stands out is found by colour: pixels unlike those along the border, the largest piece of them. Where that is not what is meant, look
    at `foreground` and say it by hand: `ilk.edit(model, items, ilk.outside(ilk.mask(array)))`. What the model is given holds for the background too.
    """
    if registry.name_of("modalities", model.modality) != "image":
        raise UsageError(f"items of {type(model.modality).__name__} have no background: they are no pictures", code="CAPABILITY", remedy="ilk edit makes parts of them anew")
    seen = []

    def behind(picture: Any) -> Mask:
        seen.append(foreground(picture[0]))
        return mask(~seen[-1])

    found = anew(model, items, behind, n, seed, how)
    return Backgrounds(found.items, np.stack(seen), found.met)
