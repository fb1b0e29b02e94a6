"""`ilk examine`, `check-text` and `review`: what they print and write, and what they refuse."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ilk.cli import main


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_examine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = answer(capsys, "examine", "echo:Paris", "--most", "2")
    assert code == 0 and told["figures"][0] | {"interval": 0} == {"part": "facts", "language": "en", "name": "right", "value": 0.5, "interval": 0, "floor": 0.5, "n": 2}
    assert len(told["answers"]) == 20 and {a["answer"] for a in told["answers"]} == {"Paris"} and told["curve"] is None
    (tmp_path / "mine.jsonl").write_text(json.dumps({"part": "mine", "language": "zh", "question": "谁？", "answers": ["李白"]}))
    assert answer(capsys, "examine", "echo:李白。", "--suite", tmp_path / "mine.jsonl")[1]["figures"][0]["value"] == 1
    assert main(["examine", "echo:Paris", "--most", "1"]) == 0 and "facts/en right: 1.000" in capsys.readouterr().out
    for words in (["examine", "echo:x", "--most", "0"], ["examine", "nothing"], ["examine", "echo:x", "--suite", "basc"]):
        assert answer(capsys, *words)[0] == 2
    assert answer(capsys, "examine", "echo:x", "--suite", tmp_path / "none.jsonl")[0] == 3


def test_check_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("said.txt").write_text("The mean age in Lyon is 42. The capital of France is Rome.\n")
    Path("people.csv").write_text("city,age\nLyon,40\nLyon,44\nNice,30\n")
    Path("known.csv").write_text("subject,relation,object\nFrance,capital,Paris\n")
    Path("source.txt").write_text("We found that the mean age in Lyon is 42 years.")
    code, told = answer(capsys, "check-text", "said.txt", "--table", "people.csv", "--knowledge", "known.csv", "--source", "source.txt", "--rule", "age > 35")
    assert code == 0 and [s["sort"] for s in told["sentences"]] == ["supported", "unknown", "contradicted", "unknown", "contradicted"]
    assert [round(s["score"], 2) for s in told["support"]] == [1.0, 0.0] and told["support"][0]["source"] == "source.txt"
    assert main(["check-text", "said.txt", "--source", "source.txt"]) == 0 and "not there: capital, franc" in capsys.readouterr().out
    for words, wanted in ((["said.txt"], 2), (["said.txt", "--source", "source.txt", "--rule", "age > 1"], 2), (["none.txt", "--source", "source.txt"], 3),
                          (["said.txt", "--table", "none.csv"], 3), (["said.txt", "--knowledge", "people.csv"], 3),
                           (["said.txt", "--table", "people.csv", "--rule", "size > 1"], 2)):
        assert answer(capsys, "check-text", *words)[0] == wanted


def test_review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("made.txt").write_text('One.\n\n{"text": "Two.", "score": 0.3}\nThree.\n')
    assert answer(capsys, "review", "add", "q", "made.txt") == (0, {"queue": "q", "items": [1, 2, 3]})
    assert answer(capsys, "review", "approve", "q", 1, "--who", "Ada")[1] == {"id": 1, "state": "approved"}
    assert answer(capsys, "review", "edit", "q", 2, "Two and a half.", "--who", "Ada")[1]["state"] == "edited"
    assert answer(capsys, "review", "reject", "q", 3, "--who", "Bo", "--why", "no source")[1]["state"] == "rejected"
    assert [i["id"] for i in answer(capsys, "review", "list", "q", "--state", "edited")[1]["items"]] == [2]
    shown = answer(capsys, "review", "show", "q", 2)[1]
    assert shown["about"] == {"score": 0.3} and [e["text"] for e in shown["history"]] == ["Two.", "Two and a half."]
    assert answer(capsys, "review", "export", "q", "out.jsonl")[1]["items"] == 1 and json.loads(Path("out.jsonl").read_text())["text"] == "One."
    assert main(["review", "list", "q"]) == 0 and "2 edited    Two and a half." in capsys.readouterr().out
    for words, wanted in ((["approve", "q", 9, "--who", "Ada"], 2), (["approve", "q", 1], 2), (["reject", "q", 1, "--who", "Ada", "--why", " "], 2), (["list", "none"], 3),
                          (["list", "made.txt"], 3), (["add", "q", "none.txt"], 3)):
        assert answer(capsys, "review", *words)[0] == wanted
