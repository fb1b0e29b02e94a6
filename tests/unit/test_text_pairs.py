"""Pairs of texts: a file of records with a source becomes texts with captions, in their order and splits, and a model is prompted with a source."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import ilk
from ilk.cli import main
from ilk.errors import DataError

torch.set_num_threads(1)
WORDS = {"red": "rot", "blue": "blau", "dog": "hund", "cat": "katze", "sees": "sieht", "hears": "hoert"}
PAIRS = [(f"{a} {b} {c}", f"{WORDS[c]} {WORDS[b]} {WORDS[a]}") for a in ("red", "blue") for b in ("dog", "cat") for c in ("sees", "hears")]


def written(at: Path, pairs: list[tuple[str, str]]) -> Path:
    at.write_text("".join(json.dumps({"from": a, "text": b}) + "\n" for a, b in pairs))
    return at


def test_every_text_keeps_its_own_source(tmp_path: Path) -> None:
    data = ilk.read(written(tmp_path / "pairs.jsonl", PAIRS), ilk.Text(source="from"))
    assert data.items == [b for _, b in PAIRS] and data.captions is not None and list(data.captions.texts) == [a for a, _ in PAIRS]
    plain = ilk.read(tmp_path / "pairs.jsonl")
    assert plain.captions is None and plain.items == data.items
    folder = tmp_path / "splits"
    folder.mkdir()
    for name, part in (("train", PAIRS[:5]), ("test", PAIRS[5:])):
        written(folder / f"{name}.jsonl", part)
    split = ilk.read(folder, ilk.Text(source="from"))
    assert split.captions is not None
    for name, part in (("train", PAIRS[:5]), ("test", PAIRS[5:])):
        assert [(split.captions.texts[i], split.items[i]) for i in split.index(name).tolist()] == part


@pytest.mark.parametrize(("lines", "option", "why"), [
    (['{"text": "a"}'], "from", "from"), (['{"text": "a", "from": 3}'], "from", "line 1"), (["[1]"], "from", "no object"),
    (['{"text": "a", "from": "b"}', '{"text": "a", "from": ["b"]}'], "from", "line 2")])
def test_what_is_no_source_is_refused_with_its_place(tmp_path: Path, lines: list[str], option: str, why: str) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(DataError, match=why):
        ilk.read(tmp_path / "a.jsonl", ilk.Text(source=option))


def test_lines_have_no_source(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match="records"):
        ilk.read(tmp_path / "a.txt", ilk.Text(source="from"))
    written(tmp_path / "some.jsonl", PAIRS)
    with (tmp_path / "some.jsonl").open("a") as file:
        file.write('{"text": "alone"}\n')
    data = ilk.read(tmp_path / "some.jsonl", ilk.Text(source="from"))
    assert data.captions is not None and data.captions.texts[-1] == "" and data.items[-1] == "alone"


@pytest.mark.slow
def test_a_model_of_pairs_is_prompted_from_the_command_line(tmp_path: Path, capsys: Any) -> None:
    """Fitted, saved, loaded and asked by flags alone; the seen source brings back its own text."""
    at, made = written(tmp_path / "pairs.jsonl", PAIRS * 30), tmp_path / "model.ilk"
    flags = ["--source", "from", "--family", "transformer", "--conditioning", "cross", "--layers", "1", "--width", "32", "--heads", "2", "--context", "24"]
    assert main(["fit", str(at), *flags, "--steps", "120", "-o", str(made)]) == 0
    capsys.readouterr()
    assert main(["sample", str(made), "-n", "1", "--prompt", PAIRS[0][0], "--how", "top_k", "--k", "1"]) == 0
    assert capsys.readouterr().out.strip() == PAIRS[0][1]
    model = ilk.load(made)
    assert sum(model.given(ilk.Prompt(a)).sample(1, how=ilk.TopK(k=1)) == [b] for a, b in PAIRS) >= 6
