"""fit(target, start=model): no steps leave the model as it is; a related model helps where the target has few items; what differs is refused."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.distribution import Adapts


def rows(seed: int, n: int = 300, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n) + shift
    return pl.DataFrame({"x": x, "y": 2 * x + 0.3 * rng.standard_normal(n), "k": [f"k{int(v > shift)}" for v in x]})


def likes(seed: int, n: int, shift: float) -> pl.DataFrame:
    """Sixteen yes/no answers of four sorts of people; those of the target say yes to the first two more often."""
    rng = np.random.default_rng(seed)
    chance = np.random.default_rng(0).choice([0.08, 0.92], (4, 16))[rng.integers(4, size=n)]
    chance[:, :2] = 1 - (1 - chance[:, :2]) * (1 - shift)
    return pl.DataFrame({f"q{j}": np.where(rng.uniform(size=n) < chance[:, j], "yes", "no") for j in range(16)})


TABLES = [ilk.MADE(), ilk.VAE(codes=2), ilk.Flow(), ilk.Diffusion(), ilk.GAN(), ilk.GMM(components=3), ilk.Circuit(hidden=4)]


@pytest.mark.parametrize("family", TABLES, ids=lambda f: type(f).__name__)
def test_no_steps_change_nothing(family: Any) -> None:
    """The state after 0 steps is that of the model, to the bit, whatever the new data."""
    model = ilk.fit(rows(1), family, budget=ilk.Steps(5))
    again = ilk.fit(rows(2, 60, 0.5), start=model, budget=ilk.Steps(0))
    old, new = model.body.state().tensors, again.body.state().tensors
    assert old.keys() == new.keys() and all(torch.equal(old[k], new[k]) for k in old)
    assert again.card["start_sha256"] and again.card["items"] != model.card["items"]


@pytest.mark.parametrize("family", [ilk.Transformer(width=16, layers=1), ilk.RNN(width=16), ilk.HMM(states=3)], ids=lambda f: type(f).__name__)
def test_no_steps_change_nothing_of_texts(family: Any) -> None:
    texts = ["the cat sat", "a dog ran", "the dog sat on a cat"] * 20
    model = ilk.fit(texts, family, budget=ilk.Steps(3))
    again = ilk.fit(["a cat ran"] * 20 + ["the cat"] * 10, start=model, budget=ilk.Steps(0))
    old, new = model.body.state().tensors, again.body.state().tensors
    assert old.keys() == new.keys() and all(torch.equal(old[k], new[k]) for k in old)


def test_mixtures_adapt_too() -> None:
    frame = pl.DataFrame({c: [f"{c}{(i * j) % 3}" for i in range(200)] for j, c in enumerate("abcd", 1)})
    model = ilk.fit(frame, ilk.Mixture(components=2))
    again = ilk.fit(frame[:50], start=model, budget=ilk.Steps(0))
    old, new = model.body.state().tensors, again.body.state().tensors
    assert all(torch.equal(old[k], new[k]) for k in old)


@pytest.mark.slow
@pytest.mark.learns
@pytest.mark.parametrize("family", [ilk.MADE(width=64), ilk.Mixture(components=4), ilk.Circuit(hidden=8)], ids=lambda f: type(f).__name__)
def test_a_related_model_helps_where_items_are_few(family: Any) -> None:
    """Forty target rows after 1,000 related ones beat forty alone, on every seed, and do not lose what the related model knew; the circuit beats it, too."""
    gains, over = [], []
    for seed in range(3):
        source, target, test = likes(10 + seed, 1000, 0.0), likes(20 + seed, 40, 0.6), likes(30 + seed, 1000, 0.6)
        kind = ilk.read(pl.concat([source, target, test])).modality
        first = ilk.fit(ilk.read(source, kind), family, seed=seed, budget=ilk.Steps(100))
        alone = ilk.fit(target, family, like=first, seed=seed, budget=ilk.Steps(100))
        both = ilk.fit(target, start=first, seed=seed, budget=ilk.Steps(100))
        gains.append(both.score(test).mean - alone.score(test).mean)
        over.append(both.score(test).mean - first.score(test).mean)
    assert min(gains) > 0.1 and min(over) > -0.2, (gains, over)
    assert not isinstance(family, ilk.Circuit) or sum(over) > 0.1, over


def test_it_goes_on_rather_than_anew() -> None:
    """On the very data that it knows, one more step starts where the model stands, not from random weights."""
    model = ilk.fit(rows(1), ilk.MADE(), budget=ilk.Steps(400))
    assert model.body.begun is False   # type: ignore[attr-defined]
    more = ilk.fit(rows(1), start=model, budget=ilk.Steps(1))
    anew = ilk.fit(rows(1), ilk.MADE(), budget=ilk.Steps(1))
    assert more.score(rows(3)).mean > anew.score(rows(3)).mean + 0.5 and abs(more.score(rows(3)).mean - model.score(rows(3)).mean) < 0.1


def test_the_same_seed_gives_the_same_bytes() -> None:
    model = ilk.fit(rows(1), ilk.MADE(width=16), budget=ilk.Steps(5))
    one, two = (ilk.fit(rows(2), start=model, budget=ilk.Steps(5), seed=3).body.state().tensors for _ in range(2))
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_labels_are_those_of_the_model() -> None:
    """A target with one of the labels, under another number, is told as the model knows it; a strange label is refused."""
    x = np.random.default_rng(0).standard_normal((200, 2))
    data = replace(ilk.read(x), labels=ilk.Labels(torch.arange(200) % 3, ("a", "b", "c")))
    model = ilk.fit(data, ilk.VAE(codes=2), budget=ilk.Steps(3))
    few = replace(ilk.read(x[:60]), labels=ilk.Labels(torch.zeros(60, dtype=torch.long), ("c",)))
    again = ilk.fit(few, start=model, budget=ilk.Steps(2))
    assert again.labels == ("a", "b", "c") and again.card["label_counts"][:2] == [0, 0] and again.card["label_counts"][2] > 40
    with pytest.raises(ilk.IlkError, match="no label 'z'"):
        ilk.fit(replace(few, labels=ilk.Labels(few.labels.codes, ("z",))), start=model)   # type: ignore[union-attr]
    with pytest.raises(ilk.IlkError, match="these data have none"):
        ilk.fit(x[:60], start=model)


def test_a_checkpoint_is_of_its_start(tmp_path: Path) -> None:
    """A fit that is stopped and goes on is the fit that never stopped; from another model it is refused."""
    model, other = (ilk.fit(rows(s), ilk.MADE(width=16), budget=ilk.Steps(5)) for s in (1, 4))
    whole = ilk.fit(rows(2), start=model, run=ilk.Run(budget=ilk.Steps(30)))

    class Stop:
        def __init__(self, run: Any) -> None:
            self.run = run

        def __call__(self, event: Any) -> None:
            if type(event).__name__ == "Validated":
                self.run.switch.exit_code = 130

    run = ilk.Run(budget=ilk.Steps(30), checkpoint=tmp_path / "c")
    run = replace(run, listeners=(Stop(run),))
    with pytest.raises(ilk.IlkError, match="stopped"):
        ilk.fit(rows(2), start=model, run=run)
    with pytest.raises(ilk.IlkError, match="another fit"):
        ilk.fit(rows(2), start=other, run=ilk.Run(budget=ilk.Steps(30), checkpoint=tmp_path / "c", resume=True))
    resumed = ilk.fit(rows(2), start=model, run=ilk.Run(budget=ilk.Steps(30), checkpoint=tmp_path / "c", resume=True))
    one, two = whole.body.state().tensors, resumed.body.state().tensors
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_what_is_refused() -> None:
    model = ilk.fit(rows(1), ilk.GMM(components=2))
    for data, code, said in ((rows(1).rename({"x": "z"}), "CODING", "codes its items differently"), (rows(1).with_columns(k=pl.lit("k9")), "CODING", "never seen in training"),
                             (rows(1).with_columns(x=pl.lit(None, pl.Float64)), "CODING", "codes its items differently")):
        with pytest.raises(ilk.IlkError, match=said) as why:
            ilk.fit(data, start=model)
        assert why.value.code == code and why.value.remedy
    with pytest.raises(ilk.IlkError, match="another recipe"):
        ilk.fit(rows(1), ilk.GMM(components=3), start=model)
    with pytest.raises(ilk.IlkError, match="differently"):
        ilk.fit(rows(1), start=model, like=ilk.fit(rows(2).with_columns(k=pl.lit("k9")), ilk.GMM(components=2)))
    words = pl.DataFrame({"a": ["x", "y"] * 30, "b": ["u", "v", "v"] * 20})
    tree = ilk.fit(words, ilk.ChowLiu())
    assert not isinstance(tree.body, Adapts)
    with pytest.raises(ilk.IlkError, match="lacks Adapts") as why:
        ilk.fit(words, start=tree)
    assert "start + ilk.fit(target, like=start)" in str(why.value.remedy)
    with pytest.raises(ilk.IlkError, match="0 steps"):
        ilk.fit(words, ilk.Mixture(components=2), budget=ilk.Steps(0))
