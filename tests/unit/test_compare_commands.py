"""`ilk score-texts`, and the parts of figures that are asked for by name: what is printed, and what is refused."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
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


def test_a_metric_that_is_named_says_its_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    g = np.random.default_rng(0)
    some = pl.DataFrame({"x": g.normal(size=900), "sort": g.choice(["a", "b"], 900)})
    some.write_csv(tmp_path / "some.csv")
    model = str(ilk.fit(ilk.read(tmp_path / "some.csv"), ilk.GMM(components=1), seed=1).save(tmp_path / "some.ilk"))
    assert main(["evaluate", model, "--metric", "group_fidelity"]) == 0
    said = capsys.readouterr().out
    assert all(f"sort={one}: {what} " in said for one in "ab" for what in ("share", "fidelity", "coverage")) and "group_fidelity: worst is the" in said
    assert main(["evaluate", model, "--metric", "group_fidelity", "--json"]) == 0
    (figure,) = json.loads(capsys.readouterr().out)["metrics"]
    assert min(figure["parts"].values()) == figure["value"] and len(figure["parts"]) == 6
