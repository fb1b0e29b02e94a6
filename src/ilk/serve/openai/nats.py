"""Tokens with their log probabilities, as chats and as completions tell them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Tokens = Sequence[Mapping[str, Any]]   # text, nats, others: the pieces of `Token` as JSON


def chat_nats(tokens: Tokens, most: int) -> dict[str, Any]:
    """For a chat: each token with the `most` likeliest at its place, itself among them if it is one."""
    return {"content": [{**_weight(t["text"], t["nats"]), "top_logprobs": [_weight(*o) for o in _best(t, most)]} for t in tokens], "refusal": None}


def text_nats(tokens: Tokens, most: int, start: int) -> dict[str, Any]:
    """For a text that begins at that letter of what is told."""
    offsets = [start]
    for token in tokens:
        offsets.append(offsets[-1] + len(token["text"]))
    return {"tokens": [t["text"] for t in tokens], "token_logprobs": [t["nats"] for t in tokens],
            "top_logprobs": [dict(_best(t, most)) for t in tokens] if most else None, "text_offset": offsets[:-1]}


def _best(token: Mapping[str, Any], most: int) -> list[tuple[str, float]]:
    return sorted([(token["text"], token["nats"]), *((text, nats) for text, nats in token.get("others", ()))], key=lambda one: -one[1])[:most]


def _weight(text: str, nats: float) -> dict[str, Any]:
    return {"token": text, "logprob": nats, "bytes": list(text.encode("utf-8", "replace"))}
