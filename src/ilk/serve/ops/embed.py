"""embed: texts as vectors. {"texts"} -> one piece {"n", "size", "tokens"} and a blob of n * size little-endian float32 numbers; tokens are null where they aren't counted."""
from __future__ import annotations

from collections.abc import Iterator

from ilk.chat import Counts
from ilk.errors import UsageError
from ilk.serve.work import Ask, Held, Reply

ROUND = 16   # texts between which work can end


def run(held: Held, ask: Ask) -> Iterator[Reply | None]:
    """All vectors, in the order of the texts."""
    if held.embeds is None:
        raise UsageError(f"{held.name} makes no vectors of texts", code="CAPABILITY", param="model", remedy="GET /v1/models says what each can do")
    texts, blob = list(ask.body["texts"]), b""
    for start in range(0, len(texts), ROUND):
        blob += held.embeds.embed(texts[start:start + ROUND]).astype("<f4").tobytes()
        yield None
    tokens = sum(map(held.embeds.count, texts)) if isinstance(held.embeds, Counts) else None
    yield Reply({"n": len(texts), "size": held.embeds.size, "tokens": tokens}, (blob,))
