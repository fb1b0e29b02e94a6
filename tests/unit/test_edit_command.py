"""`ilk edit`, `vary` and `interpolate`: what is kept comes back from the file as it was; what can't be meant is told, never a traceback."""
from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image as Pillow

import ilk
from ilk.cli import main
from ilk.modalities.image import Image


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

    def refuses(self, code: str, *words: object) -> str:
        """With exit code 2, one line and a remedy; and the same as JSON."""
        exit, out, error = self(*words)
        assert exit == 2 and out == "" and error.startswith(f"ilk: error[{code}]: ") and error.count("\n") == 1, error
        told = json.loads(self(*words, "--json")[1])["error"]
        assert told["code"] == code and f"ilk: error[{code}]: {told['message']}\n" == error
        return error


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models and items for each."""
    from sklearn.datasets import load_digits

    at = tmp_path_factory.mktemp("edit")
    pixels = (load_digits().images * 15.9).astype(np.uint8)[:300]
    np.savez(at / "digits.npz", x=pixels)
    Pillow.fromarray(pixels[5]).save(at / "one.png")
    ilk.fit(Image().read(pixels, ilk.Limits()), ilk.VAE(), budget=ilk.Steps(5)).save(at / "vae.ilk")
    ilk.fit(Image().read(pixels, ilk.Limits()), ilk.GMM(components=2), budget=ilk.Steps(3)).save(at / "digits.ilk")
    x = ilk.Rng(1).normal(200).numpy()
    rows = pl.DataFrame({"x": x, "hours per week": [5 * (i % 9) for i in range(200)], "city": ["Lyon", "城", None, "a,b"] * 50,
                         "day": [f"2024-02-{1 + i % 29:02d}" for i in range(200)], "id": [f"p{i:04d}" for i in range(200)]})
    rows.write_csv(at / "rows.csv")
    rows[:4].write_csv(at / "four.csv")
    for name, family in (("gmm", ilk.GMM(components=2)), ("made", ilk.MADE(width=16))):
        ilk.fit(ilk.read(at / "rows.csv"), family, budget=ilk.Steps(5)).save(at / f"{name}.ilk")
    (at / "texts.txt").write_text("the cat sat on 城\nthe dog ran\n" * 20, "utf-8")
    (at / "two.txt").write_text("the cat ran on 城\nthe 城\n", "utf-8")
    ilk.fit(ilk.read(at / "texts.txt"), ilk.NGram(order=3)).save(at / "texts.ilk")
    return at


@pytest.fixture
def command(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    monkeypatch.chdir(home)
    pipe = signal.getsignal(signal.SIGPIPE)
    yield Command(capsys)
    signal.signal(signal.SIGPIPE, pipe)


@pytest.mark.parametrize("model", ["gmm", "made"])
@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_cells_that_are_kept_come_back(command: Command, tmp_path: Path, model: str, to: str) -> None:
    """To the bit, in all 17 digits; missing ones and those that nothing can be asked of among them."""
    command.ok("edit", f"{model}.ilk", "four.csv", "--redo", "`hours per week`", "-n", 20, "--seed", 3, "--out", tmp_path / f"o.{to}")
    before, after = pl.read_csv("four.csv"), getattr(pl, f"read_{to}")(tmp_path / f"o.{to}")
    kept = ["x", "city", "day", "id"]
    assert after.height == 80 and after.columns == before.columns
    assert after[kept].equals(before[kept][[i // 20 for i in range(80)]])
    assert after["hours per week"].n_unique() > 3 and set(after["hours per week"]) <= set(range(0, 45, 5))


def test_a_rule_holds_for_what_is_made(command: Command) -> None:
    made = pl.read_csv(command.ok("edit", "made.ilk", "four.csv", "--redo", "`hours per week`,x", "--given", "`hours per week` > 20", "-n", 9).encode())
    assert made["hours per week"].min() > 20 and made["city"].to_list() == [c for c in ("Lyon", "城", None, "a,b") for _ in range(9)]  # type: ignore[operator]


@pytest.mark.parametrize(("redo", "rows", "columns", "inside"), [("box:0,4,8,8", (0, 8), (4, 8), True), ("box:6,2,99,5", (6, 8), (2, 5), True),
                                                                 ("outside:box:2,2,6,6", (2, 6), (2, 6), False)])
def test_pixels_that_are_kept_come_back(command: Command, tmp_path: Path, redo: str, rows: Any, columns: Any, inside: bool) -> None:
    goes = np.full((8, 8), not inside)
    goes[slice(*rows), slice(*columns)] = inside
    one = np.asarray(Pillow.open("one.png"))
    command.ok("edit", "digits.ilk", "one.png", "--redo", redo, "--out", tmp_path / "o.png")
    command.ok("edit", "digits.ilk", "digits.npz", "--item", 5, "--item", 0, "--redo", redo, "-n", 4, "--out", tmp_path / "o.npz")
    picture, several, source = np.asarray(Pillow.open(tmp_path / "o.png")), np.load(tmp_path / "o.npz")["x"][..., 0], np.load("digits.npz")["x"]
    assert bool((picture[~goes] == one[~goes]).all()) and not bool((picture[goes] == one[goes]).all())
    assert several.shape == (8, 8, 8) and bool((several[:, ~goes] == source[[5] * 4 + [0] * 4][:, ~goes]).all())
    assert len({s.tobytes() for s in several}) == 8


def test_beginnings_that_are_kept_come_back(command: Command, tmp_path: Path) -> None:
    command.ok("edit", "texts.ilk", "two.txt", "--redo", "after:6", "-n", 8, "--out", tmp_path / "o.jsonl")
    made = [json.loads(line)["text"] for line in (tmp_path / "o.jsonl").read_text("utf-8").splitlines()]
    assert [t[:6 if i < 8 else 5] for i, t in enumerate(made)] == ["the ca"] * 8 + ["the 城"] * 8 and len(set(made)) > 2


def test_a_text_that_is_one_whole(command: Command, tmp_path: Path) -> None:
    """It is not split by place, and what is made of it has an end."""
    text = "to be or not to be, that is the question. " * 30
    (tmp_path / "book.txt").write_text(text)
    model = ilk.fit([text, text[:900]], ilk.NGram(order=5))
    replace(model, modality=ilk.Text(per="whole")).save(tmp_path / "book.ilk")
    command.ok("edit", tmp_path / "book.ilk", tmp_path / "book.txt", "--redo", "after:1200", "--how", "ancestral", "--most", 20, "--out", tmp_path / "o.txt")
    made = (tmp_path / "o.txt").read_text()
    assert made[:1200] == text[:1200] and len(made) <= 1220


def test_the_answer_in_json(command: Command) -> None:
    told = json.loads(command.ok("edit", "made.ilk", "four.csv", "--item", 2, "--redo", "x, city", "-n", 2, "--seed", 5, "--json"))
    assert list(told) == ["out", "n", "seed", "how", "redo", "met", "items"]
    assert (told["n"], told["seed"], told["how"], told["redo"], told["met"]) == (2, 5, "default", "x, city", "exact")
    assert [row["day"] for row in told["items"]] == ["2024-02-03"] * 2


def test_variations_and_the_way_between(command: Command, tmp_path: Path) -> None:
    """The command does what the functions do."""
    model, pixels = ilk.load("vae.ilk"), np.load("digits.npz")["x"][..., None]
    command.ok("vary", "vae.ilk", "digits.npz", "--item", 5, "--item", 6, "--strength", 0.3, "-n", 3, "--seed", 2, "--out", tmp_path / "v.npz")
    assert bool((np.load(tmp_path / "v.npz")["x"] == ilk.vary(model, pixels[5:7], 0.3, n=3, seed=2)).all())
    assert bool((ilk.vary(model, pixels[5:7], 0.3, n=3, seed=2)[:3] == ilk.vary(model, pixels[5:6], 0.3, n=3, seed=2)).all())
    command.ok("interpolate", "vae.ilk", "digits.npz", "--item", 7, "--item", 2, "-n", 5, "--out", tmp_path / "w.npz")
    way = np.load(tmp_path / "w.npz")["x"]
    assert bool((way == ilk.interpolate(model, pixels[7:8], pixels[2:3], n=5)).all()) and len(way) == 5
    assert json.loads(command.ok("vary", "vae.ilk", "one.png", "--json"))["strength"] == 0.5


@pytest.mark.parametrize(("code", "words", "says"), [
    ("REGION", "gmm.ilk four.csv", "box:TOP,LEFT,BOTTOM,RIGHT"), ("REGION", "digits.ilk one.png --redo box:20,20,24,24", "rows are 0 to 7"),
    ("REGION", "digits.ilk one.png --redo box:1,2,3", "4 whole numbers"), ("REGION", "digits.ilk one.png --redo bax:1,2,3,4", "did you mean box?"),
    ("REGION", "digits.ilk one.png --redo after:3", "only texts"), ("REGION", "texts.ilk two.txt --redo box:1,2,3,4", "no row and column"),
    ("REGION", "texts.ilk two.txt --redo outside:after:3", "keeps its beginning"), ("COLUMN", "gmm.ilk four.csv --redo agee", "the parts are x, hours per week"),
    ("COLUMN", "digits.ilk one.png --redo 8,8,24,24", "`0,0,0`"), ("ITEMS", "gmm.ilk four.csv --redo x --item 4", "0 to 3"),
    ("OPTION", "gmm.ilk four.csv --redo x -n 0", "n is 0"), ("HOW", "gmm.ilk four.csv --redo x --how top_p", "does not draw from gmm"),
    ("UNKNOWN_HOW", "gmm.ilk four.csv --redo x --how topp", "top_p"), ("USAGE", "gmm.ilk", "--help")])
def test_what_is_no_edit(command: Command, code: str, words: str, says: str) -> None:
    assert says in command.refuses(code, "edit", *words.split())


@pytest.mark.parametrize(("code", "words"), [
    ("CAPABILITY", "vary gmm.ilk four.csv"), ("OPTION", "vary vae.ilk one.png --strength 2"), ("OPTION", "vary vae.ilk one.png -n 0"),
    ("ITEMS", "interpolate vae.ilk digits.npz"), ("ITEMS", "interpolate vae.ilk one.png"), ("OPTION", "interpolate vae.ilk digits.npz --item 0 --item 1 -n 1"),
    ("CAPABILITY", "interpolate gmm.ilk four.csv --item 0 --item 1")])
def test_what_can_not_be_varied(command: Command, code: str, words: str) -> None:
    assert command.refuses(code, *words.split())
