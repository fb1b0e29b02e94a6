"""Case 15: bodies and framing that no client means. Never a fault of the server, never a hang, always an error in its one shape."""
from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ilk.serve.app import build
from ilk.serve.here import Here
from ilk.serve.limits import Limits
from ilk.serve.place import Workspace
from ilk.serve.server import Server

CHAT, PATIENCE = "/v1/chat/completions", 2.0   # seconds for one of them, on a machine that is busy with others
HI = [{"role": "user", "content": "Hi"}]
REFUSED = (400, 404, 413, 415, 431)


def body(more: dict[str, Any]) -> dict[str, Any]:
    return {"model": "echo", "messages": HI, **more}


def shaped(schema: Any) -> dict[str, Any]:
    return body({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}})


RAW = {
    "an empty object": b"{}", "a list": b"[]", "null": b"null", "a text": b'"x"', "broken": b"{bad", "empty": b"", "deep lists": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b"[" * 500 + b"]" * 500, "NaN": b'{"model": "echo", "messages": [{"role": "user", "content": "Hi"}], "temperature": NaN}',
    "UTF-16": "{}".encode("utf-16"),
    "infinite": b'{"model": "echo", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1e400}',
    "half a letter": b'{"model": "echo", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "a key twice": b'{"model": "echo", "model": "none", "messages": []}', "not UTF-8": b'{"model": "\xff\xfe"}',
    "long digits": b'{"model": "echo", "seed": ' + b"9" * 10_000 + b"}",
    "a zero byte": b'{"model": "ec\x00ho"}', "two values": b"{} {}", "too long": b'"' + b"x" * (3 << 20) + b'"'}
ODD = {
    **{f"messages {m!r}"[:60]: body({"messages": m}) for m in (None, "s", [123], [{}], [{"role": 123}], [{"role": "user", "content": 123}], [],
                                                               [{"role": "king", "content": "x"}], [{"role": "user", "content": [{"type": "x"}]}], [None], {"a": 1})},
    **{f"{k} {v!r}"[:60]: body({k: v}) for k, v in (
        ("n", 10**6), ("n", 0), ("n", "2"), ("max_tokens", -1), ("max_tokens", 0), ("max_tokens", True), ("max_tokens", 1.5), ("temperature", -1), ("temperature", 199),
        ("temperature", "hot"),
        ("stop", ["x"] * 10**5), ("stop", [1]), ("logit_bias", {"x": 1}), ("logit_bias", {"1": 1000}), ("logit_bias", [1]), ("seed", 2**65), ("seed", 1.5),
        ("stream", "yes"), ("stream", 1),
        ("model", "none"), ("model", ""), ("model", "../../etc/passwd"), ("model", "x" * 10**6), ("model", None), ("response_format", {"type": "json_schema"}),
        ("tools", [{}]), ("store", True),
        ("response_format", {"type": "xml"}), ("top_p", 0), ("top_logprobs", 21), ("tool_choice", "any"),
        ("tools", [{"type": "function", "function": {"name": "a b"}}]), ("metadata", "x"),
        ("stream_options", [1]), ("tool_choice", {"type": "function", "function": {}}))},
    "a schema that refers to itself": shaped({"$ref": "#"}), "a schema of nowhere": shaped({"$ref": "http://127.0.0.1:9/x"}),
    "a schema with a broken pattern": shaped({"type": "string", "pattern": "("}),
    "a wide schema": shaped({"type": "object", "properties": {f"k{i}": {"type": "string"} for i in range(9000)}}), "a schema that is none": shaped({"type": 5}),
    "a schema that is no object": body({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": [1]}}})}
EVERY = ("/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    places = {"echo": "echo:", "long": f'echo:{"a" * 40}b', "json": 'echo:"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"'}
    server = Server(Here(places), Workspace.at(tmp_path_factory.mktemp("workspace")))
    with TestClient(build(server), raise_server_exceptions=False) as found:
        found.post(CHAT, json=body({}))   # what is loaded once is not counted to the first of them
        yield found


def refused(answer: Any, began: float) -> None:
    error = answer.json()["error"]
    assert answer.status_code in REFUSED, answer.text[:300]
    assert {"message", "type", "param", "code"} <= set(error) and len(answer.text) < 20_000 and "Traceback" not in answer.text and not re.search("0x[0-9a-f]{5}", answer.text)
    assert time.monotonic() - began < PATIENCE


@pytest.mark.parametrize("name", RAW)
def test_bytes_that_are_no_request(client: TestClient, name: str) -> None:
    for path in (CHAT, *EVERY):
        began = time.monotonic()
        refused(client.post(path, content=RAW[name], headers={"content-type": "application/json"}), began)


@pytest.mark.parametrize("name", ODD)
def test_fields_that_nobody_means(client: TestClient, name: str) -> None:
    began = time.monotonic()
    refused(client.post(CHAT, json=ODD[name]), began)


def test_what_is_odd_but_can_be_met_is_met(client: TestClient) -> None:
    for more in ({"max_tokens": 10**9}, {"unknown": {"deep": [1]}}, {"stop": ["x"] * 16}, {"n": 8}, {"seed": 2**62}, {"temperature": 99}):
        assert client.post(CHAT, json=body(more)).status_code == 200, more


def test_a_pattern_that_takes_for_ever_does_not(client: TestClient) -> None:
    """Matched by backtracking it would take 2^40 steps."""
    for pattern in ("^(a+)+$", "^(a|aa)+$", "^(a|a?)+$"):
        for schema in ({"type": "string", "pattern": pattern}, {"type": "string", "allOf": [{"pattern": pattern}]}):
            began = time.monotonic()
            refused(client.post(CHAT, json={**shaped(schema), "model": "json"}), began)


def test_packed_bodies_and_other_kinds_are_not_taken(client: TestClient) -> None:
    for headers in ({"content-encoding": "gzip"}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}, {"content-type": "application/jsonx"},
                    {"content-type": "multipart/form-data; boundary=x"}, {"content-type": "\t"}):
        answer = client.post(CHAT, content=json.dumps(body({})).encode(), headers={"content-type": "application/json", **headers})
        assert answer.status_code in (400, 415) and answer.json()["error"]["code"], headers


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
GOOD = json.dumps(body({})).encode()
FRAMES: dict[str, tuple[bytes, tuple[int, ...]]] = {
    "a length below zero": (HEAD + b"content-length: -1\r\n\r\n", (400,)), "a length that is none": (HEAD + b"content-length: x\r\n\r\n", (400,)),
    "two lengths": (HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}", (400,)),
    "a length and chunks": (HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", (400, 501)),
    "a broken chunk": (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", (400,)),
    "chunks without end": (HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"5\r\naaaaa\r\n" * 10, (408,)),
    "half a body": (HEAD + b"content-length: 100\r\n\r\n{", (408,)), "another packing": (HEAD + b"transfer-encoding: gzip\r\n\r\n", (400, 415, 501)),
    "too long by its own account": (HEAD + b"content-length: 104857600\r\n\r\n", (413,)), "ten thousand headers": (HEAD + b"x: y\r\n" * 10_000 + b"\r\n", (431,)),
    "a header of a megabyte": (HEAD + b"x: " + b"y" * (1 << 20) + b"\r\n\r\n", (431,)), "a header that never ends": (HEAD + b"x: ", (408,)),
    "a name with a space": (HEAD + b"a b: c\r\n\r\n", (400,)), "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", (400,)),
    "HTTP/9": (b"GET /nothing HTTP/9.9\r\n\r\n", (400, 404, 505)),
    "asked to go on": (HEAD + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(GOOD) + GOOD, (100, 200)),
    "HTTP/1.0": (HEAD.replace(b"1.1", b"1.0") + b"content-length: %d\r\n\r\n" % len(GOOD) + GOOD, (200,)),
    "a path of a megabyte": (b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n\r\n", (400, 414, 431)),
    "two at once": ((HEAD + b"content-length: %d\r\n\r\n" % len(GOOD) + GOOD) * 2, (200,)),
    "chunks past the limit": (HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"80000\r\n" + b"a" * 0x80000 + b"\r\n", (413, 408))}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, listening: Callable[[Server], Any]) -> Iterator[tuple[str, int]]:
    limits = Limits(header_seconds=1, body_seconds=1, body=1 << 18)
    with listening(Server(Here({"echo": "echo:"}), Workspace.at(tmp_path_factory.mktemp("live")), limits)) as found:
        yield found


def answers(said: bytes) -> list[bytes]:
    """The bodies that are here whole, one an answer."""
    found = []
    while (head := said.partition(b"\r\n\r\n"))[1]:
        long = re.search(rb"content-length: (\d+)", head[0])
        size = int(long[1]) if long else 0
        if len(head[2]) < size:
            break
        found.append(head[2][:size])
        said = head[2][size:]
    return found


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_are_no_request(address: tuple[str, int], name: str) -> None:
    sent, good = FRAMES[name]
    said, began = b"", time.monotonic()
    with socket.create_connection(address, 5) as line:
        try:
            line.sendall(sent)
            while piece := line.recv(65536):
                said += piece
                if len(answers(said)) >= (2 if name in ("two at once", "asked to go on") else 1):
                    break
        except (ConnectionResetError, BrokenPipeError):
            pass   # cut off after the refusal was sent, or in the middle of what was too long
    assert time.monotonic() - began < 4
    if said:
        assert int(said.split()[1]) in good, said[:300]
        assert b'"error"' in said or int(said.split()[1]) in (100, 200), said[:300]
    else:
        assert len(sent) > 1 << 17 or name in ("a broken chunk", "chunks without end", "half a body"), "it was cut off without a word"
