"""openai: any server that speaks as OpenAI's does, by URL or by the name of a known one: vLLM, TGI, Ollama, llama.cpp, LM Studio, and those in the cloud."""
from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import numpy as np
from annotated_types import Interval

from ..backend import Backend
from ..chat import Chat, Delta, Embeds, End, Grammar, Pattern, Schema, Turn, Vectors, Want
from ..errors import IlkError, ModelError, UsageError, nearest
from ..shapes import checked
from ._endpoint import Endpoint, Patience, Purse
from ._openai_wire import Pieces, messages
from ._servers import OWN, SERVERS, Server
from ._stop import Stops
from ._turns import functions

Seconds = Annotated[float, Interval(gt=0, le=86_400)]
Limit = Annotated[int, Interval(ge=1)] | None
_PURSES: dict[str, Purse] = defaultdict(Purse)   # what this process has spent, by URL
_TOO_LONG = re.compile(r"context.?(length|window|size)|maximum.{0,20}(length|tokens)|prompt is too long|input.{0,20}too long|too many (input )?tokens", re.I)
_NO_TOOLS = re.compile(r"not support (tool|function)|tool choice requires|requires --jinja|tools.{0,30}not supported", re.I)
_ENDS: dict[str, Literal["stop", "length"]] = {"length": "length", "max_tokens": "length"}
MOST_STOPS, AT_ONCE = 4, 64   # stop strings that servers take, texts of one request for vectors


@dataclass(frozen=True, kw_only=True)
class Openai(Backend):
    """`openai:MODEL?url=http://127.0.0.1:8000/v1`, `openai:gpt-5-mini`, `openai:ollama/llama3.2` or `openai:qwen-plus?preset=qwen`.

    The key is read from the environment and stands in no address: from the preset's own variable, or the one that `key_from` names. Seconds: `connect` until a
    connection stands, `first` until the next piece comes, `whole` for the answer. What fails for a while is tried `retries` times again. `requests` and
    `tokens` are what this process may spend on the server.
    """

    url: str = ""
    preset: str = ""
    kind: Literal["chat", "embed"] = "chat"
    key_from: str = ""
    window: Limit = None
    connect: Seconds = 10.0
    first: Seconds = 120.0
    whole: Seconds = 900.0
    retries: Annotated[int, Interval(ge=0, le=10)] = 3
    requests: Limit = None
    tokens: Limit = None

    def names(self) -> Sequence[str]:
        """None: the server knows."""
        return ()

    def open(self, name: str) -> Chat | Embeds:
        """The model of that name there; nothing is asked yet. UsageError for an unknown preset, a bad URL, a missing model name or key."""
        server, model = self._server(name)
        if not model:
            raise UsageError("the address names no model", code="ADDRESS", param="model", remedy="such as openai:ollama/llama3.2")
        url = _checked_url(self.url or server.url)
        purse, key = _PURSES[url], _key(self.key_from or server.key_from)
        endpoint = Endpoint(url, Patience(self.connect, self.first, self.whole, self.retries), _refused, lambda: purse.ask(self.requests, self.tokens), key)
        if self.kind == "embed":
            return _Embeds(self.address(name), model, endpoint)
        return _Chats(self.address(name), self.window, model, server, endpoint, purse.pay)

    def _server(self, name: str) -> tuple[Server, str]:
        """The server, by option, by the first part of the name or by URL, and the model's name there."""
        first, slash, rest = name.partition("/")
        if not self.preset and not self.url and slash and first in SERVERS:
            return SERVERS[first], rest
        if self.preset and self.preset not in SERVERS:
            raise UsageError(f"no preset named {self.preset[:60]!r}", code="PRESET", param="preset", remedy=nearest(self.preset, SERVERS))
        server = SERVERS[self.preset or "openai"] if self.preset or not self.url else OWN
        return server, name


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and not (parts.query or parts.fragment)
    except ValueError:
        good, parts = False, urlsplit("")
    if parts.username or parts.password:
        raise UsageError("an address holds no password", code="URL", param="url", remedy="put it into a variable of the environment, and name that by key_from=")
    if not good:
        raise UsageError(f"{url[:120]!r} is no URL of a server", code="URL", param="url", remedy="such as http://127.0.0.1:8000/v1")
    return url.rstrip("/")


def _key(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip() if re.fullmatch(r"[A-Z][A-Z0-9_]{0,99}", variable) else ""
    if not key or not (key.isascii() and key.isprintable()):
        raise UsageError(f"the key is missing: the variable {variable if variable.isupper() else 'named by key_from'} of the environment holds none", code="KEY",
                         param="key_from", remedy="set it to the key that the server gave you")
    return key


def _refused(status: int, said: str) -> IlkError:
    """The error that a server's refusal is."""
    if status in (400, 413, 422) and _TOO_LONG.search(said):
        return UsageError(f"this does not fit in the model's window: {said}", code="CONTEXT", param="turns", remedy="fewer or shorter turns, or a smaller most")
    if status in (400, 404, 422, 500, 501) and _NO_TOOLS.search(said):
        return UsageError(f"this model calls no tools: {said}", code="TOOLS", param="tools")
    code, remedy = {401: ("KEY", "is the key right?"), 403: ("KEY", "may this key use the model?"), 404: ("NOT_FOUND", "is the name of the model right, and the url?"),
                    429: ("RATE", "wait, or ask less often")}.get(status, ("ENDPOINT", None))
    if status in (400, 422):
        return UsageError(f"the server refuses the request: {said}", code="ENDPOINT", remedy=remedy)
    return ModelError(f"the server answers {status}: {said}", code=code, remedy=remedy)


@dataclass(frozen=True)
class _Chats:
    name: str
    window: int | None
    model: str
    server: Server
    endpoint: Endpoint = field(repr=False)
    pay: Callable[[int], None] = field(repr=False)

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """The server's answer. What it read and made is as it tells, else what was made is counted by pieces."""
        told = {} if want.alternatives is None else {"logprobs": True, "top_logprobs": want.alternatives}
        offered = {"tools": functions(want.tools)} if want.tools else {}
        return self._answer("chat/completions", {"messages": messages(turns), **offered, **told}, want)

    def continued(self, text: str, want: Want) -> Iterator[Delta]:
        """As `chat`, of a bare text."""
        return self._answer("completions", {"prompt": text, **({} if want.alternatives is None else {"logprobs": want.alternatives})}, want)

    def _answer(self, path: str, what: Mapping[str, Any], want: Want) -> Iterator[Delta]:
        asked = {"model": self.model, **what, **self._wishes(want), "stream": True, "stream_options": {"include_usage": True}}
        pieces, stops, text, weighed = Pieces(), Stops(want.stop), "", 0
        try:
            with closing(self._let(self.endpoint.ask(path, asked), pieces, stops)) as let:
                for piece in let:
                    text, weighed = text + piece.text, weighed + len(piece.tokens)
                    yield piece
        finally:
            self.pay(pieces.read + (pieces.made or pieces.counted))
        if want.alternatives is not None and text and not weighed:
            raise ModelError("this server tells no log probabilities", code="NO_NATS", remedy="ask without alternatives")
        calls = () if stops.met else tuple(pieces.calls())
        if not calls:
            checked(text, want.shape)
        yield from (Delta(call=call) for call in calls)
        why = "calls" if calls else "stop" if stops.met else _ENDS.get(pieces.why or "", "stop")
        yield Delta(end=End(why, pieces.read, pieces.made or pieces.counted))

    def _let(self, chunks: Generator[Any], pieces: Pieces, stops: Stops) -> Generator[Delta]:
        """Text as it may be let out, up to a stop string or the end; ModelError (code BROKEN_OFF) if neither comes."""
        with closing(chunks):
            for chunk in chunks:
                if chunk is None:
                    pieces.why = pieces.why or "stop"
                    break
                yield from stops.add(pieces.of(chunk))
                if stops.met:
                    break
        if pieces.why is None and not stops.met:
            raise ModelError("the answer broke off before its end", code="BROKEN_OFF", remedy="ask again")
        yield from stops.rest()

    def _wishes(self, want: Want) -> dict[str, Any]:
        """What is wanted, in the server's words; UsageError (code WANT, SHAPE) for what it does not know: nothing is left out in silence."""
        said: dict[str, Any] = {"temperature": want.temperature, "seed": want.seed}
        said |= {self.server.most: want.most} if want.most else {}
        said |= {"stop": list(want.stop[:MOST_STOPS])} if want.stop else {}
        said |= {"top_p": want.top_p} if want.top_p < 1 else {}
        said |= {name: value for name, value in (("frequency_penalty", want.frequency), ("presence_penalty", want.presence)) if value}
        said |= {"logit_bias": {str(token): more for token, more in want.bias}} if want.bias else {}
        for name, value in (("top_k", want.top_k), ("min_p", want.min_p or None)):
            if value is not None and name not in self.server.knows:
                raise UsageError(f"this server knows no {name}", code="WANT", param=name, remedy="leave it out")
            said |= {} if value is None else {name: value}
        return said | self._shape(want.shape)

    def _shape(self, shape: Schema | Pattern | Grammar | None) -> dict[str, Any]:
        if shape is None:
            return {}
        if isinstance(shape, Schema):
            return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(shape.schema), "strict": True}}}
        if isinstance(shape, Pattern) and "pattern" in self.server.knows:
            tgi = self.server is SERVERS["tgi"]
            return {"response_format": {"type": "regex", "value": shape.pattern}} if tgi else {"structured_outputs": {"regex": shape.pattern}}
        raise UsageError(f"this server holds no answer to a {type(shape).__name__.lower()}", code="SHAPE", param="shape", remedy="a JSON Schema")


@dataclass(frozen=True)
class _Embeds:
    name: str
    model: str
    endpoint: Endpoint = field(repr=False)
    sizes: list[int] = field(default_factory=list, repr=False)

    @property
    def size(self) -> int:
        """Asked for once."""
        return self.sizes[0] if self.sizes else self.embed(["size"]).shape[1]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of length 1; ModelError (code ENDPOINT_GARBAGE) for any that are none."""
        parts = [self._some(texts[at:at + AT_ONCE]) for at in range(0, len(texts), AT_ONCE)]
        found = np.concatenate(parts) if parts else np.zeros((0, self.size), np.float32)
        self.sizes[:] = self.sizes or [found.shape[1]]
        return found

    def _some(self, texts: Sequence[str]) -> Vectors:
        (said,) = self.endpoint.ask("embeddings", {"model": self.model, "input": list(texts), "encoding_format": "float"})
        try:
            rows = sorted(said["data"], key=lambda row: row["index"])
            found = np.array([row["embedding"] for row in rows], np.float64)
            norms = np.linalg.norm(found, axis=1, keepdims=True)
            whole = [row["index"] for row in rows] == list(range(len(texts))) and found.shape[1] in (self.sizes or found.shape[1:])
            good = whole and bool(np.isfinite(norms).all() and (norms > 0).all())
        except (KeyError, TypeError, ValueError, IndexError):
            good = False
        if not good:
            raise ModelError(f"the server did not answer with {len(texts)} vectors of one size", code="ENDPOINT_GARBAGE", remedy="is it a model of embeddings?")
        vectors: Vectors = (found / norms).astype(np.float32)
        return vectors
