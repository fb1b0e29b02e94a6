"""The parser of server-sent events: chunks make no difference, the standard's reading by a plain second parser, and garbage is an error or nothing, never a crash."""
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilk.backends import _sse
from ilk.backends._openai_wire import Pieces
from ilk.backends._sse import events
from ilk.chat import Delta
from ilk.errors import IlkError, ModelError

LINES = st.sampled_from(["data: one", "data:two", "data:  three", "data", "data:", ": comment", "event: x", "id: 3", "retry: 9",
    "nonsense", "", "", "data: 城\ufeff", "\ufeffdata: late"])
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def by_the_standard(text: str) -> list[str]:
    """The reading of the HTML standard, over the whole text at once."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found, data = [], list[str]()
    for line in text.split("\n")[:-1]:
        if not line:
            found += ["\n".join(data)] if data else []
            data = []
        elif line == "data" or line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(p % (len(data) + 1) for p in places)})
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@given(st.lists(st.tuples(LINES, ENDS), max_size=12), st.lists(st.integers(0, 500), max_size=12), st.booleans())
def test_chunks_make_no_difference(lines: list[tuple[str, str]], places: list[int], marked: bool) -> None:
    text = "\ufeff" * marked + "".join(line + end for line, end in lines)
    data = text.encode()
    # A CR at the very end may be half of CR LF: whether an event ends there is known only by what follows, which never comes.
    true = by_the_standard(text[:-1] if text.endswith("\r") else text)
    assert list(events(cut(data, places))) == true == list(events([data[i:i + 1] for i in range(len(data))])) == list(events([data]))


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_garbage_is_told_alike_however_it_is_cut(data: bytes, places: list[int]) -> None:
    def told(chunks: list[bytes]) -> Any:
        found = []
        try:
            for event in events(chunks):
                found.append(event)
        except ModelError as why:
            found.append(why.code)
        return found

    assert told([data]) == told(cut(data, places))


VALUES: st.SearchStrategy[Any] = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["choices", "delta", "content", "message", "text", "usage", "error", "tool_calls", "function", "name", "arguments", "index", "id", "finish_reason",
        "logprobs",
                     "prompt_tokens", "token", "tokens", "token_logprobs", "top_logprobs", "logprob", "refusal"]), inner, max_size=5), max_leaves=30)


@given(st.lists(VALUES, max_size=4))
def test_any_json_is_pieces_or_a_clear_error(chunks: list[Any]) -> None:
    pieces = Pieces()
    try:
        found = [pieces.of(json.loads(json.dumps(chunk))) for chunk in chunks]
        calls = list(pieces.calls())
    except IlkError as why:
        assert why.code in ("ENDPOINT_GARBAGE", "BROKEN_OFF", "REFUSED", "FILTERED")
        return
    assert all(isinstance(f, Delta) and isinstance(f.text, str) for f in found) and all(isinstance(c.arguments, dict) for c in calls)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_fragments_of_arguments_are_joined(values: list[str], sizes: list[int]) -> None:
    whole, pieces, at = json.dumps({"values": values}), Pieces(), 0
    pieces.of({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}}]})
    for size in [*sizes, len(whole)]:
        pieces.of({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": whole[at:at + size]}}]}}]})
        at += size
    (call,) = pieces.calls()
    assert call.name == "f" and call.arguments == {"values": values}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sse, "MOST", 1000)
    for endless in (b"x" * 100, b"data: x" + b"y" * 93 + b"\n", b"data:\n"):
        taken = []

        def chunks(piece: bytes = endless, taken: list[int] = taken) -> Any:
            while True:
                taken.append(len(piece))
                yield piece

        with pytest.raises(ModelError) as caught:
            list(events(chunks()))
        assert caught.value.code == "TOO_LARGE" and sum(taken) < 10_000
