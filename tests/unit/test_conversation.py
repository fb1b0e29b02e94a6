"""Conversations: policies for those that are too long, the laws of undo and branches, files, and replay."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk.backend import chat_at
from ilk.chat import Call, Delta, End, Grammar, Pattern, Picture, Result, Schema, Tool, Turn, Want, Words
from ilk.errors import IlkError, UsageError
from ilk.verbs._turns import turn_from_json, turn_to_json, want_from_json, want_to_json
from ilk.verbs.chat import DropOldest, Refuse, chat_of, reply, stream
from ilk.verbs.conversation import Conversation, Line

TEXT = st.text(max_size=12)
JSON = st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4) | st.none() | st.lists(st.booleans(), max_size=2), max_size=3)
PARTS = (st.builds(Words, TEXT) | st.builds(Picture, st.binary(max_size=9)) | st.builds(Call, TEXT, JSON, TEXT) | st.builds(Result, TEXT, TEXT))
TURNS = st.builds(Turn, st.sampled_from(["system", "user", "assistant", "tool"]), st.lists(PARTS, max_size=3).map(tuple))
SHAPES = st.none() | st.builds(Schema, JSON) | st.builds(Pattern, TEXT) | st.builds(Grammar, TEXT)
WANTS = st.builds(Want, most=st.none() | st.integers(1, 99), temperature=st.floats(0, 100), top_p=st.floats(0.01, 1), top_k=st.none() | st.integers(1, 9),
                  min_p=st.floats(0, 0.99), stop=st.lists(TEXT, max_size=2).map(tuple), seed=st.integers(0, 99), shape=SHAPES,
                  tools=st.lists(st.builds(Tool, TEXT, TEXT, JSON), max_size=2).map(tuple), alternatives=st.none() | st.integers(0, 20))


def words(role: str, n: int) -> Turn:
    return Turn.of(role, " ".join(["word"] * n))   # type: ignore[arg-type]


@given(TURNS, WANTS)
def test_what_is_written_is_read_back(turn: Turn, want: Want) -> None:
    assert turn_from_json(json.loads(json.dumps(turn_to_json(turn)))) == turn
    assert want_from_json(json.loads(json.dumps(want_to_json(want)))) == want


@settings(max_examples=30)
@given(st.lists(st.builds(Line, TURNS) | st.builds(Line, TURNS, WANTS, st.text(min_size=1), st.integers(0, 9)), max_size=4).map(tuple))
def test_a_file_holds_all(tmp_path_factory: pytest.TempPathFactory, lines: tuple[Line, ...]) -> None:
    at = tmp_path_factory.mktemp("talk") / "talk.json"
    assert Conversation.load(Conversation(lines).save(at)) == Conversation(lines)


def test_half_a_letter_is_kept_too(tmp_path: Path) -> None:
    talk = Conversation.of().say("\udc80 城")
    assert Conversation.load(talk.save(tmp_path / "talk.json")) == talk and "城" in (tmp_path / "talk.json").read_text()


@pytest.mark.parametrize("text", [
    "", "[]", "{}", '{"format": 2, "lines": []}', '{"format": 1, "lines": 3}', '{"format": 1, "lines": [3]}', '{"format": 1, "lines": [{"role": "user"}]}',
    '{"format": 1, "lines": [{"role": "boss", "parts": []}]}', '{"format": 1, "lines": [{"role": "user", "parts": [{"words": 3}]}]}',
    '{"format": 1, "lines": [{"role": "user", "parts": [{"picture": "!", "media": ""}]}]}',
    '{"format": 1, "lines": [{"role": "assistant", "parts": [], "want": {"seed": "x"}, "model": "echo:", "dropped": 0}]}',
    '{"format": 1, "lines": [{"role": "assistant", "parts": [], "want": {"shape": {}}, "model": "echo:", "dropped": 0}]}',
    '{"format": 1, "lines": [{"role": "assistant", "parts": [], "want": {}, "model": "echo:", "dropped": -1}]}',
    '{"format": 1, "lines": [{"role": "assistant", "parts": [], "want": null, "model": "echo:", "dropped": 0}]}'])
def test_a_file_of_something_else_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "talk.json").write_text(text)
    with pytest.raises(IlkError):
        Conversation.load(tmp_path / "talk.json")


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool", "system"]), st.integers(1, 6)), min_size=1, max_size=9), st.integers(3, 30),
       st.none() | st.integers(1, 9))
def test_dropping_keeps_the_window_the_system_and_the_last_exchange(said: list[tuple[str, int]], window: int, most: int | None) -> None:
    turns = [Turn.of(role, f"{i} " + "word " * n) for i, (role, n) in enumerate(said)]   # type: ignore[arg-type]
    model, want = chat_at(f"echo:Good day?window={window}"), Want(most=most)
    last = max((i for i, t in enumerate(turns) if t.role == "user"), default=0)

    def need(these: list[Turn]) -> int:
        return model.count(model.written(these)) + (most or 1)   # type: ignore[attr-defined]

    try:
        shown = list(DropOldest().shown(model, turns, want))
    except UsageError as why:
        assert why.code == "CONTEXT" and need([t for i, t in enumerate(turns) if i >= last or t.role == "system"]) > window
        return
    assert need(shown) <= window and [t for t in shown if t.role == "system"] == [t for t in turns if t.role == "system"]
    gone = [i for i, t in enumerate(turns) if t not in shown]
    kept = [i for i, t in enumerate(turns) if t in shown and t.role != "system"]
    assert not gone or (max(gone) < min(kept) <= last and turns[min(kept)].role == "user")
    users = [i for i, t in enumerate(turns) if t.role == "user" and i < min(kept, default=0)]
    if gone and users:   # one exchange more would not have fitted
        assert need([t for i, t in enumerate(turns) if i >= users[-1] or t.role == "system"]) > window or all(turns[i].role == "system" for i in range(users[-1]))
    found = reply(model, turns, want, DropOldest())
    assert found.dropped == len(gone) == len(turns) - len(shown)


def test_by_default_nothing_is_dropped() -> None:
    turns = [words("user", 5), words("assistant", 5), words("user", 5)]
    with pytest.raises(UsageError) as caught:
        reply("echo:?window=15", turns)
    assert caught.value.code == "CONTEXT" and Refuse().shown(chat_at("echo:"), turns, Want()) is turns
    assert reply("echo:?window=15", turns, policy=DropOldest()).dropped == 2


class Mute:
    name, window = "mute:", None

    def chat(self, turns, want):   # type: ignore[no-untyped-def]
        yield Delta("cut sho")


def test_who_can_not_count_is_shown_all_and_refuses_itself() -> None:
    assert DropOldest().shown(Mute(), [words("user", 9)], Want()) == [words("user", 9)]   # type: ignore[arg-type]
    with pytest.raises(UsageError) as caught:
        reply(Mute(), "Hello")
    assert caught.value.code == "BROKEN_OFF"


def test_streams_are_closed_and_told() -> None:
    pieces = stream("echo:one two three", "Go")
    assert next(iter(pieces)).text == "one " and pieces.text == "one "
    assert pieces.reply().text == "one two three" and pieces.reply().end == End("stop", 2, 3)
    other = stream("echo:one two three", "Go")
    next(iter(other))
    other.close()
    with pytest.raises(UsageError):
        other.reply()


def test_who_answers() -> None:
    class Body:
        chat = chat_at("echo:inner")

    class Model:
        body = Body()

    assert reply(Model(), "x").text == "inner" and chat_of("echo:") is chat_at("echo:")
    for odd in (3, None, object()):
        with pytest.raises(UsageError) as caught:
            chat_of(odd)
        assert caught.value.code == "NO_CHAT"
    with pytest.raises(UsageError, match="nothing"):
        reply("echo:", [])


def test_another_said_who_the_model_shall_be() -> None:
    talk = Conversation.of(system="s").ask("echo:", "one")
    assert [t.text for t in talk.under("other").turns] == ["other", "one", "one"] and Conversation().under("new").turns == (Turn.of("system", "new"),)


QUESTIONS = st.lists(st.text("abc ", min_size=1, max_size=8), max_size=5)


@given(QUESTIONS, st.text("xyz", max_size=4))
def test_undo_takes_back_what_ask_did(questions: list[str], system: str) -> None:
    talk, before = Conversation.of(system=system), []
    for question in questions:
        before.append(talk)
        talk = talk.ask("echo:", question)
    for earlier in reversed(before):
        talk = talk.undo()
        assert talk == earlier
    with pytest.raises(UsageError, match="nothing"):
        talk.undo()


@given(QUESTIONS, st.integers(0, 12))
def test_branches_share_what_came_before(questions: list[str], at: int) -> None:
    talk = Conversation.of(system="s")
    for question in questions:
        talk = talk.ask("echo:", question)
    branch = talk.until(at)
    other = branch.ask("echo:", "other")
    assert other.turns[:len(branch.turns)] == talk.turns[:at] and talk.until(len(talk.lines)) == talk


def test_replay_says_where_answers_differ(tmp_path: Path) -> None:
    script = tmp_path / "s.json"
    script.write_text(json.dumps(["a", {"tool": "t", "arguments": {"x": 1}}, "c"]))
    talk = Conversation.of(system="s")
    for question in ("one", "two", "three"):
        talk = talk.ask(f"echo:?script={script}", question)
    assert talk.replay() == () == Conversation.load(talk.save(tmp_path / "talk.json")).replay()
    (found,) = replace(talk, lines=tuple(replace(line, turn=Turn.of("assistant", "B")) if i == 2 else line for i, line in enumerate(talk.lines))).replay()
    assert (found.line, found.was.text, found.now.text) == (2, "B", "a")
    assert [d.line for d in talk.replay("echo:no")] == [2, 4, 6]
    own = replace(talk, lines=tuple(replace(line, model="") for line in talk.lines))
    with pytest.raises(UsageError, match="name a model"):
        own.replay()
    theirs = replace(talk, lines=tuple(replace(line, model="openai:m?url=http://127.0.0.1:1&key_from=HOME") for line in talk.lines))
    with pytest.raises(UsageError, match="name a model"):
        theirs.replay()


def test_replay_shows_what_was_shown() -> None:
    talk = Conversation.of(system="s")
    for i in range(4):
        talk = talk.ask("echo:?window=9", f"word {i}", policy=DropOldest())
    assert [line.dropped for line in talk.lines if line.want] == [0, 2, 4, 6] and talk.replay() == ()
