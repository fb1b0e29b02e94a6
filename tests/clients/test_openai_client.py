"""The package openai, unmodified, over a real line. The whole suite, with more clients and real models, is `make load NAME=clients`."""
from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ilk.errors import ModelError
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server
from ilk.serve.work import Ask, Busy, Reply, Served

openai = pytest.importorskip("openai")
HELLO: Any = [{"role": "user", "content": "Hello"}]
TOOL: Any = {"type": "function", "function": {"name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}}}


class City(BaseModel):
    name: str
    large: bool


class Faulty(Here):
    """Two models more: `breaks` in the middle of an answer, and `busy` the first time that it is asked."""

    times = 0

    def served(self) -> Sequence[Served]:
        return (*super().served(), Served("breaks", "", "ready"), Served("busy", "", "ready"))

    async def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        if name == "busy":
            self.times += 1
            if self.times == 1:
                raise Busy("too much waits", 0.1)
            name = "said"
        if name == "breaks":
            yield Reply({"text": "Good "})
            raise ModelError("it broke", code="BROKEN_OFF")
        async for reply in super().ask(name, ask):
            yield reply


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, listening: Callable[[Server], Any]) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("clients")
    (home / "script.json").write_text(json.dumps([{"tool": "clock", "arguments": {"zone": "UTC"}}, "It is noon."]))
    places = {"said": "echo:Good day to you", "script": f"echo:?script={home / 'script.json'}", "json": 'echo:{"name": "Paris", "large": true}', "tiny": "echo:a?window=4"}
    with listening(Server(Faulty(places), Workspace.at(home / "workspace"))) as (host, port), openai.OpenAI(base_url=f"http://{host}:{port}/v1", api_key="x", max_retries=0) as found:
        yield found


def code(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(openai.APIStatusError) as why:
        call()
    return why.value.status_code, why.value.code


def test_lists_and_chats(client: Any) -> None:
    assert [m.id for m in client.models.list()][:2] == ["said", "script"] and client.models.retrieve("said").owned_by == "ilk"
    whole = client.chat.completions.create(model="said", messages=HELLO, n=2, logprobs=True, top_logprobs=1)
    assert [c.message.content for c in whole.choices] == ["Good day to you"] * 2 and whole.choices[0].logprobs.content[0].top_logprobs[0].token == "Good "
    with client.chat.completions.stream(model="said", messages=HELLO, stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == "Good day to you" and final.usage.completion_tokens == 4
    assert client.completions.create(model="said", prompt="x", logprobs=1, echo=True, max_tokens=2).choices[0].logprobs.tokens == ["x", "Good ", "day "]


def test_parses_and_calls(client: Any) -> None:
    assert client.chat.completions.parse(model="json", messages=HELLO, response_format=City).choices[0].message.parsed == City(name="Paris", large=True)
    first = client.chat.completions.create(model="script", messages=HELLO, tools=[TOOL], seed=0).choices[0]
    after = [*HELLO, first.message, {"role": "tool", "tool_call_id": first.message.tool_calls[0].id, "content": "12:00"}]
    assert first.finish_reason == "tool_calls" and client.chat.completions.create(model="script", messages=after, tools=[TOOL], seed=0).choices[0].message.content == "It is noon."
    with client.chat.completions.stream(model="script", messages=HELLO, tools=[TOOL], seed=0) as stream:
        assert stream.get_final_completion().choices[0].message.tool_calls[0].function.arguments == '{"zone": "UTC"}'


def test_responses(client: Any) -> None:
    assert client.responses.create(model="said", input="Hello").output_text == "Good day to you"
    with client.responses.stream(model="said", input="Hello") as stream:
        assert [e.delta for e in stream if e.type == "response.output_text.delta"] == ["Good ", "day ", "to ", "you"]
    assert client.responses.parse(model="json", input="x", text_format=City).output_parsed.name == "Paris"
    with client.responses.stream(model="script", input="x", tools=[{"type": "function", "strict": False, **TOOL["function"]}], extra_body={"seed": 0}) as stream:
        assert stream.get_final_response().output[0].arguments == '{"zone": "UTC"}'


def test_errors_are_those_that_it_knows(client: Any) -> None:
    assert code(lambda: client.chat.completions.create(model="none", messages=HELLO)) == (404, "model_not_found")
    assert code(lambda: client.chat.completions.create(model="said", messages=HELLO, n=9)) == (400, "over_limit")
    assert code(lambda: client.chat.completions.create(model="tiny", messages=HELLO * 5, stream=True)) == (400, "context_length_exceeded")
    assert code(lambda: client.moderations.create(input="x")) == (501, "not_implemented")
    with pytest.raises(openai.APIError, match="it broke"):
        list(client.chat.completions.create(model="breaks", messages=HELLO, stream=True))
    assert code(lambda: client.chat.completions.create(model="busy", messages=HELLO)) == (429, "queue_full")


def test_what_is_busy_is_asked_again(client: Any) -> None:
    assert client.with_options(max_retries=1).chat.completions.create(model="busy", messages=HELLO).choices[0].message.content == "Good day to you"
