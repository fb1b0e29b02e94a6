"""`ilk ask`: what it prints, and what it refuses."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ilk.cli import main
from ilk.rag.store import Library
from ilk.reader import Document

BRIDGE = "The old bridge is of steel. Anna Meyer built the old bridge in 1901."


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Library.create(tmp_path / "town") as library:
        library.add([Document("bridge.txt", BRIDGE, facts={"year": 1901}), Document("odd.txt", "The crane\x1b]52;c\x07 lifts\nfour tons.", facts={"year": 1990})])
    return tmp_path / "town"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["ask", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_an_answer_has_its_places(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, home, "Who built the old bridge?")
    assert code == 0 and out.splitlines()[:3] == ["Anna Meyer built the old bridge in 1901. [1]", "", f'[1] bridge.txt, characters 28-68: "{BRIDGE[28:68]}"']
    assert "-- 1: bridge.txt, characters 0-68" in run(capsys, home, "Who built the old bridge?", "--show-context")[1]


def test_json_has_all_of_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, home, "Who built the old bridge?", "--json", "--model", "echo:Anna Meyer built the old bridge. The moon is round.")
    found = json.loads(out)
    assert code == 0 and found["answer"] == "Anna Meyer built the old bridge. [1]" and found["dropped"] == ["The moon is round."]
    (citation,), (claim,) = found["citations"], found["claims"]
    assert BRIDGE[citation["start"]:citation["end"]] == citation["quoted"] and claim["citations"] == [citation["number"]] and "text" not in found["passages"][0]


def test_no_answer_is_said_with_its_reason(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, home, "Who invented chess?")
    assert code == 0 and out.startswith("No answer: nothing found fits the question well enough: 0.00, and more than 0.50 is wanted.")
    assert run(capsys, home, "Who built the old bridge?", "--where", "year > 1950")[1].startswith("No answer")
    assert run(capsys, home, "Who invented chess?", "--bar", "0")[0] == 0


def test_no_document_steers_the_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, home, "How many tons lifts the crane?", "--show-context")
    assert "lifts four tons" in out and "\x1b" not in out and "\x07" not in out


@pytest.mark.parametrize(("words", "wanted"), [
    (("nowhere", "Why?"), "no library in"), (("town", " "), "question is empty"), (("town", "Why?", "--where", "colour == 'red'"), "no document has a fact"),
    (("town", "Who built the old bridge?", "--model", "nothing:here"), "nothing"), (("empty", "Why?"), "no documents"), (("town", "Why?", "-k", "0"), "0")])
def test_what_is_refused(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], wanted: str) -> None:
    monkeypatch.chdir(home.parent)
    Library.create(home.parent / "empty").close()
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and wanted in err and "Traceback" not in err and err.count("\n") <= 3
