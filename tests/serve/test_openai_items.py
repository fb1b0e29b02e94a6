"""Vectors and pictures by OpenAI's routes, over an engine that answers as the operations do."""
from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image as pil
import pytest
from fastapi.testclient import TestClient

from ilk.errors import ModelError, UsageError
from ilk.serve.app import build
from ilk.serve.place import Workspace
from ilk.serve.server import Server
from ilk.serve.work import Ask, Reply, Served

ROWS = np.array([[0.6, 0.8], [1.0, 0.0]], dtype="<f4")
FACTS = {"kind": "image", "shape": [8, 6, 3], "labels": [0, 1, 7], "givens": []}


class Fake:
    """An engine of one model, `model`: `does` says the pieces of an answer, or raises. What was asked is remembered, and how many answers were cut off."""

    def __init__(self, does: Callable[[Ask], Iterable[Reply]]) -> None:
        self.does, self.asked, self.cut = does, list[Ask](), 0

    def served(self) -> Sequence[Served]:
        return (Served("model", "fake:", "ready"),)

    async def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        self.asked.append(ask)
        whole = False
        try:
            for reply in self.does(ask):
                yield reply
            whole = True
        finally:
            self.cut += not whole

    async def load(self, name: str) -> None: ...
    async def unload(self, name: str) -> None: ...
    async def close(self) -> None: ...


def png(mode: str = "RGB", size: tuple[int, int] = (6, 8)) -> bytes:
    out = BytesIO()
    pil.new(mode, size).save(out, "PNG")
    return out.getvalue()


def does(ask: Ask) -> Iterable[Reply]:
    if ask.op == "about":
        return [Reply(FACTS)]
    if ask.op == "embed":
        return [Reply({"n": len(ask.body["texts"]), "size": 2, "tokens": 5}, (ROWS[:len(ask.body["texts"])].tobytes(),))]
    return [Reply({"items": [{"mime": "image/png", "blob": i} for i in range(ask.body["n"])]}, tuple(png() for _ in range(ask.body["n"])))]


@pytest.fixture
def engine() -> Fake:
    return Fake(does)


@pytest.fixture
def client(engine: Fake, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(build(Server(engine, Workspace.at(tmp_path))), raise_server_exceptions=False) as found:
        yield found


def code(answer: Any) -> str:
    assert answer.status_code in (400, 404, 413, 415), answer.text
    return str(answer.json()["error"]["code"])


def test_vectors_as_numbers_and_as_bytes(client: TestClient) -> None:
    def made(more: dict[str, Any]) -> Any:
        return client.post("/v1/embeddings", json={"model": "model", "input": ["a", "b"], **more})

    floats, packed = made({}).json(), made({"encoding_format": "base64", "dimensions": 2}).json()
    assert np.allclose([d["embedding"] for d in floats["data"]], ROWS) and floats["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert b"".join(b64decode(d["embedding"]) for d in packed["data"]) == ROWS.tobytes() and [d["index"] for d in packed["data"]] == [0, 1]
    assert len(made({"input": "a"}).json()["data"]) == 1
    told = made({"input": [1, 2]})
    assert code(told) == "token_input_unsupported" and "check_embedding_ctx_length=False" in told.json()["error"]["message"]
    assert [code(made(m)) for m in ({"input": [[1]]}, {"input": []}, {"dimensions": 1}, {"input": ["a"] * 1025}, {"encoding_format": "hex"})] == [
        "token_input_unsupported", "invalid_request", "dimensions_unsupported", "over_limit", "invalid_request"]


def test_pictures_of_a_label_in_the_models_own_size(client: TestClient, engine: Fake) -> None:
    def made(more: dict[str, Any]) -> Any:
        return client.post("/v1/images/generations", json={"model": "model", "prompt": "7", "seed": 3, **more})

    found = made({"n": 2, "size": "6x8", "quality": "high"})
    assert [pil.open(BytesIO(b64decode(d["b64_json"]))).size for d in found.json()["data"]] == [(6, 8)] * 2 and found.headers["x-ilk-ignored"] == "quality"
    assert engine.asked[-1] == Ask("sample", {"n": 2, "seed": 3, "label": "7"})
    assert made({"prompt": ""}).status_code == 200 and "label" not in engine.asked[-1].body
    odd = ({"size": "8x6"}, {"prompt": "a cat"}, {"response_format": "url"}, {"n": 9}, {"output_format": "jpeg"}, {"stream": True}, {"model": "x"})
    assert [code(made(m)) for m in odd] == [
        "size_unsupported", "prompt_unsupported", "invalid_request", "over_limit", "invalid_request", "invalid_request", "model_not_found"]
    engine.does = lambda ask: [Reply({**FACTS, "givens": [{"type": "prompt"}]})] if ask.op == "about" else does(ask)
    assert made({"prompt": "a cat"}).status_code == 200 and engine.asked[-1].body["prompt"] == "a cat"
    engine.does = lambda ask: [Reply({"kind": "table"})]
    assert code(made({})) == "capability"


def test_what_is_transparent_is_made_anew(client: TestClient, engine: Fake) -> None:
    mask = pil.new("RGBA", (6, 8), (0, 0, 0, 255))
    mask.putpixel((2, 1), (0, 0, 0, 0))
    out = BytesIO()
    mask.save(out, "PNG")
    form = {"model": "model", "seed": "5", "n": "2"}
    found = client.post("/v1/images/edits", data=form, files={"image[]": ("a.png", png()), "mask": ("m.png", out.getvalue())})
    ask = engine.asked[-1]
    white = np.asarray(pil.open(BytesIO(ask.blobs[1])))
    assert len(found.json()["data"]) == 2 and ask.body == {"n": 2, "seed": 5, "items": [{"mime": "image/png", "blob": 0}], "redo": {"mask": 1}} and ask.blobs[0] == png()
    assert white.shape == (8, 6) and white[1, 2] == 255 and white.sum() == 255
    for files in ({"image": png()}, {"image": png(), "mask": png()}, {"image": png(), "mask": b"no picture"}, {"image": png(), "mask": png("RGBA", (3000, 3000))}):
        assert code(client.post("/v1/images/edits", data=form, files=files)) in ("invalid_request", "invalid_image", "decompression_bomb")
    assert code(client.post("/v1/images/edits", json=form)) == "unsupported_media_type"


def test_variations_of_a_picture(client: TestClient, engine: Fake) -> None:
    found = client.post("/v1/images/variations", data={"model": "model", "strength": "0.3", "seed": "1"}, files={"image": png()})
    assert found.status_code == 200 and engine.asked[-1] == Ask("vary", {"n": 1, "seed": 1, "strength": 0.3, "items": [{"mime": "image/png", "blob": 0}]}, (png(),))
    for form in ({}, {"model": "model", "n": "x"}, {"model": "model", "strength": "nan"}, {"model": "x"}):
        assert code(client.post("/v1/images/variations", data=form, files={"image": png()})) in ("invalid_request", "model_not_found")


def test_an_error_after_the_first_piece_is_the_last_event(client: TestClient, engine: Fake) -> None:
    def breaks(ask: Ask) -> Iterable[Reply]:
        yield Reply({"text": "Good "})
        raise ModelError("it broke", code="BROKEN_OFF")

    engine.does = breaks
    asked = {"model": "model", "messages": [{"role": "user", "content": "Hi"}]}
    for path, body in (("/v1/chat/completions", asked), ("/v1/completions", {"model": "model", "prompt": "a"}), ("/v1/responses", {"model": "model", "input": "a"})):
        lines = client.post(path, json={**body, "stream": True}).text.strip().splitlines()
        assert '"code":"BROKEN_OFF"' in lines[-1] and "[DONE]" not in lines[-1] and not any('"finish_reason":"stop"' in line for line in lines)
        assert code(client.post(path, json=body)) == "BROKEN_OFF"


def test_the_window_counts(client: TestClient, engine: Fake) -> None:
    """Too long a request is refused with both numbers; one with too many tokens to make gets as many as there is room for."""
    def narrow(ask: Ask) -> Iterable[Reply]:
        if ask.op == "count":
            return [Reply({"tokens": 7, "window": 10})]
        if ask.body["want"].get("most", 1) > 3:
            raise UsageError("too long", code="CONTEXT")
        return [Reply({"text": "a"}), Reply({"end": {"why": "length", "read": 7, "made": 3}})]

    engine.does = narrow
    asked = {"model": "model", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10**9}
    assert client.post("/v1/chat/completions", json=asked).json()["choices"][0]["finish_reason"] == "length"
    assert engine.asked[-1].body["want"]["most"] == 3
    engine.does = lambda ask: [Reply({"tokens": 12, "window": 10})] if ask.op == "count" else _raise()
    for stream in (False, True):
        error = client.post("/v1/chat/completions", json={**asked, "stream": stream})
        assert error.status_code == 400 and error.json()["error"]["code"] == "context_length_exceeded"
        assert (error.json()["error"]["n_prompt_tokens"], error.json()["error"]["n_ctx"]) == (12, 10)


def test_a_model_that_does_not_talk_says_what_works(client: TestClient, engine: Fake) -> None:
    engine.does = lambda ask: _raise("CAPABILITY")
    error = client.post("/v1/chat/completions", json={"model": "model", "messages": [{"role": "user", "content": "Hi"}]}).json()["error"]
    assert error["code"] == "capability" and "/v1/completions" in error["message"]


def test_penalties_and_biases_are_handed_on(client: TestClient, engine: Fake) -> None:
    engine.does = lambda ask: [Reply({"end": {"why": "stop", "read": 1, "made": 0}})]
    more = {"frequency_penalty": 0.5, "presence_penalty": -1, "logit_bias": {"17": -100, "3": 5}, "top_k": 5, "min_p": 0.1, "top_p": 0.9, "temperature": 0, "seed": 4}
    assert client.post("/v1/chat/completions", json={"model": "model", "messages": [{"role": "user", "content": "Hi"}], **more}).status_code == 200
    want = {"frequency": 0.5, "presence": -1.0, "bias": ((17, -100.0), (3, 5.0)), "top_k": 5, "min_p": 0.1, "top_p": 0.9, "temperature": 0.0, "seed": 4}
    assert engine.asked[-1].body["want"] == want


def _raise(why: str = "CONTEXT") -> Any:
    raise UsageError("no", code=why)
