"""Captions: words of any script, beside pictures, told to a model by Prompt."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import ilk
from ilk.captions import Captions, Vocabulary, words_of
from ilk.cli import main
from ilk.errors import UsageError

SAID = {(0, 30): "dim left", (0, 250): "bright left", (4, 250): "bright right"}


def bars(many: int) -> ilk.Dataset:
    """Pictures of a bar, dim or bright at the left, or bright at the right; each says what it shows."""
    rng = np.random.default_rng(0)
    items, texts = [], []
    for (column, level), text in SAID.items():
        x = rng.integers(90, 110, (many, 8, 8, 1))
        x[:, :, column + 1:column + 3] = level + rng.integers(-5, 6, (many, 8, 2, 1))
        items.append(x)
        texts += [text] * many
    return replace(ilk.read(np.concatenate(items).astype(np.uint8)), captions=Captions.of(texts))


@pytest.fixture(scope="module")
def model() -> ilk.Model:
    return ilk.fit(bars(120), ilk.Diffusion(guidance=1.0, drop=0.3, levels=4, net=ilk.UNet2D(width=16, head=16)), run=ilk.Run(seed=0, budget=ilk.Steps(250)))


def shown(model: ilk.Model, text: str) -> tuple[float, float]:
    """Mean levels of the left and the right bar of what a prompt gives."""
    x = model.given(ilk.Prompt(text)).sample(64, seed=1).astype(float)
    return x[:, :, 1:3].mean(), x[:, :, 5:7].mean()


def test_words_of_scripts_with_and_without_spaces() -> None:
    assert words_of("Ein ROTER Kreis_2, 左边。") == ["ein", "roter", "kreis", "2", "左", "边"]
    known = Vocabulary.learned(["b a", "a c a", ""])
    assert known.words == ("a", "b", "c") and known.most == 3
    told = known.batch(["c zebra a a", "", "b"])
    assert told.lengths.tolist() == [3, 0, 1] and told.elements.tensor.tolist() == [2, 3, 0, 1]
    assert known.space.holds(told)


@pytest.mark.slow
def test_a_prompt_gives_what_its_caption_showed(model: ilk.Model) -> None:
    left, right = shown(model, "bright left")
    assert left > 200 and abs(right - 100) < 25
    left, right = shown(model, "dim left")
    assert left < 65 and abs(right - 100) < 25


@pytest.mark.slow
def test_without_a_prompt_all_kinds_are_made(model: ilk.Model) -> None:
    x = model.sample(200, seed=2).astype(float)
    left, right = x[:, :, 1:3].mean((1, 2, 3)), x[:, :, 5:7].mean((1, 2, 3))
    kinds = np.array([(left > 180), (left < 60), (right > 180)])
    assert ((kinds.mean(1) > 0.1) & (kinds.mean(1) < 0.6)).all()


@pytest.mark.slow
def test_captions_are_saved_and_score(model: ilk.Model, tmp_path: Path) -> None:
    again = ilk.load(model.save(tmp_path / "m"))
    asked = model.given(ilk.Prompt("bright right"))
    assert np.array_equal(again.given(ilk.Prompt("bright right")).sample(3, seed=5), asked.sample(3, seed=5))
    few = asked.sample(4, seed=3)
    wrong = model.given(ilk.Prompt("bright left"))
    assert asked.score(few).mean > wrong.score(few).mean + 20


@pytest.mark.slow
def test_prompts_that_say_nothing_are_refused(model: ilk.Model) -> None:
    with pytest.raises(UsageError, match="none of the words of 'zebra!'.*"):
        model.given(ilk.Prompt("zebra!"))
    plain = ilk.fit(np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8), ilk.Diffusion(net=ilk.UNet2D(width=8, head=8)), budget=ilk.Steps(2))
    with pytest.raises(UsageError, match="without captions"):
        plain.given(ilk.Prompt("left"))


def test_a_text_of_its_own_name_is_a_caption(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        Pillow.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "a.txt").write_text("a black\n square ", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("nothing", encoding="utf-8")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "b.png", "text": "ein 圆"}\n', encoding="utf-8")
    data = ilk.read(tmp_path)
    assert data.captions is not None and list(data.captions.texts) == ["a black square", "ein 圆", ""]
    assert any("1 of 3 pictures have no caption" in n for n in data.origin.notes) and any("notes.txt" in n for n in data.origin.notes)


def test_parts_of_a_context_may_go_untold() -> None:
    data = bars(60)
    both = replace(data, labels=ilk.Labels(torch.arange(180) // 60 % 2, ("even", "odd")))
    model = ilk.fit(both, ilk.FlowMatching(net=ilk.UNet2D(width=8, head=8)), run=ilk.Run(seed=0, budget=ilk.Steps(5)))
    assert set(model.body.about) == {"label", "caption"}
    for given in ((ilk.Label("odd"),), (ilk.Prompt("left"),), (ilk.Label("odd"), ilk.Prompt("left")), ()):
        made = model
        for g in given:
            made = made.given(g)
        assert made.sample(2).shape == (2, 8, 8, 1)


@pytest.mark.slow
def test_the_command_asks_by_prompt(model: ilk.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = str(model.save(tmp_path / "m"))
    assert main(["sample", at, "-n", "8", "--prompt", "bright right", "--out", str(tmp_path / "x.npz"), "--seed", "1"]) == 0
    with np.load(tmp_path / "x.npz") as file:
        assert np.array_equal(next(iter(file.values())), model.given(ilk.Prompt("bright right")).sample(8, seed=1))
    assert main(["sample", at, "--prompt", "zebra"]) == 2 and "words such as" in capsys.readouterr().err
