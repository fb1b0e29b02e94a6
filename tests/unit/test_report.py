"""Reports: what is on the page, in both languages, escaped, the same bytes for the same seed; what a card keeps of a fit; charts by their numbers."""
from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import ilk
from ilk import registry
from ilk.cli import main
from ilk.dataset import Dataset, split_dataset
from ilk.errors import ResourceError, UsageError
from ilk.metrics._runs import longest
from ilk.modality import Shown
from ilk.model import Model, card_text
from ilk.pages import charts, words
from ilk.pages.page import Example, Grid, Section, Text, number, width, write
from ilk.run import Validated
from ilk.space import Discrete, Many, Maybe, Reals, Row
from ilk.verbs import _card, _sections
from ilk.verbs._nearby import near
from ilk.verbs._shown import told
from ilk.verbs.evaluate import Evaluation, Figure
from ilk.verbs.fit import POINTS, History
from ilk.verbs.report import report

torch.set_num_threads(1)
HOSTILE = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "path", "link"}


def dice(key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


@cache
def table() -> tuple[Model, Dataset[Any]]:
    """Rows with markup for values and names, and a missing cell now and then."""
    g = dice(1)
    x = g.normal(0, 1, 150)
    y, noise = x + g.normal(0, 0.1, 150), g.normal(0, 1, 150)
    frame = pl.DataFrame({f"a{HOSTILE}": np.where(x > 0, HOSTILE, '"&amp;'), "x": np.round(x, 2), "y": np.round(y, 2), "noise": np.round(noise, 2)})
    data = split_dataset(ilk.read(frame.with_columns(x=pl.when(pl.Series(g.random(150) > 0.1)).then("x"))))
    return ilk.fit(data, ilk.GMM(components=2), seed=3), data


@cache
def pictures() -> tuple[Model, Dataset[Any]]:
    """Bars that are up or across, by label; a network that learned for a moment."""
    g = dice(2)
    items = np.zeros((80, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(80) % 2
    for i, at in enumerate(g.integers(0, 8, 80)):
        items[i, at, :, 0] = 200 * labels[i]
        items[i, :, at, 0] += np.uint8(55 + 200 * (1 - labels[i])) * (labels[i] == 0)
    data = split_dataset(registry.get("modalities", "image")().dataset(items, labels, {}))
    return ilk.fit(data, ilk.Diffusion(net=ilk.UNet2D(width=8, head=16, groups=4), levels=1), run=ilk.Run(seed=1, budget=ilk.Steps(120), batch=16)), data


@cache
def texts() -> tuple[Model, Dataset[Any]]:
    g = dice(3)
    lines = ["".join(g.choice(list("ab <b>月&"), 12)) + f" {i}" for i in range(120)]
    data = split_dataset(ilk.read(lines))
    return ilk.fit(data, ilk.NGram(order=3)), data


class Reader(HTMLParser):
    """Tags, texts, addresses; and whether every tag is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.links: list[str] = []
        self.said: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.open += [] if tag in VOID else [tag]
        self.links += [v for k, v in attrs if k in ("src", "href", "data", "action", "srcset")]
        assert not [k for k, _ in attrs if k.startswith("on")]

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def read(page: Path) -> Reader:
    """A page that holds itself: well nested, no script, nothing from elsewhere."""
    text = page.read_text(encoding="utf-8")
    found = Reader(text)
    assert not found.open and not {"script", "iframe", "object", "link", "form"} & set(found.tags)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in found.links)
    assert not re.findall(r"url\(|@import|https?://", re.sub(r'src="data:[^"]*"', "", text))
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_table(language: str, tmp_path: Path) -> None:
    model, data = table()
    found = report(model, tmp_path / "r.html", data, language=language, n=40)
    page, text = read(found.page), found.page.read_text(encoding="utf-8")
    said = words.WORDS[language]
    assert found.sections == tuple(said[k] for k in ("what", "items", "figures", "nearest", "card"))
    assert all(f"<h2>{title}</h2>" in text for title in found.sections) and f'<html lang="{said["html"]}">' in text
    assert HOSTILE not in text and text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10 and HOSTILE in "".join(page.said)
    assert list(tmp_path.iterdir()) == [found.page]


def test_figures_are_those_of_evaluate(tmp_path: Path) -> None:
    model, data = table()
    found = report(model, tmp_path / "r.html", data, n=40, seed=5)
    own = ilk.evaluate(model, data, 40, 5)
    assert found.evaluation is not None and [(f.name, f.value) for f in found.evaluation.metrics] == [(f.name, f.value) for f in own.metrics]
    said = read(found.page).said
    assert all(f.name in said and number(f.floor) in said for f in own.metrics) and number(own["nats"].value) in " ".join(said)
    assert "it is about text" in said and "bits_per_character" in " ".join(said)


@pytest.mark.parametrize(("kind", "judged"), [(pictures, False), (table, True), (texts, True)])
def test_same_seed_same_bytes(kind: Any, judged: bool, tmp_path: Path) -> None:
    model, data = kind()
    against = data.test if judged else None
    pages = [report(model, tmp_path / name, against, language="zh", n=8, seed=seed).page.read_bytes() for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert pages[0] == pages[1] != pages[2]


def test_pictures(tmp_path: Path) -> None:
    model, data = pictures()
    found = report(model, tmp_path / "r.html", data, n=16)
    page = read(found.page)
    assert found.sections == tuple(words.EN[k] for k in ("what", "items", "curves", "figures", "nearest", "stream", "by_label", "card"))
    assert len([link for link in page.links if link.startswith("data:")]) == 2 + 8 + 8 * 8 + 2 * 8
    assert (tmp_path / "r.html").stat().st_size < 500_000


def test_strip_ends_with_what_sample_makes() -> None:
    """The states are those of `stream`, decoded; the last row of pictures is the sampler's answer."""
    model, data = pictures()
    about = told(model, data, words.EN, 4)
    (board,) = _sections.stream(about)
    assert isinstance(board, Grid) and list(board.head) == [f"{i}/8" for i in range(1, 9)] and len(board.rows) == 8
    rng = ilk.Rng(4).child("stream")
    made = model.body.sample(8, rng.child("code"), ilk.Heun(steps=8))
    items = model.codec.decode(model.lift.decode(made), rng.child("raw"))
    assert [row[-1] for row in board.rows] == [about.body(items[i:i + 1]) for i in range(8)]
    assert all(row[0] != row[-1] for row in board.rows)


def test_texts(tmp_path: Path) -> None:
    model, data = texts()
    found = report(model, tmp_path / "r.html", data, language="zh", n=30)
    page = read(found.page)
    assert words.ZH["nearest"] in found.sections and page.tags.count("mark") == 6
    marked = [re.fullmatch(r"连续 (\d+) 个字符相同", t) for t in page.said]
    assert sum(m is not None for m in marked) == 6


def test_without_data(tmp_path: Path) -> None:
    model, _ = pictures()
    found = report(model, tmp_path / "r.html")
    assert found.evaluation is None and found.sections == tuple(words.EN[k] for k in ("what", "items_alone", "curves", "stream", "by_label", "card"))
    assert read(found.page).said


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("judged", [False, True])
def test_a_model_that_makes_nothing_has_a_page_without_samples(language: str, judged: bool, tmp_path: Path) -> None:
    """Real items and the same by way of their codes; no figures, since there is nothing to judge."""
    x = np.round(dice(2).normal(0, 1, (120, 2)), 3)
    labels = ilk.Labels(torch.arange(120) % 2, ("low", "high"))
    coded = ilk.fit(x, ilk.Autoencoder(codes=1, net=ilk.MLP(width=8)), budget=ilk.Steps(5))
    between = ilk.fit(replace(ilk.read(x), labels=labels), ilk.CycleGAN(pool=4, net=ilk.MLP(width=8)), budget=ilk.Steps(2))
    for model in (coded, between):
        found = report(model, tmp_path / "page.html", x if judged else None, language=language)
        page, back = found.page.read_text(encoding="utf-8"), words.words_of(language)["back_items"]
        assert found.evaluation is None and words.words_of(language)["items_kept"] in found.sections and words.words_of(language)["mute"] in page
        assert (back in page) == (judged and model is coded) and words.words_of(language)["made_items"] not in page
        assert (f"{x[0, 0]:g}"[:4] in page) or not judged


def test_a_page_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("old")
    with pytest.raises(ResourceError):
        write(tmp_path / "r.html" / "below.html", "t", "l", [])
    with pytest.raises(UsageError, match="en or zh"):
        report(table()[0], page, language="fr")
    assert page.read_text() == "old" and list(tmp_path.iterdir()) == [page]


def test_blocks_are_escaped(tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    write(page, HOSTILE, HOSTILE, [Section(HOSTILE, [Text(HOSTILE, HOSTILE), Example(HOSTILE, HOSTILE), Grid(HOSTILE, [HOSTILE], [[HOSTILE]])])])
    assert "".join(read(page).said).count(HOSTILE) == 11 and page.read_text().count("&lt;script&gt;") == 12   # once more for the label of a cell


def test_languages_are_level() -> None:
    for key, (english, chinese) in words.TABLE.items():
        assert english.strip() and chinese.strip(), key
        fields = [{f for _, f, _, _ in Formatter().parse(t) if f} for t in (english, chinese)]
        assert fields[0] == fields[1], key
        assert key in ("state", "html", "pixels") or re.search(r"[\u4e00-\u9fff，]", chinese), key
    assert words.EN.keys() == words.ZH.keys()


def test_chinese_names_are_of_what_there_is() -> None:
    assert set(words.METRICS) <= set(registry.names("metrics")) and set(words.FAMILIES) <= set(registry.names("families"))
    assert set(words.MODALITIES) <= set(registry.names("modalities")) and all(a and b for a, b in words.METRICS.values())
    assert words.metric_of(words.ZH, "c2st")[0].endswith("（c2st）") and words.metric_of(words.ZH, "pip_gap") == words.metric_of(words.EN, "pip_gap")


@pytest.mark.parametrize(("space", "english", "chinese"), [
    (Reals((2, 3)), "2 x 3 numbers", "2 x 3 个数"),
    (Maybe(Discrete(3)), "one of 3, or missing", "3 个值之一，或缺失"),
    (Row({"a": Reals()}), "a row of 1", "由 1 个部分组成的一行"),
    (Many(Discrete(5), 9, True), "up to 9 of: one of 5", "至多 9 个：5 个值之一"), (Discrete((2, 4), (2,)), "2 whole numbers below 4", "2 个小于 4 的整数")])
def test_spaces(space: Any, english: str, chinese: str) -> None:
    assert words.space_of(words.EN, space) == english and words.space_of(words.ZH, space) == chinese


def test_reasons() -> None:
    assert words.reason_of(words.ZH, "it is about array and image") == "只用于数组，图片" and words.reason_of(words.ZH, "needs train, holdout") == "缺少训练条目，未见过的条目"
    assert words.reason_of(words.ZH, "there are <no> columns") == "there are <no> columns"


def test_history_is_kept_with_the_model(tmp_path: Path) -> None:
    model, _ = pictures()
    history = model.card["history"]
    assert [s for s, _ in history] == [100, 120] and all(isinstance(s, int) and loss == float(f"{loss:.6g}") for s, loss in history)
    assert model.card["run"] == {"steps": 120, "batch": 16} and "history" not in table()[0].card
    again = ilk.load(model.save(tmp_path / "m"))
    assert again.card == model.card and "history" not in card_text(again) and "history" not in (tmp_path / "m" / "card.md").read_text()
    facts = json.loads((tmp_path / "m" / "ilk.json").read_text())
    assert facts["card"]["history"] == history


def test_history_is_short_and_keeps_its_ends() -> None:
    history = History()
    for step in range(1, 1001):
        history(Validated(step, 1 / step, True))
    history(Validated(1000, 1 / 1000, False))
    history(Validated(1001, float("nan"), False))
    points = history.facts()["history"]
    assert len(points) == POINTS and points[0] == [1, 1.0] and points[-1] == [1000, 0.001] and points == sorted(points)
    assert History().facts() == {}


def test_stages_have_a_curve_each() -> None:
    model, _ = pictures()
    staged = replace(model, card={**model.card, "history": [[5, 3.0], [10, 2.0], [5, 9.0], [10, 8.0]]})
    (gallery,) = _sections.curves(told(staged, None, words.EN, 0))
    assert [c.caption for c in gallery.cells] == [words.EN["stage"].format(number=i) for i in (1, 2)]


def test_longest_run_is_the_longest_common_substring() -> None:
    g = dice(4)
    for _ in range(30):
        a, b = ("".join(g.choice(list("ab"), n)) for n in (20, 40))
        best = max((j - i for i in range(20) for j in range(i, 21) if a[i:j] in b), default=0)
        found = longest(a, b)
        assert found.letters == best and a[found.first:found.first + best] in b
    assert longest("a\0b", "a\0b").letters == 1   # runs don't go across texts


def test_nearest_picture_is_the_nearest() -> None:
    model, data = pictures()
    made = data.test[:5]
    found = near(model, made, data, ilk.Rng(0))
    assert found is not None and found.unit == "pixels"
    train = data.train.reshape(len(data.train), -1) / 255
    far = np.sqrt(((made.reshape(5, 1, -1) / 255 - train) ** 2).sum(2))
    assert np.allclose(found.distance.numpy(), far.min(1), atol=1e-5)
    assert found.held is not None and np.array_equal(found.held[:5], found.distance)   # the made ones are held-out ones here
    copies = near(model, data.train[:4], data, ilk.Rng(0))
    assert copies is not None and copies.distance.max() == 0 and np.array_equal(copies.items[copies.index.numpy()], data.train[:4])


def test_histogram_is_of_the_shares() -> None:
    real, made = pl.DataFrame({"x": [0.0] * 75 + [25.0] * 25}), pl.DataFrame({"x": [0.0] * 50 + [25.0] * 50})
    (cell,) = charts.marginals(real, made)
    tops = [[float(y) for y in re.findall(r"V(\d+)H", d)] for d in re.findall(r' d="([^"]+)"', cell.body)]
    assert [t[0] for t in tops] == [0.0, round(1000 * (1 - 50 / 75))] and [t[-1] for t in tops] == [round(1000 * (1 - 25 / 75)), round(1000 * (1 - 50 / 75))]
    assert cell.caption == "x" and ">0<" in cell.body and ">25<" in cell.body


def test_bars_are_of_the_shares() -> None:
    real, made = pl.DataFrame({"c": ["u", "u", "u", None]}), pl.DataFrame({"c": ["u", None, None, None]})
    (cell,) = charts.marginals(real, made, "缺失")
    assert re.findall(r"width:([\d.]+)%", cell.body) == ["100.0", "33.3", "33.3", "100.0"] and "缺失" in cell.body


def test_pairs_lean_on_each_other_most() -> None:
    _, data = table()
    assert charts.pairs(data.train, data.test, 1) == [("x", "y")]
    cells = charts.pair(data.train, data.test, "x", "y", ("真实", "生成"))
    assert [c.caption for c in cells] == ["真实: y / x", "生成: y / x"] and cells[1].body.count("h0") == len(data.test.drop_nulls(["x", "y"]))
    assert charts.pairs(pl.DataFrame({"c": ["u"]}), pl.DataFrame({"c": ["u"]})) == []


def test_curve_marks_its_least() -> None:
    drawn = charts.curve([[10, 4.0], [20, 2.0], [30, 3.0]])
    assert 'd="M0 0L500 1000L1000 500"' in drawn and 'class="best" d="M500 1000h0"' in drawn
    assert "M0 1000" in charts.curve([[1, 2.0], [2, 2.0]])


@pytest.mark.parametrize(("floor", "ceiling", "better", "at"), [
    (0.2, 0.8, "higher", "50.0"), (0.8, 0.2, "lower", "50.0"), (0.6, 0.8, "higher", "0.0"), (0.3, 0.4, "real", "100.0")])
def test_track(floor: float, ceiling: float, better: str, at: str) -> None:
    figure = Figure("m", 0.5, None, 9, floor, ceiling, better)
    assert f"left:{at}%" in _sections._track(figure)


def test_no_track_without_both_ends() -> None:
    for figure in (Figure("m", 0.5, None, 9, None, 0.8, "higher"), Figure("m", 0.5, 0.1, 9, 0.2, 0.2, "lower"), Figure("m", 0.5, 0.1, 9, 0.6, 0.2, "middle")):
        assert _sections._track(figure) == ""
    empty = Evaluation((), {})
    assert [b.kind for b in _sections.figures(told(*table(), words.EN, 0), empty)] == ["grid"]


def test_command_fits_the_same_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What the card says to do gives the same weights."""
    monkeypatch.chdir(tmp_path)
    table()[1].items.write_csv("a b.csv")
    assert main(["fit", "a b.csv", "--family", "made", "--width", "16", "--steps", "3", "--batch", "20", "--seed", "4", "-o", "one.ilk"]) == 0
    said = _card.again(ilk.load("one.ilk"))
    assert shlex.split(said)[:3] == ["ilk", "fit", "a b.csv"] and "--width 16" in said and "--steps 3" in said and "--batch 20" in said
    assert main([*shlex.split(said)[1:], "-o", "two.ilk"]) == 0
    assert sha256(Path("one.ilk/model.safetensors").read_bytes()).digest() == sha256(Path("two.ilk/model.safetensors").read_bytes()).digest()
    capsys.readouterr()


def test_python_where_flags_cannot_say_it() -> None:
    model, _ = pictures()
    assert _card.again(model) == "ilk.fit('', ilk.Diffusion(levels=1, net=ilk.UNet2D(width=8, head=16, groups=4)), run=ilk.Run(seed=1, budget=ilk.Steps(120), batch=16))"


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "iris", "--family", "gmm", "--components", "1", "-o", "m.ilk"]) == 0
    capsys.readouterr()
    assert main(["report", "m.ilk", "--out", "r.html", "--language", "zh", "-n", "30", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["report"] == "r.html" and said["bytes"] == Path("r.html").stat().st_size and said["sections"][0] == words.ZH["what"] and "column_shapes" in said["metrics"]
    assert main(["report", "m.ilk", "--against", "nowhere.csv"]) == 3 and not Path("report.html").exists()


def test_command_line_without_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    table()[0].save("m.ilk")
    assert main(["report", "m.ilk"]) == 0
    out = capsys.readouterr()
    assert "no real items" in out.err and words.EN["items_alone"] in out.out and "bars" not in Path("report.html").read_text().split("</style>")[1]


def test_numbers_and_widths() -> None:
    assert [number(v) for v in (None, 0.0, -0.00001, 1234.5, 0.12345)] == ["", "0", "-1e-05", "1,234", "0.1235"]
    made = BytesIO()
    Image.new("L", (37, 5)).save(made, "PNG")
    assert width(Shown("image/png", made.getvalue())) == 37 and width(Shown("text/plain", b"x" * 30)) == 0
