"""Routes: responses, the newer form of chat."""
from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, Response

from ilk.serve.answers import or_events
from ilk.serve.body import Strict
from ilk.serve.caller import needs
from ilk.serve.openai.fields import header_of
from ilk.serve.openai.responses import ResponsesAsked, events, whole
from ilk.serve.openai.told import ResponseTold
from ilk.serve.routes._openai import known
from ilk.serve.server import Has
from ilk.serve.streamed import streamed
from ilk.serve.wire import event, unless_gone

router = APIRouter(prefix="/v1/responses", tags=["openai"], dependencies=[needs("chat")], route_class=Strict)
EXAMPLES: Any = {"hello": {"summary": "A question", "value": {"model": "smollm2-135m-instruct", "input": "Hello", "seed": 0}}}


@router.post("", summary="An answer, in the form of responses", response_model=ResponseTold, responses=or_events("The answer; in events if stream is true."))
async def respond(request: Request, server: Has, asked: Annotated[ResponsesAsked, Body(openapi_examples=EXAMPLES)]) -> Response:
    """The model's answer to a text or to the turns so far. Nothing is kept: each request says all that is to be known."""
    known(server.engine, asked.model)
    talk = asked.talk(server.limits)
    headers = {**header_of(asked.ignored()), "x-ilk-seed": str(talk.want.seed)}
    if asked.stream:
        return await streamed(request, _events(events(server.engine, talk, asked)), headers)
    return JSONResponse(await unless_gone(request, whole(server.engine, talk, asked)), headers=headers)


async def _events(said: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(said):
        async for one in said:
            yield event(one, one["type"])
