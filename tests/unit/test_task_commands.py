"""`ilk task`, `ilk mark` and `ilk list tasks`: what they print, and what they refuse."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ilk import registry
from ilk.cli import main
from ilk.sandbox import Bubblewrap, Sandlock

from .test_tasks_story import CAVE, TEXTS
from .test_tasks_text import SOURCE


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, object]]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bridge.txt").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "people.csv").write_text("city,age\nLyon,30\nTurin,50\n")
    (tmp_path / "add.json").write_text(json.dumps({"order": "add(a, b)", "tests": ["assert add(1, 2) == 3"]}))
    (tmp_path / "cave.json").write_text(json.dumps(CAVE))
    return tmp_path


def script(name: str, *says: str) -> str:
    Path(name).write_text(json.dumps(says))
    return f"echo:?script={name}"


def test_all_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = answer(capsys, "list", "tasks")
    assert code == 0 and [t["name"] for t in told["tasks"]] == list(registry.names("tasks")) and len(told["tasks"]) == 10  # type: ignore[attr-defined,arg-type,index]


def test_a_floor(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = answer(capsys, "task", "summary", "bridge.txt", "--ratio", ".5", "--floor")
    done = told["done"][0]  # type: ignore[index]
    assert code == 0 and told["model"] is None and done["passed"] and done["value"]["traced"][0]["places"]
    assert main(["task", "report", "people.csv", "--floor"]) == 0 and "age: mean 40, from 30 to 50." in capsys.readouterr().out


def test_what_fails_is_tried_again_and_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = script("mean.json", "The mean age is 41.", "The mean age is {{mean(age)}}.")
    code, told = answer(capsys, "task", "report", "people.csv", "--about", "ages", "--model", at)
    done = told["done"][0]  # type: ignore[index]
    assert code == 0 and done["passed"] and done["value"]["text"] == "The mean age is 40." and [f["code"] for f in done["attempts"][0]["findings"]] == ["NUMBER", "FIGURES"]
    assert main(["task", "translation", "Hello", "--to", "zh", "--model", "echo:Hello", "--tries", "2"]) == 0
    assert capsys.readouterr().out == "not passed after 2 answers; of the last one:\n  LANGUAGE: this is not Chinese (simplified): 'Hello'\n"


def test_options_of_tasks_are_flags(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "task", "classification", "Fine.", "--labels", "good", "--labels", "bad", "--model", "echo:bad")[1]
    assert told["done"][0]["value"] == "bad" and set(told["done"][0]["attempts"][0]["chances"]) == {"good", "bad"}  # type: ignore[index]
    told = answer(capsys, "task", "extraction", "Ann is 41.", "--fields", "name=text", "--fields", "age=number", "--model", 'echo:{"name": "Ann", "age": 41}')[1]
    assert told["done"][0]["value"]["values"] == {"name": "Ann", "age": 41}  # type: ignore[index]
    assert answer(capsys, "task", "branching", "cave.json", "--model", script("texts.json", json.dumps(TEXTS)))[1]["done"][0]["passed"]  # type: ignore[index]
    assert main(["task", "writing", "--help"]) == 0 and "--forbidden      text; several compose" in capsys.readouterr().out


@pytest.mark.skipif(not (Sandlock.there() or Bubblewrap.there()), reason="no sandbox is installed")
def test_pass_at_k(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = script("adds.json", "def add(a, b): return a + b", "def add(a, b): return a", "def add(a, b): return b", "def add(a, b): return 3")
    told = answer(capsys, "task", "code", "add.json", "-n", 4, "--model", at)[1]
    assert told["inputs"] == [{"n": 4, "right": 2, "pass_at": {"1": 0.5, "2": pytest.approx(5 / 6)}}] and told["pass_at"]["1"] == 0.5  # type: ignore[index]


def test_marking(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("keys.txt").write_text("42\nParis\n")
    Path("answers.txt").write_text("it is 42\nLyon\n")
    code, told = answer(capsys, "mark", "keys.txt", "answers.txt")
    assert code == 0 and (told["right"], told["of"]) == (1, 2)
    Path("answers.txt").write_text("42\n")
    assert answer(capsys, "mark", "keys.txt", "answers.txt")[0] == 3 and answer(capsys, "mark", "nowhere", "answers.txt")[0] == 3


@pytest.mark.parametrize("words", [("sumary", "x"), ("summary", "x", "--ratio", "2"), ("translation", "x", "--to", "klingon"), ("translation", "x", "--floor"),
                                   ("extraction", "x", "--fields", "a=b"), ("summary", "x", "--model", "echo:", "--tries", "0"), ("summary", "x", "--model", "nowhere:x")])
def test_what_means_nothing_is_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "task", *words)[0] == 2


def test_input_that_does_not_fit_is_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "bad.txt").write_bytes(b"\xff\xfe")
    for words in (("report", "nowhere.csv"), ("code", "bridge.txt"), ("branching", "add.json"), ("summary", "bad.txt")):
        assert answer(capsys, "task", *words, "--model", "echo:")[0] == 3
