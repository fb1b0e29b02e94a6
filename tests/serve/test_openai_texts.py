"""A model of texts that ilk fitted, by OpenAI's completions: what it makes is as likely as it says when it weighs it."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import ilk
from ilk.families.ngram import NGram
from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server

TEXTS = ["the owl and the pussycat went to sea", "in a beautiful pea green boat", "they took some honey and plenty of money", "wrapped up in a five pound note"] * 5


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    home = tmp_path_factory.mktemp("texts")
    ilk.fit(TEXTS, NGram()).save(home / "poems.ilk")
    with TestClient(build(Server(Here({"poems": str(home / "poems.ilk")}), Workspace.at(Path(home) / "workspace"))), raise_server_exceptions=False) as found:
        yield found


def made(client: TestClient, more: dict[str, Any]) -> Any:
    answer = client.post("/v1/completions", json={"model": "poems", "prompt": "the ", "max_tokens": 12, "seed": 4, "logprobs": 0, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"]


def test_what_is_made_weighs_what_it_said(client: TestClient) -> None:
    (new,) = made(client, {})
    (weighed,) = made(client, {"prompt": "the " + new["text"], "max_tokens": 0, "echo": True})
    told, again = new["logprobs"]["token_logprobs"], weighed["logprobs"]["token_logprobs"]
    assert "".join(weighed["logprobs"]["tokens"]) == "the " + new["text"] and 0 < len(told) <= 12
    assert again[-len(told):] == pytest.approx(told, abs=1e-5)


def test_seeds_make_answers_and_answers_differ(client: TestClient) -> None:
    three = made(client, {"n": 3})
    assert made(client, {})[0] == three[0] and len({c["text"] for c in three}) == 3 and made(client, {"n": 3}) == three


def test_a_banned_token_is_never_said(client: TestClient) -> None:
    numbers = {str(i): -100 for i in range(3)}
    free, held = ("".join(c["text"] for c in made(client, {"n": 8, "max_tokens": 40, **more})) for more in ({}, {"logit_bias": numbers}))
    assert set(free) - set(held), "three letters are gone"
    answer = client.post("/v1/completions", json={"model": "poems", "prompt": "the", "logit_bias": {"100000": 1}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BIAS")
