"""Models that are counts of their items, taken apart and put together again."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ilk import registry
from ilk.distribution import Counted
from ilk.errors import UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.store import State


def counting(model: Model, asked: str, remedy: str) -> Any:
    """The distribution of a model that is counts of its items and nothing else; UsageError for any other."""
    if not isinstance(model.body, Counted):
        name = registry.name_of("families", model.body.family)
        raise UsageError(f"{name} can't {asked}: what it learned are not the counts of its items (chow_liu and ngram have them)", code="CAPABILITY", remedy=remedy)
    for column in getattr(model.modality, "columns", ()):
        if column.kind == "text":   # its law is part of the coding and learned from all rows
            raise UsageError(f"this model can't {asked}: the law of the free texts of `{column.name}` is no count of rows", code="CAPABILITY", remedy=remedy)
    return model.body


def recounted(model: Model, counts: State, card: Mapping[str, Any]) -> Model:
    """The model that these counts make."""
    body: Any = model.body.family.build(model.lift.space, Rng(0), model.body.about)
    body.absorb(counts)
    kept = {k: v for k, v in model.card.items() if not k.startswith("audit")}   # that was about another model
    return replace(model, body=body, card={**kept, **card})


def noted(model: Model, more: str) -> str:
    """The notes of a card and one more."""
    return "; ".join(note for note in (str(model.card.get("notes", "")), more) if note)
