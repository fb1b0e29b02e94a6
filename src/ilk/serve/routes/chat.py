"""Routes: chat, as OpenAI's clients ask for it."""
from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel

from ilk.chat import Turn
from ilk.serve.caller import needs
from ilk.serve.server import Has, Server
from ilk.serve.wire import unless_gone
from ilk.serve.work import Ask
from ilk.verbs._turns import turn_to_json

router = APIRouter(prefix="/v1/chat", tags=["chat"], dependencies=[needs("chat")])


class Message(BaseModel):
    """A turn."""

    role: str
    content: str


class Chat(BaseModel):
    """What is asked."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None


@router.post("/completions")
async def complete(request: Request, server: Has, asked: Chat) -> dict[str, Any]:
    """An answer."""
    return await unless_gone(request, _whole(server, asked))


async def _whole(server: Server, asked: Chat) -> dict[str, Any]:
    turns = [turn_to_json(Turn.of(m.role, m.content)) for m in asked.messages]  # type: ignore[arg-type]
    want = {} if asked.max_tokens is None else {"most": asked.max_tokens}
    pieces = [piece.body async for piece in server.engine.ask(asked.model, Ask("chat", {"turns": turns, "want": want}))]
    end = pieces[-1]["end"]
    text = "".join(p.get("text", "") for p in pieces)
    return {"id": "chatcmpl-0", "object": "chat.completion", "created": int(time.time()), "model": asked.model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": end["why"]}],
            "usage": {"prompt_tokens": end["read"], "completion_tokens": end["made"], "total_tokens": end["read"] + end["made"]}}
