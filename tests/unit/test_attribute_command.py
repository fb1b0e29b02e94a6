"""`ilk attribute`, `transfer`, `background` and `counterfactual`: as the verbs do, and told, never a traceback, where nothing can be meant."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image as Pillow

import ilk
from ilk.cli import main
from ilk.modalities.image import Image

from .test_background import SIDE, scenes


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("attribute")
    x = ilk.Rng(1).normal(300, 2).numpy()
    np.savez(at / "points.npz", x=x, y=np.where(x[:, 0] > 0, "right", "left"))
    ilk.fit(x, ilk.Flow(layers=1, width=16), budget=ilk.Steps(5)).save(at / "points.ilk")
    pictures = scenes(200, 1)[0]
    np.savez(at / "scenes.npz", x=pictures)
    Pillow.fromarray(pictures[0]).save(at / "one.png")
    ilk.fit(Image().read(pictures, ilk.Limits()), ilk.GMM(components=2), budget=ilk.Steps(3)).save(at / "scenes.ilk")
    pl.DataFrame({"rain": [0, 0, 1, 1] * 60, "wet": ["no", "no", "yes", "yes"] * 60, "day": ["a", "b"] * 120}).write_csv(at / "rain.csv")
    ilk.fit(at / "rain.csv", ilk.ChowLiu()).save(at / "rain.ilk")
    return at


def run(capture: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    capture.readouterr()
    code = main([*map(str, words), "--json"])
    out: dict[str, Any] = json.loads(capture.readouterr().out)
    assert code == (2 if "error" in out else 0)
    return out


def test_attribute(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "attribute", home / "points.ilk", home / "points.npz", "--to", "right", "--examples", home / "points.npz", "--keep", "`1` > 0", "--strength", 2,
              "--item", 3, "--item", 5, "--out", tmp_path / "made.npy")
    made, data = np.load(tmp_path / "made.npy"), ilk.read(home / "points.npz")
    same = ilk.attribute(ilk.load(home / "points.ilk"), data.items[[3, 5]], to="right", examples=data, keep=["`1` > 0"], strength=2)
    assert out["way"] == "direction" and out["n"] == 2 and list(out["others"]) == ["`1` > 0"] and bool((made == same.items).all()) and bool((made[:, 0] > 0).all())
    assert run(capsys, "attribute", home / "points.ilk", home / "points.npz", "--to", "right")["error"]["code"] == "EXAMPLES"
    assert run(capsys, "attribute", home / "points.ilk", home / "points.npz")["error"]["code"] == "OPTION"


def test_background(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "background", home / "scenes.ilk", home / "one.png", "-n", 2, "--seed", 4, "--out", tmp_path / "made.npz")
    made = np.load(tmp_path / "made.npz")["x"]
    same = ilk.background(ilk.load(home / "scenes.ilk"), scenes(200, 1)[0][:1], n=2, seed=4)
    assert bool((made == same.items).all()) and out["n"] == 2 and 0.05 < out["foreground"][0] < 0.5 and out["met"] == same.met
    assert run(capsys, "background", home / "rain.ilk", home / "rain.csv")["error"]["code"] == "CAPABILITY"


def test_transfer(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Pillow.fromarray((ilk.Rng(2).uniform(20, 24, 3).numpy() * 255).astype(np.uint8)).save(tmp_path / "like.png")
    out = run(capsys, "transfer", home / "scenes.npz", "--like", tmp_path / "like.png", "--item", 1, "--out", tmp_path / "made.npz")
    made = np.load(tmp_path / "made.npz")["x"]
    assert made.shape == (1, SIDE, SIDE, 3) and out["style"] > 0.5 and 0 < out["content"] < 1
    assert run(capsys, "transfer", home / "one.png")["error"]["code"] == "OPTION"
    assert run(capsys, "transfer", home / "one.png", "--like", home / "one.png", "--strength", 2)["error"]["code"] == "OPTION"


def test_counterfactual(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rows.csv").write_text("rain,wet,day\n0,no,b\n1,yes,a\n")
    out = run(capsys, "counterfactual", home / "rain.ilk", tmp_path / "rows.csv", "--want", "wet == 'yes'", "--keep", "day", "--out", tmp_path / "made.csv")
    assert pl.read_csv(tmp_path / "made.csv").rows() == [(1, "yes", "b"), (1, "yes", "a")]
    assert out["of"] == [0, 1] and out["changed"] == [1, 0] and min(out["sure"]) > 0.9
    assert run(capsys, "counterfactual", home / "rain.ilk", tmp_path / "rows.csv", "--want", "wet == 'yes'", "--keep", "rain", "--item", 0)["error"]["code"] == "TOO_RARE"
    assert run(capsys, "counterfactual", home / "rain.ilk", tmp_path / "rows.csv")["error"]["code"] == "OPTION"
