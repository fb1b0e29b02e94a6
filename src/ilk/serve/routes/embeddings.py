"""Routes: vectors of texts, as OpenAI's clients ask for them."""
from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from ilk.serve.body import Strict
from ilk.serve.caller import needs
from ilk.serve.openai.embeddings import EmbeddingsAsked, vectors
from ilk.serve.openai.fields import header_of
from ilk.serve.openai.told import Vectors
from ilk.serve.routes._openai import known
from ilk.serve.server import Has
from ilk.serve.wire import unless_gone

router = APIRouter(prefix="/v1/embeddings", tags=["openai"], dependencies=[needs("chat")], route_class=Strict)
EXAMPLES: Any = {"one": {"summary": "A text", "value": {"model": "all-minilm-l6-v2", "input": "Good day to you"}}}


@router.post("", summary="Vectors of texts", response_model=Vectors)
async def embed(request: Request, server: Has, asked: Annotated[EmbeddingsAsked, Body(openapi_examples=EXAMPLES)]) -> JSONResponse:
    """A vector of length 1 for each text; the inner product of two says how alike the texts are."""
    known(server.engine, asked.model)
    work = vectors(server.engine, asked, asked.texts(server.limits))
    return JSONResponse(await unless_gone(request, work), headers=header_of(asked.unknown()))
