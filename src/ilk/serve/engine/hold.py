"""A model as a process that works holds it: opened, its tokens made for several at once, and what can be told of it."""
from __future__ import annotations

from typing import Any

from ilk.serve.here import held
from ilk.serve.work import Held


def hold(name: str, place: str) -> Held:
    """The model at a place."""
    return held(name, place)


def about(held: Held) -> dict[str, Any]:
    """What a list of models tells of it."""
    return {}
