"""A model as a process that works holds it: opened, its tokens made for several at once, and what can be told of it."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from ilk.serve.here import held
from ilk.serve.work import Held


def hold(name: str, place: str) -> Held:
    """The model at a place."""
    found = held(name, place)
    if found.model is None:
        return found
    from ilk.backends.local import LocalModel
    from ilk.serve.engine.tokens import Shared

    return replace(found, chat=Shared(found.chat.name, found.model)) if isinstance(found.chat, LocalModel) else found


def about(held: Held) -> dict[str, Any]:
    """What a list of models tells of it: what it can, and of a folder's model its kind, its family and of what sort its scores are."""
    if held.model is not None:
        from ilk import registry
        from ilk.serve.ops.about import can

        every = [*can(held.model), *(["chat", "continue"] if held.chat is not None else [])]
        return {"kind": registry.name_of("modalities", held.model.modality), "family": registry.name_of("families", held.model.body.family), "can": every}
    return {"kind": "text", "can": [*(["chat", "continue", "sample"] if held.chat is not None else []), *(["embed"] if held.embeds is not None else [])]}
