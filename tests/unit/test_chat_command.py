"""`ilk chat`: one question, standard input, shapes, kept and replayed conversations, and a session in a real (pseudo) terminal."""
from __future__ import annotations

import io
import json
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ilk.backend import opened
from ilk.cli import main
from ilk.console import _session
from ilk.verbs.conversation import Conversation


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["chat", *map(str, words)])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_one_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, "Hello there", "--model", "echo:") == (0, "Hello there\n", "")
    code, out, err = asked(capsys, "x", "--model", "echo:one two three", "--most", 2)
    assert (code, out) == (0, "one two \n") and "cut off after 2 tokens" in err
    assert asked(capsys, "x", "--model", "echo:one two three", "--stop", "tw", "--stop", "th")[1] == "one \n"
    said = json.loads(asked(capsys, "Hello", "--model", "echo:", "--json", "--seed", 3)[1])
    assert said == {"model": "echo:", "question": "Hello", "answer": "Hello", "why": "stop", "read": 8, "made": 1, "dropped": 0, "seed": 3}


def test_standard_input(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("two\nlines\n"))
    assert asked(capsys, "--model", "echo:")[1] == "two\nlines\n"
    for nothing in ("", " \n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(nothing))
        code, _, err = asked(capsys, "--model", "echo:")
        assert code == 2 and "QUESTION" in err


def test_shapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.json").write_text('{"type": "object", "required": ["a"]}')
    assert asked(capsys, '{"a": 1}', "--model", "echo:", "--schema", tmp_path / "s.json")[:2] == (0, '{"a": 1}\n')
    code, out, err = asked(capsys, '{"b": 1}', "--model", "echo:", "--schema", tmp_path / "s.json")
    assert code == 4 and out == "" and "SHAPE" in err
    assert asked(capsys, "2026", "--model", "echo:", "--pattern", r"\d+")[0] == 0 and asked(capsys, "x", "--model", "echo:", "--pattern", r"\d+")[0] == 4
    (tmp_path / "bad.json").write_text("[")
    (tmp_path / "list.json").write_text("[]")
    for words in (["--schema", tmp_path / "bad.json"], ["--schema", tmp_path / "none.json"], ["--schema", tmp_path / "list.json"],
                  ["--schema", tmp_path / "s.json", "--pattern", "a"], ["--pattern", "("], ["--most", 0], ["--temperature", -1], ["--too-long", "cut"]):
        code, _, err = asked(capsys, "x", "--model", "echo:", *words)
        assert code == 2 and err.startswith("ilk: error["), words


def test_models_that_are_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for model, word in (("people.ilk", "ADDRESS"), ("nope:x", "UNKNOWN_BACKENDS"), ("openai:gpt-x", "OPENAI_API_KEY"), ("echo:?script=none.json", "SCRIPT")):
        code, out, err = asked(capsys, "Hello", "--model", model)
        assert code == 2 and out == "" and word in err and "Traceback" not in err


def test_a_conversation_is_kept_gone_on_with_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at, script = tmp_path / "talk.json", tmp_path / "s.json"
    script.write_text('["one", "two"]')
    for i, system in enumerate((("--system", "Be brief."), ())):
        assert asked(capsys, f"question {i}", "--model", f"echo:?script={script}", "--save", at, *system)[0] == 0
    assert [t.text for t in Conversation.load(at).turns] == ["Be brief.", "question 0", "one", "question 1", "two"]
    assert asked(capsys, "--replay", at)[:2] == (0, "0 of 2 answers differ\n")
    script.write_text('["one", "TWO"]')
    opened.cache_clear()
    code, out, _ = asked(capsys, "--replay", at, "--json")
    assert code == 0 and json.loads(out) == {"answers": 2, "differences": [{"line": 4, "was": "two", "now": "TWO"}]}
    at.write_text("something else")
    code, _, err = asked(capsys, "x", "--model", "echo:", "--save", at)
    assert code == 4 and at.read_text() == "something else" and "error[" in err


def test_what_is_too_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at, words = tmp_path / "talk.json", ["--model", "echo:yes?window=14", "--most", 2, "--system", "", "--save"]
    for _ in range(3):
        code, _, err = asked(capsys, "four words of mine", *words, at)
    assert code == 2 and "CONTEXT" in err and len(Conversation.load(at).lines) == 4
    code, out, err = asked(capsys, "four words of mine", *words, at, "--too-long", "drop-oldest")
    assert code == 0 and out == "yes\n" and "not shown the oldest" in err


class Terminal:
    """The command in a terminal of its own, typed into."""

    def __init__(self, fd: int, pid: int) -> None:
        self.fd, self.pid, self.seen = fd, pid, ""

    def until(self, text: str, seconds: float = 20.0) -> str:
        """What it shows up to that text."""
        end = time.monotonic() + seconds
        while text not in self.seen and time.monotonic() < end:
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            try:
                self.seen += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                break
        assert text in self.seen, f"{text!r} never came: {self.seen!r}"
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())


@contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    pty = pytest.importorskip("pty")
    pid, fd = pty.fork()
    if pid == 0:   # the child: it becomes the command, and hears Ctrl-C even where whoever began the tests does not
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(sys.executable, [sys.executable, "-m", "ilk", "chat", *words], {**os.environ, "TERM": "dumb", "OMP_NUM_THREADS": "1"})
    try:
        yield Terminal(fd, pid)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def test_a_session_in_a_terminal(tmp_path: Path) -> None:
    at = tmp_path / "talk.json"
    with terminal("--model", "echo:", "--system", "Be brief.", "--save", str(at)) as shell:
        shell.until("> ")
        shell.type("Hello \x1b\x16\x07there\n")
        shell.until("\r\n")
        assert "\x07" not in shell.until("> ")
        shell.type("one \\\n")
        shell.until(". ")
        shell.type("two\n")
        shell.until("\r\n")
        assert "one \r\ntwo\r\n" in shell.until("> ")
        shell.type("\x03")
        shell.until("Ctrl-D ends")
        shell.until("> ")
        shell.type("\x04")
        shell.until("\r\n")
    assert Conversation.load(at).turns[0].text == "Be brief."


class Typed:
    """Lines as if they were typed, then the end."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def __call__(self, prompt: str = "") -> str:
        if not self.lines:
            raise EOFError
        line = self.lines.pop(0)
        if line == "^C":
            raise KeyboardInterrupt
        return line


def session(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: list[str], *words: str) -> tuple[str, str]:
    class Tty(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("builtins.input", Typed(*lines))
    monkeypatch.setattr("sys.stdin", Tty())
    code, out, err = asked(capsys, *words)
    assert code == 0
    return out, err


def test_commands_of_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.json").write_text('["a0", "a1", "a2", "a3"]')
    lines = ["/help", "/system", "/system Be kind.", "one", "two", "/undo", "/retry", "/seed", "/seed 0", "/seed many", "/save", "/save t.json", "three", "/save t.json",
             "/load none.json", "/load", "/nonsense", " /slash", "", "```", "block of", "text", "```", "^C", "/load t.json", "/exit", "never"]
    out, err = session(monkeypatch, capsys, lines, "--model", "echo:?script=s.json", "--system", "")
    assert "/retry" in out and "(none)" in out and "Be kind." in out and "never" not in out
    talk = Conversation.load("t.json")
    assert [t.text for t in talk.turns] == ["Be kind.", "one", "a1", "three", "a1", " /slash", "a2", "```\nblock of\ntext\n```", "a3"]
    assert [line.want.seed for line in talk.lines if line.want] == [1, 0, 0, 0]
    for code in ("OPTION", "FILE", "UNREADABLE", "COMMAND"):
        assert f"error[{code}]" in err
    assert talk.replay() == ()


def test_nothing_to_undo_and_errors_keep_the_session(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = session(monkeypatch, capsys, ["/undo", "/retry", "far too many words for this window", "short"], "--model", "echo:?window=4", "--most", "1", "--system", "")
    assert err.count("error[NOTHING]") == 2 and err.count("error[CONTEXT]") == 1 and "short" in out


def test_control_c_stops_an_answer_and_keeps_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[str] = []

    def put(text: str) -> None:
        shown.append(text)
        if text == "stop-here ":
            raise KeyboardInterrupt

    monkeypatch.setattr(_session, "put", put)
    at = tmp_path / "t.json"
    session(monkeypatch, capsys, ["a stop-here b c", "again", "/exit"], "--model", "echo:", "--save", str(at), "--system", "")
    talk = Conversation.load(at)
    assert [t.text for t in talk.turns] == ["a stop-here b c", "a stop-here ", "again", "again"] and talk.lines[1].want is None and "\n(stopped)\n" in shown
    assert talk.replay() == ()


@pytest.mark.parametrize("evil", ["\x1b]52;c;aGk=\x07", "\x1b[2J", "\x9b31m", "\u202eabc", "\r"])
def test_no_answer_steers_the_terminal(evil: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = session(monkeypatch, capsys, [f"x{evil}y"], "--model", "echo:")
    assert not any(c in out for c in "\x1b\x07\x9b\u202e\r")
