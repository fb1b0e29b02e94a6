"""Routes: chat, as OpenAI's clients ask for it."""
from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, Response

from ilk.serve.answers import or_events
from ilk.serve.body import Strict
from ilk.serve.caller import needs
from ilk.serve.openai.chat import ChatAsked, chunks, whole
from ilk.serve.openai.fields import header_of
from ilk.serve.openai.told import Completion
from ilk.serve.routes._openai import events_of, known
from ilk.serve.server import Has
from ilk.serve.streamed import streamed
from ilk.serve.wire import unless_gone

router = APIRouter(prefix="/v1/chat", tags=["openai"], dependencies=[needs("chat")], route_class=Strict)
EXAMPLES: Any = {"hello": {"summary": "A question", "value": {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "Hello"}], "seed": 0}}}


@router.post("/completions", summary="An answer to turns", response_model=Completion, responses=or_events("The answer; in events if stream is true."))
async def complete(request: Request, server: Has, asked: Annotated[ChatAsked, Body(openapi_examples=EXAMPLES)]) -> Response:
    """The model's answer to the turns so far: text, calls of tools, or JSON of a schema."""
    known(server.engine, asked.model)
    talks = asked.talks(server.limits)
    headers = {**header_of(asked.ignored()), "x-ilk-seed": str(talks[0].want.seed)}
    if asked.stream:
        return await streamed(request, events_of(chunks(server.engine, talks, asked.usage())), headers)
    return JSONResponse(await unless_gone(request, whole(server.engine, talks)), headers=headers)
