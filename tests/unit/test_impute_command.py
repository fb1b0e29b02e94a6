"""`ilk impute`: known cells come back from the file as they were, what is missing is filled, what can't be is told."""
from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import ilk
from ilk.cli import main


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("impute")
    rng = ilk.Rng(1)
    code = rng.integers(400, 3).tolist()
    rows = pl.DataFrame({"id": [f"p{i:04d}" for i in range(400)],
                         "city": [("Lyon", "城", "a,b")[c] for c in code], "hours per week": [10 * c + i % 4 for i, c in enumerate(code)],
                         "day": [f"2024-02-{1 + 9 * c + i % 5:02d}" for i, c in enumerate(code)], "x": [c + 0.01 * i for i, c in enumerate(code)]})
    rows.write_csv(at / "rows.csv")
    ilk.fit(rows, ilk.Circuit(hidden=4), seed=0).save(at / "model.ilk")
    holes = rows.head(60).with_columns([pl.when(pl.int_range(60) % 5 == k).then(None).otherwise(pl.col(c)).alias(c) for k, c in enumerate(rows.columns)])
    holes.write_csv(at / "holes.csv")
    return at


def test_a_file_is_filled(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["impute", str(home / "model.ilk"), str(home / "holes.csv"), "--best", "--out", str(home / "full.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    holes, full = (pl.read_csv(home / name, infer_schema_length=None) for name in ("holes.csv", "full.csv"))
    assert told["cells"] == 48 and told["left"] == ["id"] and told["n"] == 60 and full["id"].null_count() == 12
    for c in holes.columns:
        keep = holes[c].is_not_null()
        assert full[c].filter(keep).equals(holes[c].filter(keep)) and (c == "id" or full[c].null_count() == 0)
    right = pl.read_csv(home / "rows.csv").head(60)["city"] == full["city"]
    assert right.mean() > 0.95   # the other columns say which of the three it is


def test_draws_and_givens(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["impute", str(home / "model.ilk"), str(home / "holes.csv"), "-n", "3", "--given", "`hours per week` < 23", "--json"]
    code = main(words)
    answer = json.loads(capsys.readouterr().out)
    assert code == 2 and answer["error"]["code"] == "CONTRADICTION"   # some rows are known to have more
    assert main([*words[:5], "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["n"] == 180 and len(answer["items"]) == 180 and answer["items"][0]["x"] == answer["items"][2]["x"]


@pytest.mark.parametrize(("words", "code"), [(["-n", "0"], "OPTION"), (["-n", "2", "--best"], "OPTION")])
def test_refused(home: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: str) -> None:
    assert main(["impute", str(home / "model.ilk"), str(home / "holes.csv"), *words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == code
