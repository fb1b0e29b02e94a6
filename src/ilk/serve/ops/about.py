"""about: what a model is, can, and can be asked. {} -> one piece {"kind", "family", "can", "score", "labels", "givens", "ways", "shape", "card", "signed"}."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ilk import registry
from ilk.distribution import Completes, Conditions, Encodes, Samples, Unfolds
from ilk.errors import IlkError
from ilk.modality import Fills, HasParts
from ilk.model import Model, card_text
from ilk.serve.ops._form import givens_of, ways_of
from ilk.serve.ops._items import kind
from ilk.serve.work import Ask, Held, Reply
from ilk.space import Reals
from ilk.verbs.score import sort_said


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """Worked out once."""
    if "about" not in held.memo:
        held.memo["about"] = about(held)
    yield Reply(held.memo["about"])


def about(held: Held) -> dict[str, Any]:
    """Of a folder everything; of an address what it answers to."""
    talks = [*(["chat"] if held.chat is not None else []), *(["continue"] if held.chat is not None else []), *(["embed"] if held.embeds is not None else [])]
    if held.model is None:
        return {"kind": "text" if held.chat is not None else None, "family": None, "can": talks, "score": None, "labels": [], "givens": [], "ways": [], "shape": None,
                "card": f"# {held.name}\n", "signed": False}
    model = held.model
    shape = getattr(model.modality, "shape", ())
    return {"kind": kind(model.modality), "family": registry.name_of("families", model.body.family), "can": [*can(model), *talks], "score": _score(model),
            "labels": [v.item() if hasattr(v, "item") else v for v in model.labels], "givens": _told(givens_of, model), "ways": _told(ways_of, model),
            "shape": list(shape) if shape else None, "card": card_text(unplaced(model)), "signed": False}


def can(model: Model) -> list[str]:
    """The verbs that it does not refuse for want of a capability."""
    body = model.body
    parts, codes = isinstance(model.modality, HasParts), isinstance(body, Encodes) and isinstance(body.code_space(), Reals)
    said = {"sample": isinstance(body, Samples), "score": _score(model) is not None, "edit": parts and isinstance(body, Samples), "steps": isinstance(body, Unfolds),
            "steer": isinstance(body, Unfolds), "impute": isinstance(model.codec, Fills) and (isinstance(body, Completes) or (parts and isinstance(body, Conditions))),
            "vary": codes, "interpolate": codes, "evaluate": isinstance(body, Samples)}
    return [verb for verb, it_can in said.items() if it_can]


def unplaced(model: Model) -> Model:
    """The model with its data by their name alone: where they lay is nobody's business."""
    data = str(model.card.get("data") or "")
    return replace(model, card={**model.card, "data": data.replace("\\", "/").rstrip("/").rpartition("/")[2]}) if data else model


def _score(model: Model) -> str | None:
    try:
        return sort_said(model)
    except IlkError:
        return None


def _told(ask: Any, model: Model) -> list[Any]:
    """A form, empty for a model that can't be asked for one (it makes nothing)."""
    try:
        found: list[Any] = ask(model)
    except IlkError:
        return []
    return found
