"""`ilk score-texts`: what it prints, and what it refuses."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

import ilk
from ilk.cli import main

MADE, REAL, OTHER = ["北京的秋天很美", "", "天气很好"], ["北京秋天很美", "没有风", "天气真好"], ["北京的秋天真美", "无风", "天很好"]


def written(at: Path, lines: list[str], end: str = "\n", encoding: str = "utf-8") -> str:
    at.write_bytes((end.join(lines) + end).encode(encoding))
    return str(at)


def test_the_command_says_what_the_function_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [written(tmp_path / "made.txt", MADE), written(tmp_path / "real.txt", REAL, "\r\n"), written(tmp_path / "other.txt", OTHER, encoding="gb18030")]
    assert main(["score-texts", *files, "--json"]) == 0
    found, told = json.loads(capsys.readouterr().out), ilk.text_scores(MADE, list(zip(REAL, OTHER, strict=True)))
    assert (found["bleu"], found["rouge_l"], found["tokens"], found["n"]) == (told.bleu, told.rouge_l, "zh", 3)
    assert main(["score-texts", *files[:2]]) == 0
    assert capsys.readouterr().out == f"{ilk.text_scores(MADE, REAL)!r}\n"


def test_files_that_do_not_fit_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, short = written(tmp_path / "made.txt", MADE), written(tmp_path / "short.txt", REAL[:2])
    assert main(["score-texts", made, short]) == 3 and "3 lines" in capsys.readouterr().err
    assert main(["score-texts", made, str(tmp_path / "none.txt")]) == 3 and "there is no file" in capsys.readouterr().err
    assert main(["score-texts", made]) == 2
