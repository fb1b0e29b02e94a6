"""What verbs on items that are there already share: the model with its givens, items as it sees them and back."""
from __future__ import annotations

from typing import Any

from ilk import registry
from ilk.batch import Batch
from ilk.errors import UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs.condition import flat
from ilk.verbs.read import native
from ilk.verbs.sample import MOST


def body_of(model: Model) -> Any:
    """The distribution with all that is given; UsageError for a given that could only be met by throwing items away."""
    if not model.givens:
        return model.body
    if model.met.picky:
        left = [said for said, how in model.met.parts if how in ("rejected", "estimate")]
        raise UsageError(f"{' and '.join(left)} is met by choosing among many draws, and there is nothing to choose from here", code="GIVEN", param="given",
                         remedy="ask for a label or a prompt, or use a family that meets it exactly or by guidance")
    return model.met.scorer


def lacks(model: Model, what: str, capability: str, remedy: str) -> UsageError:
    """Why a model can't do it."""
    name = registry.name_of("families", model.body.family)
    given = " with what is given to it" if model.givens else ""
    return UsageError(f"{name}{given} {what}: it lacks {capability}", code="CAPABILITY", remedy=remedy)


def seen(model: Model, items: Any, rng: Rng) -> Batch:
    """Raw items as the distribution sees them; UsageError if there is none."""
    found = native(model.modality, items)
    if not len(found):
        raise UsageError("there is no item", code="ITEMS", remedy="pass one at least")
    return flat(model, found, rng)


def raw(model: Model, batch: Batch, rng: Rng) -> Any:
    """The same back as people hold them, what is kept being kept."""
    codec = model.met.codec if model.givens else model.codec
    return codec.decode(model.lift.decode(batch), rng)


def times(n: int) -> int:
    """How many of each item; UsageError for none."""
    if not 1 <= n <= MOST:
        raise UsageError(f"n is {n}", remedy=f"1 to {MOST} items", code="OPTION", param="n")
    return n
