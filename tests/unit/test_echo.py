"""The backend echo: what it says, its script, its window, its stop strings, its shapes, its weights."""
from __future__ import annotations

import json
from math import exp
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilk.backend import chat_at
from ilk.chat import Answer, Call, Chat, Continues, Counts, Pattern, Schema, Turn, Want, Weighs
from ilk.errors import IlkError

HELLO = [Turn.of("user", "Hello there, all of you")]


def said(address: str, want: Want | None = None, turns: list[Turn] = HELLO) -> Answer:
    return Answer.of(chat_at(address).chat(turns, want or Want()))


def test_it_repeats_or_says() -> None:
    assert said("echo:").text == "Hello there, all of you" and said("echo:Good day").text == "Good day"
    assert said("echo:one two three", Want(most=2)).end.why == "length" and said("echo:one two three", Want(most=3)).end.why == "stop"
    assert said("echo:one two three", Want(most=2)).text == "one two "


@given(st.text("ab c", max_size=30), st.lists(st.text("ab ", min_size=1, max_size=3), max_size=3))
def test_stop_strings_are_left_out(text: str, stops: list[str]) -> None:
    found = said("echo:", Want(stop=tuple(stops)), [Turn.of("user", text)])
    assert text.startswith(found.text) and not any(s in found.text for s in stops) and found.end.why == "stop"
    assert found.text == text or any(s in text for s in stops)


def test_a_stop_string_may_straddle_tokens() -> None:
    assert said("echo:one two three", Want(stop=("o th",), alternatives=0)).text == "one tw"


@pytest.mark.parametrize("most", [None, 1, 5])
def test_the_window_is_never_passed(most: int | None) -> None:
    model = chat_at("echo:?window=9")
    for words in range(1, 12):
        turns = [Turn.of("user", "word " * words)]
        need = model.count(model.written(turns)) + (most or 1)   # type: ignore[attr-defined]
        if need > 9:
            with pytest.raises(IlkError) as caught:
                model.chat(turns, Want(most=most))
            assert caught.value.code == "CONTEXT" and "9" in str(caught.value) and str(need - (most or 1)) in str(caught.value)
        else:
            found = Answer.of(model.chat(turns, Want(most=most)))
            assert found.end.read + found.end.made <= 9


def test_a_script_answers_in_turn_and_by_seed(tmp_path: Path) -> None:
    at = tmp_path / "script.json"
    at.write_text(json.dumps(["first", {"tool": "add", "arguments": {"a": 1}}, [{"tool": "x"}, {"tool": "y"}]]))
    model = chat_at(f"echo:?script={at}")
    one = Answer.of(model.chat(HELLO, Want()))
    two = Answer.of(model.chat([*HELLO, one.turn, *HELLO], Want()))
    assert one.text == "first" and two.calls == (Call("add", {"a": 1}, "1.0"),) and two.end.why == "calls"
    assert [c.name for c in said(model.name, Want(seed=2)).calls] == ["x", "y"]
    assert said(model.name, Want(seed=2)) == said(model.name, Want(seed=2))
    with pytest.raises(IlkError, match="3 answers") as caught:
        model.chat(HELLO, Want(seed=3))
    assert caught.value.code == "SCRIPT"


@pytest.mark.parametrize("text", ["{}", "[1]", "[", '[{"tool": 1}]', '[{"tool": "a", "arguments": []}]', '[{"tool": "a", "also": 1}]', '[[["a"]]]'])
def test_a_bad_script_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(IlkError) as caught:
        chat_at(f"echo:?script={tmp_path / 's.json'}")
    assert caught.value.code == "SCRIPT"


def test_no_script_at_all_is_refused() -> None:
    with pytest.raises(IlkError, match=r"none\.json"):
        chat_at("echo:?script=none.json")


@pytest.mark.parametrize(("text", "shape", "why"), [
    ('{"a": 1}', Schema({"type": "object", "required": ["a"]}), None), ('{"b": 1}', Schema({"type": "object", "required": ["a"]}), "required"),
    ("no json", Schema({}), "JSON"), ('{"a": NaN}', Schema({}), "JSON"), ("2026", Pattern(r"\d{4}"), None), ("2026!", Pattern(r"\d{4}"), "end to end"),
    ("x", Pattern("("), "regular expression"), ("1", Schema({"type": "no"}), "JSON Schema"), ("1", Schema({"$ref": "http://example.org/x"}), "JSON Schema")])
def test_a_shape_is_obeyed_or_refused(text: str, shape: Schema | Pattern, why: str | None) -> None:
    want, turns = Want(shape=shape), [Turn.of("user", text)]
    if why is None:
        assert said("echo:", want, turns).text == text
        return
    with pytest.raises(IlkError, match=why) as caught:
        said("echo:", want, turns)
    assert caught.value.code == "SHAPE"


def test_it_has_the_protocols_and_weighs_all_texts_below_one() -> None:
    model = chat_at("echo:a b c")
    assert isinstance(model, Chat) and isinstance(model, Continues) and isinstance(model, Counts) and isinstance(model, Weighs)
    tokens = model.weigh("a b c")
    assert [t.text for t in tokens] == ["a ", "b ", "c"] and all(exp(t.nats) == pytest.approx(.9) for t in tokens)
    other = model.weigh("a x c")
    assert other[1].nats < tokens[1].nats and other[2] == tokens[2]
    assert [t.nats for t in said("echo:a b c", Want(alternatives=0)).tokens] == [t.nats for t in tokens]
    assert Answer.of(model.continued("x", Want())).text == "a b c"
