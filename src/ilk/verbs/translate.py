"""translate: items of one domain as items of another."""
from __future__ import annotations

from typing import Any

from ilk import registry
from ilk.distribution import Translates
from ilk.errors import UsageError, nearest
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs.condition import flat
from ilk.verbs.read import native


def translate(model: Model, items: Any, to: int | str, seed: int = 0) -> Any:
    """Each of these items, which are of another domain, as an item of the domain with the label `to`.

    `seed` is for what the coding of the items leaves to chance, the last digits of numbers; translating draws nothing.

    >>> import ilk, numpy as np, torch
    >>> from dataclasses import replace
    >>> x = ilk.Rng(1).normal(200, 2).numpy()
    >>> domain = ilk.Labels(torch.arange(2).repeat_interleave(200), ("low", "high"))
    >>> model = ilk.fit(replace(ilk.read(np.concatenate([x, x + 5])), labels=domain), ilk.CycleGAN(), budget=ilk.Steps(5))
    >>> bool((translate(model, x, to="high").mean(0) > 4).all())
    True
    """
    name = registry.name_of("families", model.body.family)
    if not isinstance(model.body, Translates):
        raise UsageError(f"{name} does not translate: it lacks Translates", code="CAPABILITY", remedy="cyclegan does, fitted with items of two labels")
    if to not in model.labels:
        raise UsageError(f"no label {to!r}", code="OPTION", param="to", remedy=nearest(str(to), model.labels))
    found = native(model.modality, items)
    if not len(found):
        raise UsageError("there is no item", code="ITEMS", remedy="pass one at least")
    made = model.body.translate(flat(model, found, Rng(seed).child("code")), model.labels.index(to))
    return model.codec.decode(model.lift.decode(made), Rng(seed).child("raw"))
