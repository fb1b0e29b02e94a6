"""The backend openai against a server on this machine that answers as real ones do, late, wrongly, or not at all."""
from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ilk.backend import chat_at, embedder_at, opened
from ilk.backends import openai
from ilk.backends._openai_wire import UNREAD
from ilk.chat import Answer, Call, Continues, Embeds, Grammar, Pattern, Picture, Result, Schema, Tool, Turn, Want, Words
from ilk.errors import IlkError, ModelError, PolicyError, UsageError

HELLO = [Turn.of("user", "Hello")]
KEY = "sk-very-secret-0123456789"


class Stub:
    """A server that plays what it is told, one answer a request (the last again and again), and keeps what it was asked."""

    def __init__(self) -> None:
        self.play: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                stub.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                with suppress(OSError):
                    stub.play[min(len(stub.asked), len(stub.play)) - 1](self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def at(self, **options: object) -> str:
        given = {"url": self.url, "retries": 0, **options}
        return "openai:m?" + "&".join(f"{k}={v}" for k, v in given.items())

    @property
    def body(self) -> Any:
        return self.asked[-1][2]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    opened.cache_clear()
    openai._PURSES.clear()
    found = Stub()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join(5)


def sends(data: bytes, kind: str = "text/event-stream", status: int = 200, headers: dict[str, str] | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    def play(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        for name, value in {"Content-Type": kind, "Connection": "close", **(headers or {})}.items():
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(data)

    return play


def sse(*chunks: Any, done: bool = True, end: str = "\n\n") -> bytes:
    return "".join(f"data: {json.dumps(c)}{end}" for c in chunks).encode() + (b"data: [DONE]\n\n" if done else b"")


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text, **more} if text is not None or more else {},
        "finish_reason": finish}]}


def tool_call(index: int | None, id: str | None, name: str | None, arguments: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"function": {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}, "type": "function"}
    return said | ({} if index is None else {"index": index}) | ({} if id is None else {"id": id})


USAGE = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
WHOLE = json.dumps({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 11, "completion_tokens": 7}}).encode()
# What servers send for the same answer: each leaves out or adds something.
SAME = {
    "openai": sse(delta("", role="assistant", refusal=None), delta("Par"), delta("is."), delta(None, "stop"), USAGE),
    "vllm": sse(delta("", role="assistant"), {**delta("Par", reasoning_content=None), "usage": {"prompt_tokens": 11, "completion_tokens": 1}}, delta("is.", "stop"), USAGE),
    "ollama": sse(delta("Par", role="assistant"), delta("is.", role="assistant"), delta("", "stop", role="assistant"), USAGE),
    "llamacpp": sse(delta(None, None, role="assistant", content=None), delta("Par"), delta("is."), {**delta(None, "stop"), "timings": {}}, USAGE),
    "tgi": b":\n\n" + sse(delta("Par"), {**delta("is.", "eos_token"), "usage": USAGE["usage"]}),
    "comments and CR LF": b": keep-alive\r\n\r\n" + sse(delta("Par"), delta("is."), delta(None, "stop"), USAGE, end="\r\n\r\n"),
    "without a last mark": sse(delta("Par"), delta("is."), delta(None, "stop"), USAGE, done=False),
}


def said(stub: Stub, want: Want | None = None, turns: list[Turn] = HELLO, **options: object) -> Answer:
    return Answer.of(chat_at(stub.at(**options)).chat(turns, want or Want()))


@pytest.mark.parametrize("server", SAME)
def test_servers_differ_and_the_answer_does_not(server: str, stub: Stub) -> None:
    stub.play = [sends(SAME[server])]
    found = said(stub)
    assert (found.text, found.end.why, found.end.read, found.end.made) == ("Paris.", "stop", 11, 7)
    assert stub.asked[0][0] == "/v1/chat/completions" and "authorization" not in stub.asked[0][1]


def test_a_server_that_does_not_stream(stub: Stub) -> None:
    stub.play = [sends(WHOLE, "application/json")]
    assert said(stub).text == "Paris." and said(stub).end.made == 7


CALLS = {
    "openai, in fragments": sse(delta(None, None, tool_calls=[tool_call(0, "a", "add", "")]), delta(None, None, tool_calls=[tool_call(0, None, None, '{"x"')]),
                                delta(None, None, tool_calls=[tool_call(0, None, None, ': 1}')]), delta(None, None, tool_calls=[tool_call(1, "b", "now", "{}")]),
                                    delta(None, "tool_calls")),
    "ollama, whole and all number 0": sse(delta("", None, tool_calls=[tool_call(0, "a", "add", '{"x": 1}')]), delta("", None, tool_calls=[tool_call(0, "b",
    "now", "{}")]), delta("", "stop")),
    "gemini, without numbers": sse(delta(None, "stop", tool_calls=[tool_call(None, "a", "add", '{"x": 1}'), tool_call(None, "b", "now", "{}")])),
    "arguments as an object": sse(delta(None, "tool_calls", tool_calls=[tool_call(0, "a", "add", {"x": 1}), tool_call(1, "b", "now", {})])),
    "without text for no arguments": sse(delta(None, "tool_calls", tool_calls=[tool_call(0, "a", "add", '{"x": 1}'), tool_call(1, "b", "now", None)])),
}


@pytest.mark.parametrize("server", CALLS)
def test_calls_of_tools(server: str, stub: Stub) -> None:
    stub.play = [sends(CALLS[server])]
    found = said(stub, Want(tools=(Tool("add", "Adds.", {"type": "object"}),)))
    assert found.calls == (Call("add", {"x": 1}, "a"), Call("now", {}, "b")) and found.end.why == "calls" and found.text == ""
    assert stub.body["tools"] == [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize("arguments", ['{"x": ', "[1]", "3", '{"a": 1, "a": 2}', "NaN"])
def test_arguments_that_can_not_be_read_reach_no_tool(arguments: str, stub: Stub) -> None:
    stub.play = [sends(sse(delta(None, "tool_calls", tool_calls=[tool_call(0, "a", "add", arguments)])))]
    assert said(stub).calls[0].arguments == {UNREAD: arguments}


def test_what_is_sent(stub: Stub) -> None:
    stub.play = [sends(SAME["openai"])]
    turns = [Turn.of("system", "Be brief."), Turn("user", (Words("What is this?"), Picture(b"\x89PNG"))), Turn("assistant", (Call("look", {"at": 1}, "id1"),)),
             Turn("tool", (Result("a cat", "id1"), Result("more", "id2"))), Turn("assistant", (Words("Let me see"), Call("look", {})))]
    said(stub, Want(most=9, temperature=0.5, top_p=0.9, top_k=5, min_p=0.1, stop=("a", "b", "c", "d", "e"), seed=3), turns)
    body = stub.body
    assert {k: body[k] for k in ("model", "max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stream")} == {
        "model": "m", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "seed": 3, "stream": True}
    assert body["stop"] == ["a", "b", "c", "d"] and body["stream_options"] == {"include_usage": True} and "tools" not in body and "logprobs" not in body
    system, user, asked, one, two, last = body["messages"]
    assert system == {"role": "system", "content": "Be brief."} and user["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    assert asked["content"] is None and asked["tool_calls"][0] == {"id": "id1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    assert one == {"role": "tool", "tool_call_id": "id1", "content": "a cat"} and two["tool_call_id"] == "id2"
    assert last["content"] == "Let me see" and last["tool_calls"][0]["id"] == "call_0"


def test_presets_send_the_key_of_the_environment_and_their_own_words(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.play = [sends(SAME["openai"])]
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said(stub, Want(most=5), preset="openai")
    assert stub.asked[0][1]["authorization"] == f"Bearer {KEY}" and stub.body["max_completion_tokens"] == 5 and "max_tokens" not in stub.body
    said(stub, Want(shape=Pattern(".*")), preset="vllm")
    assert stub.body["structured_outputs"] == {"regex": ".*"} and "authorization" not in stub.asked[1][1]
    said(stub, Want(shape=Pattern(".*")), preset="tgi")
    assert stub.body["response_format"] == {"type": "regex", "value": ".*"}
    for want, param in ((Want(top_k=3), "top_k"), (Want(min_p=0.1), "min_p"), (Want(shape=Pattern("a")), "shape"), (Want(shape=Grammar("a")), "shape")):
        with pytest.raises(UsageError) as caught:
            said(stub, want, preset="ollama")
        assert caught.value.param == param
    assert len(stub.asked) == 3


def test_the_first_part_of_a_name_is_a_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)
    found: Any = openai.Openai().open("qwen/qwen-plus")
    assert found.model == "qwen-plus" and "dashscope" in found.endpoint.url and KEY not in repr(found) and found.name == "openai:qwen/qwen-plus"
    other: Any = openai.Openai(url="http://127.0.0.1:1/v1/").open("qwen/qwen3")
    assert other.model == "qwen/qwen3" and other.endpoint.url == "http://127.0.0.1:1/v1" and other.endpoint.key == ""


@pytest.mark.parametrize(("address", "code"), [
    ("openai:gpt-x", "KEY"), ("openai:ollama/", "ADDRESS"), ("openai:", "ADDRESS"), ("openai:m?preset=olama", "PRESET"), ("openai:m?url=ftp://x/v1", "URL"),
    ("openai:m?url=http://", "URL"),
    ("openai:m?url=http://a:b@127.0.0.1/v1", "URL"), ("openai:m?url=http://127.0.0.1:99999/v1", "URL"), ("openai:m?url=http://127.0.0.1/v1?key=x", "URL"),
    ("openai:m?url=http://127.0.0.1/v1&key_from=NONE_SUCH", "KEY"), (f"openai:m?url=http://127.0.0.1/v1&key_from={KEY}", "KEY"), ("openai:m?whole=0", "OPTION"),
    ("openai:m?key=x", "OPTION")])
def test_addresses_that_are_none(address: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError) as caught:
        chat_at(address)
    assert caught.value.code == code and KEY not in str(caught.value) and KEY not in str(caught.value.as_json())


def test_stop_strings_are_left_out_whatever_the_server_does(stub: Stub) -> None:
    stub.play = [sends(sse(delta("one EN"), delta("D two"), delta(None, "stop")))]
    found = said(stub, Want(stop=("END",)))
    assert found.text == "one " and found.end.why == "stop"


NATS = {"content": [{"token": "Par", "logprob": -0.5, "top_logprobs": [{"token": "Par", "logprob": -0.5}, {"token": "Lon", "logprob": -1.5}]}, {"token": "is",
    "logprob": -0.1}]}


def test_nats(stub: Stub) -> None:
    stub.play = [sends(sse({"choices": [{"delta": {"content": "Paris"}, "logprobs": NATS}]}, delta(None, "stop")))]
    found = said(stub, Want(alternatives=2))
    assert [(t.text, t.nats) for t in found.tokens] == [("Par", -0.5), ("is", -0.1)] and found.tokens[0].others == (("Par", -0.5), ("Lon", -1.5))
    assert stub.body["logprobs"] is True and stub.body["top_logprobs"] == 2
    stub.play = [sends(SAME["ollama"])]
    with pytest.raises(ModelError) as caught:
        said(stub, Want(alternatives=0))
    assert caught.value.code == "NO_NATS"


def test_shapes_are_asked_for_and_checked(stub: Stub) -> None:
    schema = {"type": "object", "required": ["town"]}
    stub.play = [sends(sse(delta('{"town": "Lyon"}', "stop"))), sends(sse(delta("I think Lyon.", "stop")))]
    assert json.loads(said(stub, Want(shape=Schema(schema))).text) == {"town": "Lyon"}
    assert stub.body["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    with pytest.raises(ModelError) as caught:   # a server that takes no notice of shapes
        said(stub, Want(shape=Schema(schema)))
    assert caught.value.code == "SHAPE"


def test_bare_texts(stub: Stub) -> None:
    nats = {"tokens": ["Par", "is"], "token_logprobs": [-0.5, -0.1], "top_logprobs": [{"Par": -0.5}, None]}
    stub.play = [sends(sse({"choices": [{"text": "Paris", "logprobs": nats, "finish_reason": None}]}, {"choices": [{"text": "", "finish_reason": "length"}]}, USAGE))]
    model = chat_at(stub.at())
    assert isinstance(model, Continues)
    found = Answer.of(model.continued("The capital is", Want(alternatives=1)))
    assert found.text == "Paris" and found.end.why == "length" and [t.nats for t in found.tokens] == [-0.5, -0.1]
    assert stub.asked[0][0] == "/v1/completions" and stub.body["prompt"] == "The capital is" and stub.body["logprobs"] == 1


def test_vectors(stub: Stub) -> None:
    def play(to: BaseHTTPRequestHandler) -> None:
        rows = [{"index": i, "embedding": [float(len(t)), 1.0, 0.0]} for i, t in enumerate(stub.body["input"])]
        sends(json.dumps({"data": rows[::-1]}).encode(), "application/json")(to)

    stub.play = [play]
    model = embedder_at(stub.at(kind="embed"))
    texts = ["x" * i for i in range(1, 130)]
    found = model.embed(texts)
    true = np.array([[len(t), 1, 0] for t in texts], float)
    assert isinstance(model, Embeds) and model.size == 3 and len(stub.asked) in (3, 4) and found.dtype == np.float32
    assert np.allclose(found, true / np.linalg.norm(true, axis=1, keepdims=True), atol=1e-6) and model.embed([]).shape == (0, 3)


@pytest.mark.parametrize("said_", [{}, {"data": []}, {"data": [{"index": 0, "embedding": []}]}, {"data": [{"index": 0, "embedding": [0, 0]}]}, {"data": [{"index": 1,
    "embedding": [1]}]},
                                   {"data": [{"index": 0, "embedding": "AAAA"}]}, {"data": 3}, [1], "x"])
def test_vectors_that_are_none(said_: Any, stub: Stub) -> None:
    stub.play = [sends(json.dumps(said_).encode(), "application/json")]
    with pytest.raises(ModelError) as caught:
        embedder_at(stub.at(kind="embed")).embed(["one"])
    assert caught.value.code == "ENDPOINT_GARBAGE"


def error(status: int, message: str, **more: Any) -> Callable[[BaseHTTPRequestHandler], None]:
    return sends(json.dumps({"error": {"message": message, **more}}).encode(), "application/json", status)


TOO_LONG = ["This model's maximum context length is 4096 tokens. However, you requested 9000 tokens", "the request exceeds the available context size. try increasing it",
            "prompt is too long: 210000 tokens > 200000 maximum", "input tokens exceed the context window", "Input is too long for requested model. input too long",
            "The input token count (9000) exceeds the maximum number of tokens allowed (4096)."]


@pytest.mark.parametrize("message", TOO_LONG)
def test_a_full_window(message: str, stub: Stub) -> None:
    stub.play = [error(400, message)]
    with pytest.raises(UsageError) as caught:
        said(stub)
    assert caught.value.code == "CONTEXT" and message[:40] in str(caught.value)


@pytest.mark.parametrize(("play", "code"), [
    (error(401, "bad key"), "KEY"), (error(404, "no such model"), "NOT_FOUND"), (error(429, "slow down"), "RATE"), (error(500, "oops"), "ENDPOINT"),
    (error(400, "registry.ollama.ai/library/tiny does not support tools"), "TOOLS"), (error(400, "tools param requires --jinja flag"), "TOOLS"),
    (error(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'), "TOOLS"), (error(400, "temperature: no"), "ENDPOINT"),
    (sends(b"", status=307, headers={"Location": "http://127.0.0.1:1/elsewhere"}), "REDIRECT"), (sends(b"<html>hello</html>", "text/html"), "ENDPOINT_GARBAGE"),
    (sends(b"\xff\xfe\x00"), "BROKEN_OFF"), (sends(b"data: \xff\n\n"), "ENDPOINT_GARBAGE"), (sends(b"data: {\n\n"), "ENDPOINT_GARBAGE"),
    (sends(b'data: {"choices": 3}\n\n'), "ENDPOINT_GARBAGE"),
    (sends(b'data: {"choices": [{"delta": {"content": 3}}]}\n\n'), "ENDPOINT_GARBAGE"), (sends(b"data: NaN\n\n"), "ENDPOINT_GARBAGE"),
    (sends(b"data: " + b"[" * 100_000 + b"\n\n"), "TOO_LARGE"),
    (sends(b"data: " + b"x" * (5 << 20)), "TOO_LARGE"), (sends(b""), "BROKEN_OFF"), (sends(b"", "application/json"), "ENDPOINT_GARBAGE"),
    (sends(sse(delta("Par"), done=False)), "BROKEN_OFF"),
    (sends(sse(delta("Par"), done=False), headers={"Content-Length": "9999"}), "BROKEN_OFF"), (sends(sse(delta("Par"), {"error": {"message": "out of memory"}})),
    "BROKEN_OFF"),
    (sends(sse(delta("Par"), {"error": "out of memory"})), "BROKEN_OFF"), (sends(b'error: {"message": "out of memory"}\n\n'), "BROKEN_OFF"),
    (sends(sse(delta(None, "stop", refusal="I can't help"))), "REFUSED"), (sends(sse(delta("x", "content_filter"))), "FILTERED"),
    (sends(b"\x1f\x8b", headers={"Content-Encoding": "gzip"}), "ENDPOINT_GARBAGE"), (sends(b"x", "text/plain", 503), "ENDPOINT"),
    (sends(b"\xff" * 200_000, "text/plain", 400), "ENDPOINT"),
], ids=lambda value: value if isinstance(value, str) else "play")   # the name of a function holds its address
def test_whatever_it_does_is_a_clear_error(play: Any, code: str, stub: Stub) -> None:
    stub.play = [play]
    with pytest.raises(IlkError) as caught:
        said(stub)
    assert caught.value.code == code


def test_a_huge_body_is_not_read_to_its_end(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ilk.backends._endpoint.MOST_BODY", 1 << 20)
    sent = []

    def play(to: BaseHTTPRequestHandler) -> None:
        sends(b"", "application/json")(to)
        for _ in range(4000):
            to.wfile.write(b"x" * 65536)
            sent.append(1)

    stub.play = [play]
    with pytest.raises(ModelError) as caught:
        said(stub)
    assert caught.value.code == "TOO_LARGE" and len(sent) < 1000


def test_a_server_that_is_down() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))   # bound, and never listening
        start = time.monotonic()
        with pytest.raises(ModelError) as caught:
            Answer.of(chat_at(f"openai:m?url=http://127.0.0.1:{taken.getsockname()[1]}/v1&retries=1&connect=1").chat(HELLO, Want()))
    assert caught.value.code == "ENDPOINT_DOWN" and time.monotonic() - start < 5


@pytest.mark.parametrize("drip", [b"", b": still here\n\n", sse(delta("x"), done=False)])
def test_a_slow_server(drip: bytes, stub: Stub) -> None:
    def play(to: BaseHTTPRequestHandler) -> None:
        sends(b"")(to)
        for _ in range(100):
            time.sleep(0.05)
            to.wfile.write(drip)

    stub.play = [play]
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        said(stub, first=0.3, whole=0.5)
    assert caught.value.code == "ENDPOINT_SLOW" and time.monotonic() - start < 4   # the server goes on for five


def test_what_fails_for_a_while_is_tried_again(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("ilk.backends._endpoint.time", SimpleNamespace(sleep=waited.append, monotonic=time.monotonic, time=time.time))
    busy = sends(b"{}", "application/json", 429, {"Retry-After": "7"})
    stub.play = [busy, sends(b"", status=503), sends(b"", status=500), sends(SAME["openai"])]
    assert said(stub, retries=3).text == "Paris." and waited == [7.0, 1.0, 2.0] and len(stub.asked) == 4
    stub.asked.clear()
    with pytest.raises(ModelError):
        said(stub, retries=2)
    assert len(stub.asked) == 3


@pytest.mark.parametrize("headers", [{"Retry-After": "3600"}, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, {"x-should-retry": "false"}])
def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for(headers: dict[str, str], stub: Stub) -> None:
    stub.play = [sends(b"{}", "application/json", 429, headers)]
    with pytest.raises(ModelError) as caught:
        said(stub, retries=3)
    assert caught.value.code == "RATE" and len(stub.asked) == 1


def test_a_stream_that_began_is_not_tried_again(stub: Stub) -> None:
    stub.play = [sends(sse(delta("Par"), done=False))]
    with pytest.raises(ModelError):
        said(stub, retries=3)
    assert len(stub.asked) == 1


def test_budgets_hold_for_the_process(stub: Stub) -> None:
    stub.play = [sends(SAME["openai"])]
    for _ in range(2):
        said(stub, requests=2)
    opened.cache_clear()
    with pytest.raises(PolicyError) as caught:
        said(stub, requests=2)
    assert caught.value.code == "BUDGET" and caught.value.param == "requests" and len(stub.asked) == 2
    with pytest.raises(PolicyError, match="36 tokens"):
        said(stub, tokens=36)
    assert said(stub, tokens=37).text == "Paris."


def test_the_key_is_never_told(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    stub.play = [error(401, f"no such key: {KEY}")]
    with pytest.raises(ModelError) as caught:
        said(stub, key_from="MY_KEY")
    assert stub.asked[0][1]["authorization"] == f"Bearer {KEY}" and KEY not in str(caught.value) and "***" in str(caught.value) and caught.value.__suppress_context__
    stub.play = [sends(b"", status=307, headers={"Location": f"http://127.0.0.1:1/{KEY}"})]
    with pytest.raises(ModelError) as caught:
        said(stub, key_from="MY_KEY")
    assert KEY not in str(caught.value)


def test_an_answer_that_is_closed_ends_the_connection(stub: Stub) -> None:
    broke = threading.Event()

    def play(to: BaseHTTPRequestHandler) -> None:
        sends(b"")(to)
        try:
            for _ in range(200):
                to.wfile.write(sse(delta("word "), done=False))
                time.sleep(0.01)
        except OSError:
            broke.set()

    stub.play = [play]
    pieces: Any = chat_at(stub.at()).chat(HELLO, Want())
    assert next(pieces).text == "word "
    pieces.close()
    assert broke.wait(5)
