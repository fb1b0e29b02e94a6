"""Embeddings: texts as vectors."""
from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ilk.errors import UsageError
from ilk.serve.limits import Limits
from ilk.serve.openai.completions import token_input
from ilk.serve.openai.fields import TEXTS, ForModel, at_most
from ilk.serve.work import Ask, Engine


class EmbeddingsAsked(ForModel):
    """Vectors of texts."""

    input: Annotated[str | list[str] | list[int] | list[list[int]], TEXTS]
    """A text or several. Numbers of tokens are not taken: they belong to another vocabulary."""
    encoding_format: Literal["float", "base64"] | None = None
    """Numbers, or base64 of their bytes as little-endian float32."""
    dimensions: Annotated[int, Field(ge=1)] | None = None
    """Refused unless it is what the model has: a vector that is cut off is another, worse one."""

    def texts(self, limits: Limits) -> list[str]:
        """The texts; UsageError for tokens, none or too many."""
        if not isinstance(self.input, str) and any(not isinstance(t, str) for t in self.input):
            raise token_input("input", "send texts; with LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False)")
        found = [self.input] if isinstance(self.input, str) else [t for t in self.input if isinstance(t, str)]
        if not found:
            raise UsageError("input: there is no text", code="invalid_request", param="input")
        at_most(len(found), limits.items, "input")
        return found


async def vectors(engine: Engine, asked: EmbeddingsAsked, texts: Sequence[str]) -> dict[str, Any]:
    """The vectors as one object."""
    (reply,) = [reply async for reply in engine.ask(asked.model, Ask("embed", {"texts": list(texts)}))]
    rows = np.frombuffer(reply.blobs[0], "<f4").reshape(reply.body["n"], reply.body["size"])
    if asked.dimensions not in (None, rows.shape[1]):
        raise UsageError(f"dimensions: the vectors of {asked.model} have {rows.shape[1]} numbers", code="dimensions_unsupported", param="dimensions", remedy="leave it out")
    data = [{"object": "embedding", "index": i, "embedding": b64encode(row.tobytes()).decode() if asked.encoding_format == "base64" else row.tolist()}
            for i, row in enumerate(rows)]
    read = int(reply.body.get("tokens") or 0)
    return {"object": "list", "model": asked.model, "data": data, "usage": {"prompt_tokens": read, "total_tokens": read}}
