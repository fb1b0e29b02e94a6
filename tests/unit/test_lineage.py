"""Lineage of files: what was asked, of which model, from which files; found by content, chained over edits, honest about what is missing."""
from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.cli import main
from ilk.errors import DataError
from ilk.model import identity
from ilk.verbs.lineage import SUFFIX, hashes

torch.set_num_threads(1)


def run(*words: str) -> int:
    return main([*words])


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A model, items it made, and two generations of edits of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ILK_BY", "Ada")
    pl.DataFrame({"a": [0, 1, 2, 3] * 30, "b": ["x", "y"] * 60}).write_csv("data.csv")
    ilk.fit("data.csv", ilk.ChowLiu()).save("m.ilk")
    assert run("sample", "m.ilk", "-n", "6", "--seed", "3", "--out", "one.csv") == 0
    assert run("edit", "m.ilk", "one.csv", "--redo", "a", "--out", "two.csv") == 0
    assert run("edit", "m.ilk", "two.csv", "--redo", "b", "--item", "1", "--out", "three.csv") == 0
    capsys.readouterr()
    return tmp_path


def chain(found: ilk.verbs.lineage.Lineage) -> list[str]:
    return [found.name, *(chain(found.parents[0]) if found.parents else [])]


def test_a_chain_of_edits_is_told_back_to_its_start(made: Path) -> None:
    found = ilk.lineage("three.csv")
    assert chain(found) == ["three.csv", "two.csv", "one.csv"]
    first = found.parents[0].parents[0].record
    assert first is not None and first.asked == ("ilk", "sample", "m.ilk", "-n", "6", "--seed", "3", "--out", "one.csv") and first.seed == 3 and first.by == "Ada"
    assert first.model == identity(ilk.load("m.ilk")) and len(first.items) == 6 and not first.sources
    assert "ilk edit m.ilk two.csv --redo b" in repr(found) and repr(found).count("<- ") == 2


def test_a_copy_elsewhere_is_found_by_what_it_holds(made: Path) -> None:
    shutil.copy("three.csv", "renamed.csv")
    assert chain(ilk.lineage("renamed.csv")) == ["renamed.csv", "two.csv", "one.csv"]
    (made / "far").mkdir()
    shutil.copy("three.csv", "far/away.csv")
    assert ilk.lineage("far/away.csv").record is None
    assert chain(ilk.lineage("far/away.csv", among=["."])) == ["away.csv", "two.csv", "one.csv"]
    assert chain(ilk.lineage(pl.read_csv("two.csv").head(2), among=[made])) == ["these items", "one.csv"]
    with pytest.raises(DataError, match="nothing is known"):
        ilk.lineage(pl.DataFrame({"a": [9], "b": ["z"]}), among=[made])


def test_what_changed_since_is_said(made: Path) -> None:
    at = Path(f"two.csv{SUFFIX}")
    facts = json.loads(at.read_text())
    at.write_text(json.dumps({**facts, "by": "Eve"}))
    assert "not the one" in ilk.lineage("three.csv").parents[0].note
    at.unlink()
    assert "which is not here" in ilk.lineage("three.csv").parents[0].note
    at.write_text("{")
    assert "which is not here" in ilk.lineage("three.csv").parents[0].note
    Path("three.csv").write_text(Path("three.csv").read_text() + "0,x\n")
    assert ilk.lineage("three.csv").record is None


def test_the_same_asked_again_has_the_same_record(made: Path) -> None:
    before = Path(f"one.csv{SUFFIX}").read_bytes()
    assert run("sample", "m.ilk", "-n", "6", "--seed", "3", "--out", "one.csv") == 0
    assert Path(f"one.csv{SUFFIX}").read_bytes() == before


def test_it_can_be_left_out_and_leaves_nothing_stale(made: Path) -> None:
    assert run("sample", "m.ilk", "-n", "5", "--out", "one.csv", "--no-lineage") == 0
    assert not Path(f"one.csv{SUFFIX}").exists() and ilk.lineage("one.csv").record is None


def test_identity_is_of_what_was_learned(made: Path) -> None:
    model = ilk.load("m.ilk")
    assert identity(model) == identity(model.given("a == 1")) != identity(ilk.fit("data.csv", ilk.ChowLiu(smoothing=3.0)))
    model.save("again.ilk")
    assert identity(ilk.load("again.ilk")) == identity(model)


def test_hashes_are_of_single_items() -> None:
    x = np.arange(12.0).reshape(3, 4)
    assert hashes(x)[1:] == hashes(x[1:]) and hashes(x)[0] != hashes(x.astype(np.float32))[0]
    assert hashes(["a", "b"]) == [*hashes(["a"]), *hashes(["b"])]


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    code = run(*words, "--json")
    return code, json.loads(capsys.readouterr().out)


def test_the_commands(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = said(capsys, "lineage", "three.csv")
    assert code == 0 and found["name"] == "three.csv" and found["parents"][0]["name"] == "two.csv"  # type: ignore[index]
    assert said(capsys, "lineage", "none.csv")[0] == 3
    kinds = ["x", "y"] * 3 + ["y", "x"] * 3 + ["x", "y"] * 14
    pl.DataFrame({"a": [0, 1, 2, 3] * 10, "b": kinds}).write_csv("shown.csv")
    order = [(i, i + 1) if kinds[i] == "x" else (i + 1, i) for i in range(0, 40, 2)]
    Path("likes.csv").write_text("winner,loser\n" + "".join(f"{a},{b}\n" for a, b in order))
    code, taste = said(capsys, "prefer", "m.ilk", "likes.csv", "--items", "shown.csv", "--out", "taste")
    assert code == 0 and taste["accuracy"] == 1.0
    code, made_now = said(capsys, "sample", "m.ilk", "-n", "400", "--given", "Towards('taste', 1.5)")
    assert code == 0 and np.mean([row["b"] == "x" for row in made_now["items"]]) > 0.6  # type: ignore[index, attr-defined]
    assert said(capsys, "prefer", "m.ilk", "likes.csv", "--items", "shown.csv", "--out", "m.ilk")[0] == 2
    assert said(capsys, "prefer", "m.ilk", "likes.csv")[0] == 2


def test_the_command_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    ilk.fit(["abab", "abba", "baab"] * 9, ilk.NGram(order=3)).save("t.ilk")
    code, found = said(capsys, "steps", "t.ilk", "--seed", "2", "-n", "2")
    assert code == 0 and found["steps"][-1] == ilk.load("t.ilk").sample(2, seed=2) and found["steps"][0] == ["", ""]  # type: ignore[index]
    code, branched = said(capsys, "steps", "t.ilk", "--seed", "2", "--at", "2", "--branch", "5", "--branch-seed", "7")
    first = found["steps"][2][0]  # type: ignore[index]
    assert code == 0 and len(branched["items"]) == 5 and all(text.startswith(first) for text in branched["items"])  # type: ignore[arg-type, attr-defined]
    assert said(capsys, "steps", "t.ilk", "--at", "99")[0] == 2
    assert run("steps", "t.ilk", "--seed", "2", "--how", "top_p", "--p", ".5", "--out", "s.jsonl") == 0
    assert len(list(tmp_path.glob("s-*.jsonl"))) >= 2 and ilk.lineage(tmp_path / "s-000.jsonl").record is not None


def test_folders_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is known by all that is in it; records that lie among pictures are no pictures."""
    monkeypatch.chdir(tmp_path)
    ilk.fit(ilk.read((ilk.Rng(1).uniform(40, 4, 4, 1) * 255).numpy().astype(np.uint8), "image"), ilk.VAE(codes=2), budget=ilk.Steps(2)).save("p.ilk")
    assert run("sample", "p.ilk", "-n", "3", "--out", "made") == 0
    found = ilk.lineage("made")
    assert found.record is not None and not found.record.sources and len(ilk.read("made")) == 3
    assert run("edit", "p.ilk", "made", "--redo", "box:0,0,2,4", "--out", "made/sheet.png") == 0
    assert Path(f"made/sheet.png{SUFFIX}").exists() and ilk.lineage("made").record is None
    assert ilk.lineage("made/sheet.png", among=["."]).parents[0].name == "made"
    Path("made/sheet.png").unlink()
    assert len(ilk.read("made")) == 3


def test_a_record_that_cant_be_written_stops_the_command_after_its_items(made: Path) -> None:
    Path(f"new.csv{SUFFIX}").mkdir()
    assert run("sample", "m.ilk", "--out", "new.csv") == 5 and Path("new.csv").exists()
