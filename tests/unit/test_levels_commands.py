"""`ilk upscale`, `beside`, `revise`, `denoise`, `invert` and `decode`: the commands do what the functions do; what can't be meant is told, never a traceback."""
from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image as Pillow

import ilk
from ilk.cli import main
from ilk.dataset import Dataset, numbers
from ilk.errors import DataError, UsageError
from ilk.nets.mlp import MLP

NET = MLP(width=16, depth=2)


class Command:
    """`ilk` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self.capture = capture

    def __call__(self, *words: object) -> tuple[int, str, str]:
        self.capture.readouterr()
        code = main([str(w) for w in words])
        return code, *self.capture.readouterr()

    def ok(self, *words: object) -> str:
        code, out, error = self(*words)
        assert code == 0, error
        return out


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of tiny pictures with labels, of pairs of pictures, of rows; and items for each."""
    at = tmp_path_factory.mktemp("levels")
    dice = np.random.Generator(np.random.Philox(key=1))
    pixels = (np.linspace(0, 200, 8)[None, :, None] * dice.random((60, 1, 1)) + dice.integers(0, 50, (60, 8, 8))).astype(np.uint8)[..., None]
    labelled = replace(ilk.read(pixels), labels=ilk.Labels(torch.arange(60) % 2, ("down", "up")))
    short = ilk.Steps(6)
    ilk.fit(labelled, ilk.Diffusion(net=NET), budget=short).save(at / "diffusion.ilk")
    ilk.fit(labelled, ilk.Diffusion(net=NET, drop=0.0), budget=short).save(at / "must.ilk")
    ilk.fit(labelled, ilk.Cascade(low=ilk.Diffusion(net=NET), high=ilk.Diffusion(net=NET), factor=2), budget=short).save(at / "cascade.ilk")
    ilk.fit(pixels, ilk.VAE(codes=4, net=NET), budget=short).save(at / "vae.ilk")
    ilk.fit(pixels, ilk.Flow(layers=2), budget=short).save(at / "flow.ilk")
    ilk.fit(pixels, ilk.GMM(components=1)).save(at / "gmm.ilk")
    for folder, some in (("photos", pixels), ("sketches", 255 - pixels[:, ::2, ::2])):
        (at / folder).mkdir()
        for i, x in enumerate(some[:12]):
            Pillow.fromarray(x[..., 0]).save(at / folder / f"{i}.png")
    frame = pl.DataFrame({"a": dice.normal(size=80), "b": dice.normal(size=80)})
    ilk.fit(frame, ilk.Diffusion(net=NET), budget=short).save(at / "rows.ilk")
    frame[:3].write_csv(at / "three.csv")
    np.savez(at / "some.npz", x=pixels[:5])
    np.savez(at / "small.npz", x=pixels[:4, ::2, ::2])
    Pillow.fromarray(pixels[0, ..., 0]).save(at / "one.png")
    return at


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    monkeypatch.chdir(home)
    yield Command(capsys)


def pictures(name: str) -> Any:
    return np.load(name)["x"]


def opened(name: str | Path) -> Any:
    with Pillow.open(name) as picture:
        return np.asarray(picture)


def test_upscale(command: Command, tmp_path: Path) -> None:
    model, small = ilk.load("cascade.ilk"), pictures("small.npz")
    command.ok("upscale", "cascade.ilk", "small.npz", "--draws", 3, "--seed", 2, "--how", "euler", "--steps", 4, "--label", "up", "--out", tmp_path / "large.npz")
    made = ilk.upscale(model.given(ilk.Label("up")), small, draws=3, seed=2, how=ilk.Euler(steps=4))
    assert made.shape == (4, 8, 8, 1) and np.array_equal(pictures(str(tmp_path / "large.npz")), made)
    assert not np.array_equal(made, ilk.upscale(model.given(ilk.Label("down")), small, draws=3, seed=2, how=ilk.Euler(steps=4)))
    assert np.array_equal(made[:2], ilk.upscale(model.given(ilk.Label("up")), small[:2], draws=3, seed=2, how=ilk.Euler(steps=4)))
    command.ok("upscale", "cascade.ilk", "small.npz", "--item", 1, "--out", tmp_path / "large.png")   # a path of pictures, read in their own size
    assert opened(tmp_path / "large.png").shape == (8, 8)


def test_beside(command: Command, tmp_path: Path) -> None:
    command.ok("fit", "photos", "--family", "diffusion", "--beside", "sketches", "--steps", 6, "--out", tmp_path / "pairs.ilk")
    model = ilk.load(tmp_path / "pairs.ilk")
    assert model.body.about == {"beside": ilk.Reals((1, 4, 4))} and model.modality.beside == ""
    command.ok("beside", tmp_path / "pairs.ilk", "sketches/3.png", "-n", 2, "--seed", 4, "--out", tmp_path / "made.npz")
    sketch = opened("sketches/3.png")[None, ..., None]
    assert np.array_equal(pictures(str(tmp_path / "made.npz")), ilk.beside(model, {"beside": sketch}, n=2, seed=4))
    data = ilk.Image(beside="sketches").read("photos", ilk.Limits())
    assert all(np.array_equal(s[..., 0], opened(f"sketches/{i}.png")) for i, s in zip(sorted(range(12), key=str), data.beside["beside"], strict=True))
    assert "beside" in model.told(data, torch.arange(3)) and ilk.score(model, replace(data, splits={"test": torch.arange(3)})).sort == "bound"


def test_revise(command: Command, tmp_path: Path) -> None:
    model, some = ilk.load("diffusion.ilk"), pictures("some.npz")
    command.ok("revise", "diffusion.ilk", "some.npz", "--strength", 0.4, "-n", 2, "--label", "up", "--how", "heun", "--steps", 5, "--out", tmp_path / "r.npz")
    made = ilk.revise(model.given(ilk.Label("up")), some, 0.4, n=2, how=ilk.Heun(steps=5))
    assert np.array_equal(pictures(str(tmp_path / "r.npz")), made)
    assert not np.array_equal(made, ilk.revise(model.given(ilk.Label("down")), some, 0.4, n=2, how=ilk.Heun(steps=5)))
    assert np.array_equal(ilk.revise(model, some, 0.0, n=2), some.repeat(2, 0))
    kept = ilk.revise(model.given({"0,3": 77, "7,7": 5}), some, 0.7)
    assert bool((kept[:, 0, 3, 0] == 77).all()) and bool((kept[:, 7, 7, 0] == 5).all())
    assert json.loads(command.ok("revise", "vae.ilk", "one.png", "--json"))["by"] == "codes"


def test_denoise(command: Command, tmp_path: Path) -> None:
    model, some = ilk.load("diffusion.ilk"), pictures("some.npz")
    command.ok("denoise", "diffusion.ilk", "some.npz", "--sigma", 20, "--out", tmp_path / "d.npz")
    made = ilk.denoise(model, some, sigma=20)
    assert np.array_equal(pictures(str(tmp_path / "d.npz")), made) and not np.array_equal(made, some)
    assert np.array_equal(ilk.denoise(model, some, sigma=0), some)
    told = json.loads(command.ok("denoise", "diffusion.ilk", "some.npz", "--json"))
    assert told["by"] == "expectation" and all(8 < s < 25 for s in told["sigma"])   # uniform noise of 50 levels: 14.4
    assert json.loads(command.ok("denoise", "vae.ilk", "some.npz", "--json"))["sigma"] is None


def test_invert_and_decode(command: Command, tmp_path: Path) -> None:
    for name, off in (("diffusion.ilk", 0.2), ("flow.ilk", 1e-4)):
        said = json.loads(command.ok("invert", name, "some.npz", "--out", tmp_path / "c.npy", "--json"))
        assert len(said["error"]) == 5 and max(said["error"]) < off
        command.ok("decode", name, tmp_path / "c.npy", "--out", tmp_path / "again.npz")
        found = ilk.invert(ilk.load(name), pictures("some.npz"))
        assert np.array_equal(np.load(tmp_path / "c.npy"), found.codes) and np.array_equal(pictures(str(tmp_path / "again.npz")), found.items)
    assert np.abs(found.items.astype(float) - pictures("some.npz")).max() <= 1
    one, other = (ilk.invert(ilk.load("diffusion.ilk").given(ilk.Label(label)), pictures("some.npz")).codes for label in ("up", "down"))
    assert one.shape == (5, 1, 8, 8) and not np.array_equal(one, other)
    assert ilk.invert(ilk.load("rows.ilk"), pl.read_csv("three.csv")).codes.shape == (3, 2)


@pytest.mark.parametrize(("code", "words", "says"), [
    ("CAPABILITY", "upscale diffusion.ilk small.npz", "lacks Upscales"), ("SHAPE", "upscale cascade.ilk some.npz", "8 x 8"),
    ("OPTION", "upscale cascade.ilk small.npz --draws 0", "n is 0"),
    ("HOW", "upscale cascade.ilk small.npz --how top_k", "does not draw from noise"), ("GIVEN", "upscale cascade.ilk small.npz --label left", "no label"),
    ("GIVEN", "beside diffusion.ilk one.png", "without 'beside'"), ("CAPABILITY", "beside gmm.ilk one.png", "lacks Draws"),
    ("OPTION", "revise diffusion.ilk one.png --strength 1.5", "strength is 1.5"), ("CAPABILITY", "revise gmm.ilk one.png", "lacks Revises"),
    ("GIVEN", "revise must.ilk one.png", "told label"), ("OPTION", "denoise diffusion.ilk one.png --sigma -1", "sigma"),
    ("CAPABILITY", "denoise gmm.ilk one.png", "lacks Restores"),
    ("CAPABILITY", "denoise flow.ilk one.png", "lacks Restores"), ("CAPABILITY", "denoise rows.ilk three.csv --sigma 1", "no common unit"),
    ("CAPABILITY", "invert gmm.ilk one.png", "lacks Encodes"), ("SHAPE", "decode flow.ilk small.npz", "are not in"), ("ITEMS", "invert flow.ilk some.npz --item 9", "0 to 4")])
def test_what_can_not_be_done_is_told(command: Command, code: str, words: str, says: str) -> None:
    exit_code, out, error = command(*words.split())
    assert exit_code in (2, 3) and out == "" and error.startswith(f"ilk: error[{code}]: ") and error.count("\n") == 1 and says in error, error


def test_what_lies_beside_is_checked(command: Command, tmp_path: Path) -> None:
    x = np.zeros((4, 8, 8), dtype=np.uint8)
    with pytest.raises(DataError, match="3 items of 'edges' beside 4"):
        replace(ilk.read(x), beside={"edges": x[:3]})
    with pytest.raises(UsageError, match="label"):
        replace(ilk.read(x), beside={"label": x})
    with pytest.raises(DataError, match="finite"):
        numbers(np.array([[np.nan]]))
    assert numbers(np.array([[[0, 255]]], dtype=np.uint8)).flatten().tolist() == [0.5 / 128 - 1, 255.5 / 128 - 1]
    data = replace(ilk.read(x), beside={"edges": x[:, :4], "depth": np.ones((4, 2))})
    assert isinstance(data, Dataset) and list(data.about) == ["edges", "depth"] and data.context(torch.tensor([1, 2]))["depth"].tensor.shape == (2, 2)
    (tmp_path / "some").mkdir()
    Pillow.fromarray(x[0]).save(tmp_path / "some" / "1.png")
    assert "has no picture for 11 of 12" in command("fit", "photos", "--beside", tmp_path / "some")[2]
    assert "no files of a folder" in command("fit", "some.npz", "--modality", "image", "--beside", "sketches")[2]
