"""count: how many tokens turns or a text are. {"turns", "tools"} or {"text"} -> one piece {"tokens", "window"}, the window null where it is not known."""
from __future__ import annotations

from collections.abc import Iterator

from ilk.chat import Counts
from ilk.errors import UsageError
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs._turns import turn_from_json, want_from_json


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """The number."""
    chat = held.talks()
    if not isinstance(chat, Counts):
        raise UsageError(f"{held.name} does not count tokens", code="CAPABILITY", param="model", remedy="its answers say how many were read")
    turns = ask.body.get("turns")
    text = str(ask.body.get("text", "")) if turns is None else chat.written([turn_from_json(t) for t in turns], want_from_json({"tools": ask.body.get("tools", ())}).tools)
    yield Reply({"tokens": chat.count(text), "window": chat.window})
