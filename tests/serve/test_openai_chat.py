"""Chat, completions and responses over models that say what they are told to: every field does what it says, or is named as ignored."""
from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from math import log
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.place import Workspace
from ilk.serve.server import Server

HELLO = {"model": "polite", "messages": [{"role": "user", "content": "Hello"}], "seed": 0}
CLOCK = {"type": "function", "function": {"name": "clock", "description": "The time", "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}}}}
SHAPE = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    script = tmp_path / "script.json"
    call = {"tool": "clock", "arguments": {"zone": "UTC"}}
    script.write_text(json.dumps([call, "It is noon", [{"tool": "clock", "arguments": {}}, {"tool": "clock", "arguments": {"zone": "CET"}}]]))
    places = {"echo": "echo:", "polite": "echo:Good day to you", "tiny": "echo:one two three four five?window=4", "tools": f"echo:?script={script}", "json": 'echo:{"a": 3}',
              "held": 'echo:{"tool": "clock", "arguments": {"zone": "UTC"}}', "answer": 'echo:{"answer": "noon"}'}
    with TestClient(build(Server(Here(places), Workspace.at(tmp_path / "workspace"))), raise_server_exceptions=False) as found:
        yield found


def chat(client: TestClient, more: dict[str, Any]) -> Any:
    answer = client.post("/v1/chat/completions", json={**HELLO, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def events(client: TestClient, path: str, body: dict[str, Any]) -> list[Any]:
    answer = client.post(path, json={**body, "stream": True})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream"), answer.text
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) if line != "[DONE]" else line for line in lines]


def refused(client: TestClient, more: dict[str, Any], code: str, path: str = "/v1/chat/completions") -> Any:
    answer = client.post(path, json={**HELLO, **more} if "chat" in path else more)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404 if code == "model_not_found" else 400, code), answer.text
    return error


def test_a_whole_answer_and_its_count(client: TestClient) -> None:
    found = chat(client, {})
    assert found["object"] == "chat.completion" and found["id"].startswith("chatcmpl-") and found["model"] == "polite"
    assert found["choices"] == [{"index": 0, "message": {"role": "assistant", "content": "Good day to you", "refusal": None}, "logprobs": None, "finish_reason": "stop"}]
    assert found["usage"] == {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6, "prompt_tokens_details": {"cached_tokens": 0}}


def test_chunks_join_to_the_whole_answer(client: TestClient) -> None:
    *found, done = events(client, "/v1/chat/completions", {**HELLO, "stream_options": {"include_usage": True}})
    assert done == "[DONE]" and {c["object"] for c in found} == {"chat.completion.chunk"} and len({c["id"] for c in found}) == 1
    deltas = [c["choices"][0] for c in found[:-1]]
    assert deltas[0]["delta"] == {"role": "assistant", "content": ""} and deltas[-1]["delta"] == {} and deltas[-1]["finish_reason"] == "stop"
    assert "".join(d["delta"].get("content", "") for d in deltas) == "Good day to you" and all(d["finish_reason"] is None for d in deltas[:-1])
    assert found[-1]["choices"] == [] and found[-1]["usage"]["completion_tokens"] == 4
    plain = events(client, "/v1/chat/completions", HELLO)
    assert all("usage" not in c for c in plain[:-1])


def test_stop_length_and_parts(client: TestClient) -> None:
    assert chat(client, {"stop": "to"})["choices"][0]["message"]["content"] == "Good day "
    assert chat(client, {"stop": ["x", "day"]})["choices"][0]["message"]["content"] == "Good "
    short = chat(client, {"max_completion_tokens": 2})
    assert (short["choices"][0]["message"]["content"], short["choices"][0]["finish_reason"]) == ("Good day ", "length")
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    said = [{"role": "developer", "content": "x"}, {"role": "user", "content": parts}]
    assert chat(client, {"model": "echo", "messages": said})["choices"][0]["message"]["content"] == "one two"


def test_n_answers_with_seeds_that_follow_from_one(client: TestClient) -> None:
    found = chat(client, {"n": 3})
    assert [c["index"] for c in found["choices"]] == [0, 1, 2] and found["usage"]["completion_tokens"] == 12
    streamed = [c["choices"][0] for c in events(client, "/v1/chat/completions", {**HELLO, "n": 2})[:-1]]
    assert all("".join(c["delta"].get("content", "") for c in streamed if c["index"] == i) == "Good day to you" for i in (0, 1))
    assert refused(client, {"n": 9}, "over_limit")["param"] == "n"


def test_log_probabilities_are_the_models(client: TestClient) -> None:
    nats = chat(client, {"logprobs": True, "top_logprobs": 1})["choices"][0]["logprobs"]["content"]
    assert [t["token"] for t in nats] == ["Good ", "day ", "to ", "you"] and all(abs(t["logprob"] - log(0.9)) < 1e-9 for t in nats)
    assert nats[0]["bytes"] == list(b"Good ") and nats[0]["top_logprobs"] == [{k: nats[0][k] for k in ("token", "logprob", "bytes")}]
    streamed = [c["choices"][0]["logprobs"] for c in events(client, "/v1/chat/completions", {**HELLO, "logprobs": True})[:-1]]
    assert [t["token"] for told in streamed if told for t in told["content"]] == ["Good ", "day ", "to ", "you"]
    idle = client.post("/v1/chat/completions", json={**HELLO, "top_logprobs": 2, "tool_choice": "required"})
    assert idle.status_code == 200 and idle.headers["x-ilk-ignored"] == "top_logprobs, tool_choice"


def test_answers_of_a_schema(client: TestClient) -> None:
    asked = {"model": "json", "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SHAPE, "strict": True}}}
    assert json.loads(chat(client, asked)["choices"][0]["message"]["content"]) == {"a": 3}
    assert json.loads(chat(client, {"model": "json", "response_format": {"type": "json_object"}})["choices"][0]["message"]["content"]) == {"a": 3}
    refused(client, {**asked, "model": "polite"}, "SHAPE")
    refused(client, {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, "invalid_request")
    deep: Any = {}
    for _ in range(40):
        deep = {"items": deep}
    refused(client, {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": deep}}}, "schema_too_deep")


def test_tools_are_called_and_their_results_read(client: TestClient) -> None:
    asked = {"model": "tools", "tools": [CLOCK]}
    choice = chat(client, asked)["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls" and choice["message"]["content"] is None and call["function"] == {"name": "clock", "arguments": '{"zone": "UTC"}'}
    then = [*HELLO["messages"], choice["message"], {"role": "tool", "tool_call_id": call["id"], "content": "12:00"}]
    assert chat(client, {**asked, "messages": then})["choices"][0]["message"]["content"] == "It is noon"
    assert len(chat(client, {**asked, "seed": 2})["choices"][0]["message"]["tool_calls"]) == 2
    assert len(chat(client, {**asked, "seed": 2, "parallel_tool_calls": False})["choices"][0]["message"]["tool_calls"]) == 1
    streamed = [c["choices"][0] for c in events(client, "/v1/chat/completions", {**HELLO, **asked, "seed": 2})[:-1]]
    calls = [d["delta"]["tool_calls"][0] for d in streamed if "tool_calls" in d["delta"]]
    assert [c["index"] for c in calls] == [0, 1] and calls[1]["function"]["arguments"] == '{"zone": "CET"}' and streamed[-1]["finish_reason"] == "tool_calls"


def test_a_call_can_be_required_of_any_model(client: TestClient) -> None:
    for choice in ("required", {"type": "function", "function": {"name": "clock"}}):
        told = chat(client, {"model": "held", "tools": [CLOCK], "tool_choice": choice})["choices"][0]
        assert told["finish_reason"] == "tool_calls" and json.loads(told["message"]["tool_calls"][0]["function"]["arguments"]) == {"zone": "UTC"}
    refused(client, {"model": "answer", "tools": [CLOCK], "tool_choice": "required"}, "SHAPE")
    assert chat(client, {"model": "polite", "tools": [CLOCK], "tool_choice": "none"})["choices"][0]["message"]["content"] == "Good day to you"
    refused(client, {"tools": [CLOCK], "tool_choice": {"type": "function", "function": {"name": "clok"}}}, "invalid_tool_choice")
    refused(client, {"tools": [CLOCK, CLOCK]}, "invalid_tools")


def test_what_does_not_fit_is_refused_before_anything_is_sent(client: TestClient) -> None:
    for stream in (False, True):
        error = refused(client, {"model": "tiny", "messages": [{"role": "user", "content": "far too many words for it"}], "stream": stream}, "context_length_exceeded")
        assert error["param"] == "messages" and {"n_prompt_tokens", "n_ctx"} <= set(error)


def test_pictures_come_in_the_request_or_not_at_all(client: TestClient) -> None:
    def asked(url: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]}]}

    assert chat(client, asked("data:image/png;base64," + b64encode(b"png").decode()))["choices"][0]["message"]["content"] == "Good day to you"
    for url in ("http://127.0.0.1/", "https://example.org/a.png", "file:///etc/passwd", "gopher://a", "//a", "x"):
        refused(client, asked(url), "remote_url_disabled")
    for url in ("data:text/html;base64,eA==", "data:image/png;base64,!!", "data:image/png,x", "data:"):
        refused(client, asked(url), "invalid_image")


def test_what_is_ignored_is_said(client: TestClient) -> None:
    more = {"reasoning_effort": "low", "new_field": 1, "odd\r\nx-evil: 1": 2, "metadata": {"a": "b"}, "store": False, "user": "me"}
    answer = client.post("/v1/chat/completions", json={**HELLO, **more})
    assert answer.headers["x-ilk-ignored"] == "new_field, odd__x-evil__1, reasoning_effort, metadata" and answer.headers["x-ilk-seed"] == "0"
    assert "x-evil" not in answer.headers and "x-ilk-ignored" not in client.post("/v1/chat/completions", json=HELLO).headers


def test_texts_are_gone_on_with_and_weighed(client: TestClient) -> None:
    def made(more: dict[str, Any]) -> Any:
        answer = client.post("/v1/completions", json={"model": "polite", "prompt": "Once", "seed": 0, **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert made({})["choices"][0] == {"index": 0, "text": "Good day to you", "logprobs": None, "finish_reason": "stop"}
    both = made({"prompt": ["a", "b c"], "n": 2, "max_tokens": 1, "echo": True})
    assert [c["text"] for c in both["choices"]] == ["aGood ", "aGood ", "b cGood ", "b cGood "]
    assert both["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    stream = events(client, "/v1/completions", {"model": "polite", "prompt": "Once", "seed": 0, "stream_options": {"include_usage": True}})
    assert "".join(c["choices"][0]["text"] for c in stream[:-2]) == "Good day to you"
    assert stream[-3]["choices"][0]["finish_reason"] == "stop" and stream[-2]["usage"]["total_tokens"] == 5
    for body, code in (({"suffix": "x"}, "suffix_unsupported"), ({"prompt": [1, 2]}, "token_input_unsupported"), ({"prompt": [[1]]}, "token_input_unsupported"),
                       ({"prompt": []}, "invalid_request"), ({"best_of": 3}, "invalid_request"), ({"n": 9}, "over_limit")):
        refused(client, {"model": "polite", "prompt": "x", **body}, code, "/v1/completions")
    weighed = made({"prompt": "Good evening", "echo": True, "logprobs": 0, "max_tokens": 0})["choices"][0]
    assert weighed["text"] == "Good evening" and weighed["logprobs"]["tokens"] == ["Good ", "evening"] and weighed["logprobs"]["text_offset"] == [0, 5]
    assert weighed["logprobs"]["token_logprobs"][0] == pytest.approx(log(0.9)) and weighed["logprobs"]["token_logprobs"][1] < -40


def test_responses_whole_and_as_events(client: TestClient) -> None:
    asked = {"model": "polite", "input": "Hello", "seed": 0}
    found = client.post("/v1/responses", json=asked).json()
    assert found["status"] == "completed" and found["output"][0]["content"][0]["text"] == "Good day to you" and found["usage"]["total_tokens"] == 6
    told = events(client, "/v1/responses", asked)
    assert [e["sequence_number"] for e in told] == list(range(len(told)))
    assert [e["type"].removeprefix("response.") for e in told] == ["created", "in_progress", "output_item.added", "content_part.added", *["output_text.delta"] * 4,
                                                                   "output_text.done", "content_part.done", "output_item.done", "completed"]
    short = client.post("/v1/responses", json={**asked, "max_output_tokens": 1}).json()
    assert (short["status"], short["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    tools = {"model": "tools", "tools": [{"type": "function", **CLOCK["function"]}], "seed": 0}
    call = client.post("/v1/responses", json={**tools, "input": "What time?"}).json()["output"][0]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "clock", '{"zone": "UTC"}')
    then = [{"role": "user", "content": [{"type": "input_text", "text": "What time?"}]}, call, {"type": "function_call_output", "call_id": call["call_id"], "output": "12"}]
    assert client.post("/v1/responses", json={**tools, "input": then, "instructions": "Be brief"}).json()["output"][0]["content"][0]["text"] == "It is noon"
    shaped = client.post("/v1/responses", json={**asked, "model": "json", "text": {"format": {"type": "json_schema", "name": "a", "schema": SHAPE}}}).json()
    assert json.loads(shaped["output"][0]["content"][0]["text"]) == {"a": 3} and shaped["text"]["format"]["name"] == "a"
    for more in ({"store": True}, {"previous_response_id": "resp_1"}, {"background": True}, {"input": []}):
        assert client.post("/v1/responses", json={**asked, **more}).json()["error"]["code"] == "invalid_request"


def test_what_nobody_serves_is_said_in_the_form_of_errors(client: TestClient) -> None:
    for path in ("/v1/audio/speech", "/v1/audio/transcriptions", "/v1/audio/translations", "/v1/moderations", "/v1/fine_tuning/jobs"):
        answer = client.post(path, json={"model": "x", "input": "y" * 1000})
        assert (answer.status_code, answer.json()["error"]["code"], answer.headers["x-should-retry"]) == (501, "not_implemented", "false")
