"""Routes: completions, as OpenAI's older clients ask for them: they work on any model of texts."""
from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, Response

from ilk.serve.answers import or_events
from ilk.serve.body import Strict
from ilk.serve.caller import needs
from ilk.serve.openai.completions import TextAsked, chunks, whole
from ilk.serve.openai.fields import header_of
from ilk.serve.openai.told import TextCompletion
from ilk.serve.routes._openai import events_of, known
from ilk.serve.server import Has
from ilk.serve.streamed import streamed
from ilk.serve.wire import unless_gone

router = APIRouter(prefix="/v1/completions", tags=["openai"], dependencies=[needs("chat")], route_class=Strict)
EXAMPLES: Any = {"more": {"summary": "More of a text", "value": {"model": "smollm2-135m-instruct", "prompt": "Once upon a time", "max_tokens": 8, "seed": 0}},
                 "weigh": {"summary": "How likely a text is",
                 "value": {"model": "smollm2-135m-instruct", "prompt": "Once upon a time", "max_tokens": 0, "echo": True, "logprobs": 0}}}


@router.post("", summary="More of a text, or how likely it is", response_model=TextCompletion, responses=or_events("The texts; in events if stream is true."))
async def complete(request: Request, server: Has, asked: Annotated[TextAsked, Body(openapi_examples=EXAMPLES)]) -> Response:
    """What the model writes after a text; with echo and logprobs the log probability of every token of the text itself."""
    known(server.engine, asked.model)
    parts = asked.parts(server.limits)
    headers = {**header_of(asked.ignored()), "x-ilk-seed": str(parts[0].talk.want.seed)}
    if asked.stream:
        return await streamed(request, events_of(chunks(server.engine, parts, asked.usage())), headers)
    return JSONResponse(await unless_gone(request, whole(server.engine, parts)), headers=headers)
