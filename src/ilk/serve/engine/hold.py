"""A model as a process that works holds it: opened, its tokens made for several at once, and what can be told of it."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from ilk.backend import parted
from ilk.serve.here import held
from ilk.serve.work import Held

SLOTS = 4   # answers that a model of llama.cpp makes side by side, unless its address says how many


def hold(name: str, place: str) -> Held:
    """The model at a place."""
    found = held(name, _several(place))
    if found.model is None:
        return found
    from ilk.backends.local import LocalModel
    from ilk.serve.engine.tokens import Shared

    return replace(found, chat=Shared(found.chat.name, found.model)) if isinstance(found.chat, LocalModel) else found


def _several(place: str) -> str:
    if not place.startswith("gguf:") or "slots" in parted(place)[2]:
        return place
    return f"{place}{'&' if '?' in place else '?'}slots={SLOTS}"


def about(held: Held) -> dict[str, Any]:
    """What a list of models tells of it: what it can, and of a folder's model its kind, its family and of what sort its scores are."""
    if held.model is not None:
        from ilk import registry
        from ilk.serve.ops.about import can

        every = [*can(held.model), *(["chat", "continue"] if held.chat is not None else [])]
        return {"kind": registry.name_of("modalities", held.model.modality), "family": registry.name_of("families", held.model.body.family), "can": every}
    return {"kind": "text", "can": [*(["chat", "continue", "sample"] if held.chat is not None else []), *(["embed"] if held.embeds is not None else [])]}
