"""chat: an answer to turns. {"turns": [...], "want": {...}} -> pieces {"text", "tokens", "call", "end"}, the end last."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ilk.chat import Delta
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs._turns import turn_from_json, want_from_json


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """The pieces as the model makes them."""
    turns, want = [turn_from_json(t) for t in ask.body["turns"]], want_from_json(ask.body.get("want", {}))
    for piece in held.talks().chat(turns, want):
        yield Reply(told(piece))


def told(piece: Delta) -> dict[str, Any]:
    """A piece as JSON, without what it lacks."""
    return {k: v for k, v in asdict(piece).items() if v}
