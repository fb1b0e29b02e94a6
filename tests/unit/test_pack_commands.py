"""`ilk pack` and `ilk unpack`: what they print and write, and what they refuse."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ilk
from ilk.cli import main


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at, rng = tmp_path_factory.mktemp("pack"), np.random.default_rng(0)
    old = rng.uniform(size=500) < 0.3
    frame = pl.DataFrame({"age": np.where(old, 70, 30) + rng.integers(-5, 6, size=500), "pet": np.where(old, "cat", "dog")})
    frame[:300].write_csv(at / "people.csv")
    frame[300:].write_csv(at / "new.csv")
    ilk.fit(ilk.read(at / "people.csv"), ilk.ChowLiu()).save(at / "people.ilk")
    return at


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, object], str]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_there_and_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = answer(capsys, "pack", home / "people.ilk", home / "new.csv")
    at = home / "new.csv.ilkpack"
    assert code == 0 and said["out"] == str(at) and said["bytes"] == at.stat().st_size and said["identical"] is True
    assert said["bytes"] == sum(int(str(said[k])) for k in ("payload", "aside", "difference", "header")) and said["items"] == 200 and said["strange"] == 0
    assert abs(int(str(said["payload"])) - float(str(said["claimed_bytes"]))) < 12
    code, said, _ = answer(capsys, "unpack", home / "people.ilk", at, "--out", home / "again.csv")
    assert code == 0 and said == {"out": str(home / "again.csv"), "items": 200, "identical": True}
    assert (home / "again.csv").read_bytes() == (home / "new.csv").read_bytes()


def test_what_it_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", str(home / "people.ilk"), str(home / "new.csv"), "-o", str(home / "said.ilkpack")]) == 0
    said = capsys.readouterr().out
    for word in ("200 items; the identical file comes back", "said by the model", "claimed by", "(exact)", "xz -9", "aside", "header", "the model's own"):
        assert word in said


def test_refusals_leave_nothing_behind(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with a code; no half-written file."""
    (home / "bad.ilkpack").write_bytes(b"nothing")
    cases = [(("unpack", home / "people.ilk", home / "bad.ilkpack"), 4, "PACK_DAMAGED"), (("unpack", home / "people.ilk", home / "new.csv"), 2, "OPTION"),
             (("pack", home / "people.ilk", home / "none.csv"), 3, "NOT_FOUND"), (("unpack", home / "people.ilk", home / "none.ilkpack"), 3, "NOT_FOUND")]
    for words, exit_code, name in cases:
        code, said, _ = answer(capsys, *words)
        assert code == exit_code and said["error"]["code"] == name   # type: ignore[index]
    assert not (home / "bad").exists() and not (home / "none").exists()
