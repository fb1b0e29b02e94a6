"""`ilk classify`, `detect`, `augment` and `fit --start`: what they print and write, and what they refuse."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ilk
from ilk.cli import main


def people(seed: int, n: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    old = rng.uniform(size=n) < 0.15
    cat = (rng.uniform(size=n) < 0.8) == old
    return pl.DataFrame({"age": np.where(old, 70, 30) + rng.integers(-5, 6, size=n), "pet": np.where(cat, "cat", "dog"), "group": np.where(old, "old", "young")})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("use")
    people(1).write_csv(at / "people.csv")
    people(2, 40).write_csv(at / "new.csv")
    people(3, 60).with_columns(age=pl.col("age") + 5).write_csv(at / "later.csv")
    pl.concat([people(4, 20), pl.DataFrame({"age": [75], "pet": ["cat"], "group": ["young"]})]).write_csv(at / "odd.csv")
    rng = np.random.default_rng(0)
    pl.DataFrame({"x": rng.standard_normal(300), "kind": np.where(rng.uniform(size=300) < 0.2, "a", "b")}).write_csv(at / "noise.csv")
    ilk.fit(ilk.read(at / "people.csv"), ilk.GMM(components=2)).save(at / "people.ilk")
    return at


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, object], str]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_classify(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    code, told, _ = answer(capsys, "classify", "people.ilk", "new.csv", "--by", "group")
    model, rows = ilk.load("people.ilk"), pl.read_csv("new.csv")
    found = ilk.classify(model, rows, by="group")
    assert code == 0 and told["accuracy"] == found.accuracy > 0.9 and told["classes"] == ["old", "young"] and [i["group"] for i in told["items"]] == found.best  # type: ignore[index,attr-defined]
    assert main(["classify", "people.ilk", "new.csv", "--by", "group", "--held", "people.csv", "--out", "told.csv"]) == 0
    table = pl.read_csv("told.csv")
    assert table.columns == ["group", "chance of old", "chance of young"] and np.allclose(table["chance of old"] + table["chance of young"], 1)
    assert answer(capsys, "classify", "people.ilk", "new.csv", "--by", "age")[0] == 2


def test_detect(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    code, told, _ = answer(capsys, "detect", "people.ilk", "odd.csv", "--false-alarm", ".05", "--parts")
    assert code == 0 and told["held"] == 30 and told["items"][-1]["alarm"] and max(told["surprises"]["20"], key=told["surprises"]["20"].get) == "pet"  # type: ignore[index,arg-type]
    assert main(["detect", "people.ilk", "odd.csv", "--false-alarm", ".05", "--normal", "new.csv", "--out", "p.csv"]) == 0
    assert pl.read_csv("p.csv")["p"].min() == pytest.approx(1 / 41) and "of 21 items are anomalies at 0.05 false alarms" in capsys.readouterr().out
    code, refused, _ = answer(capsys, "detect", "people.ilk", "odd.csv")
    assert code == 3 and "99 of them" in refused["error"]["message"]  # type: ignore[index]


def test_augment_refuses_and_writes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 6 where labels are noise; with --force all real rows and the made ones, marked."""
    monkeypatch.chdir(home)
    words = ("augment", "noise.csv", "--balance", "kind", "--family", "gmm", "--components", "1", "--repeats", "2", "--out", "more.csv")
    code, told, _ = answer(capsys, *words)
    assert code == 6 and told["error"]["code"] == "NO_GAIN" and not Path("more.csv").exists()  # type: ignore[index]
    code, told, _ = answer(capsys, *words, "--force")
    rows = pl.read_csv("more.csv")
    assert code == 0 and not told["helps"] and rows["synthetic"].sum() == sum(told["made"].values()) > 0 and len(rows) == 300 + rows["synthetic"].sum()  # type: ignore[attr-defined]
    assert rows.filter(~pl.col("synthetic")).drop("synthetic").equals(pl.read_csv("noise.csv"))
    for bad, said in ((("kind", "--out", "more.xyz"), "can't be written"), (("x",), "no class"), (("kind", "--repeats", "1"), "repeats")):
        code, told, _ = answer(capsys, "augment", "noise.csv", "--balance", *bad)
        assert code == 2 and said in told["error"]["message"]  # type: ignore[index]


def test_fit_goes_on_from_a_model(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    code, told, _ = answer(capsys, "fit", "later.csv", "--start", "people.ilk", "--out", "later.ilk")
    assert code == 0 and told["family"] == "gmm" and ilk.load("later.ilk").card["start"] == str(home / "people.csv")
    assert ilk.load("later.ilk").score(people(5).with_columns(age=pl.col("age") + 5)).mean > ilk.load("people.ilk").score(people(5).with_columns(age=pl.col("age") + 5)).mean
    for words in (("--family", "circuit"), ("--family", "gmm", "--components", "3"), ("--modality", "table")):
        code, told, _ = answer(capsys, "fit", "later.csv", "--start", "people.ilk", "--out", "other.ilk", *words)
        assert code == 2 and not Path("other.ilk").exists()
    code, told, _ = answer(capsys, "fit", "noise.csv", "--start", "people.ilk", "--out", "other.ilk")
    assert code in (2, 3) and "remedy" not in told
