"""The backend openai against a real server: llama.cpp's own, with a model that is made here."""
from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ilk.backend import chat_at
from ilk.chat import Answer, Schema, Turn, Want
from ilk.errors import IlkError

pytestmark = pytest.mark.slow
HELLO = [Turn.of("user", "Hello")]


def language() -> Any:
    spec = importlib.util.spec_from_file_location("language_models_server", Path(__file__).parents[1] / "_language.py")
    found = importlib.util.module_from_spec(spec)   # type: ignore[arg-type]
    sys.modules["language_models_server"] = found
    spec.loader.exec_module(found)   # type: ignore[union-attr]
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    library = pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    params = library.CommonParams()
    params.model.path = str(language().gguf(tmp_path_factory.mktemp("server") / "tiny.gguf"))
    params.n_ctx, params.n_parallel, params.port, params.warmup = 256, 1, 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = library.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def test_seeds_limits_and_tokens(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    model: Any = chat_at(f"openai:tiny?url={url}&preset=llamacpp&retries=0")
    said = [Answer.of(model.continued("one two", Want(most=12, seed=seed, alternatives=2))) for seed in (1, 1, 2, 3)]
    assert said[0].text == said[1].text and len({s.text for s in said}) > 1
    for found in said:
        assert found.end.made <= 12 and found.end.read > 0 and found.tokens and all(t.nats <= 1e-6 and len(t.others) <= 2 for t in found.tokens)
    whole = max((s.text for s in said), key=len)
    seed = [s.text for s in said].index(whole)
    cut = Answer.of(model.continued("one two", Want(most=12, seed=(1, 1, 2, 3)[seed], stop=(whole[1:3],))))
    assert len(whole) > 3 and whole[1:3] not in cut.text and whole.startswith(cut.text) and cut.end.why == "stop"


def test_shapes_and_a_full_window(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    model = chat_at(f"openai:tiny?url={url}&preset=llamacpp&retries=0")
    schema = Schema({"type": "object", "properties": {"kind": {"enum": ["dog", "cat"]}}, "required": ["kind"], "additionalProperties": False})
    assert json.loads(Answer.of(model.chat(HELLO, Want(most=60, shape=schema))).text)["kind"] in ("dog", "cat")
    with pytest.raises(IlkError) as caught:
        Answer.of(model.chat([Turn.of("user", "word " * 600)], Want(most=2)))
    assert caught.value.code == "CONTEXT" and "256" in str(caught.value)
