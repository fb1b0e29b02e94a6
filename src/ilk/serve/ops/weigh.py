"""weigh: the tokens of a text with their nats. {"text", "after": a text or turns, "ended"} -> one piece {"tokens": [{"text", "nats"}]}."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from ilk.chat import Weighs
from ilk.errors import UsageError
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs._turns import turn_from_json


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """All of them."""
    chat = held.talks()
    if not isinstance(chat, Weighs):
        raise UsageError(f"{held.name} does not tell the probabilities of tokens", code="CAPABILITY", param="model", remedy="GET /v1/models says what each can do")
    after = ask.body.get("after", "")
    found = chat.weigh(str(ask.body["text"]), after if isinstance(after, str) else [turn_from_json(t) for t in after], bool(ask.body.get("ended", False)))
    yield Reply({"tokens": [asdict(token) for token in found]})
