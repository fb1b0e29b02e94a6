"""continue_: a bare text gone on with. {"text", "want"} -> pieces as those of chat."""
from __future__ import annotations

from collections.abc import Iterator

from ilk.chat import Continues
from ilk.errors import UsageError
from ilk.serve.ops.chat import told
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs._turns import want_from_json


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """The pieces as the model makes them."""
    chat = held.talks()
    if not isinstance(chat, Continues):
        raise UsageError(f"{held.name} answers turns, and does not go on with a bare text", code="CAPABILITY", param="model", remedy="ask it to chat")
    for piece in chat.continued(str(ask.body["text"]), want_from_json(ask.body.get("want", {}))):
        yield Reply(told(piece))
