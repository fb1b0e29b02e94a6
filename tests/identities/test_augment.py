"""augment: made items are given where a judge is shown to gain by them, and refused where they can't help."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.rng import Rng
from ilk.verbs.augment import _gain


def clouds(seed: int, n: int, rare: float, apart: float = 1.3) -> pl.DataFrame:
    """Two round clouds of five numbers; rows of the rare one are few."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(size=n) < rare
    x = rng.standard_normal((n, 5)) + apart * y[:, None]
    return pl.DataFrame({**{f"x{j}": x[:, j] for j in range(5)}, "kind": np.where(y, "rare", "common")})


@pytest.mark.parametrize("seed", range(3))
def test_labels_that_are_noise_are_refused(seed: int) -> None:
    """Where nothing tells the classes apart, no made item can help: nothing is given back but the real rows."""
    found = ilk.augment(clouds(seed, 500, 0.15, apart=0.0), by="kind", family=ilk.GMM(components=1), repeats=3, seed=seed)
    assert not found.helps and found.balanced.low <= 0 and not found.synthetic.any() and len(found.items) == 500 and found.many == (0, 0)


@pytest.mark.slow
@pytest.mark.learns
def test_a_rare_class_gains() -> None:
    """Twelve rare rows to learn from among 600, and a test set with enough of them: recall rises, and its interval is clear of 0."""
    table = ilk.read(pl.concat([clouds(1, 750, 0.025), clouds(2, 3000, 0.1)]))
    data = replace(table, splits={"train": torch.arange(750), "test": torch.arange(750, 3750)})
    found = ilk.augment(data, by="kind", family=ilk.GMM(components=2, covariance="tied"), repeats=3)
    rare = found.recalls["rare"]
    assert found.helps and found.rare == "rare" and rare.low > 0 and rare.value > 0.05
    assert len(found.items) == 750 + int(found.synthetic.sum()) and found.many[1] == found.synthetic.sum() and set(found.items["kind"][750:].to_list()) == {"rare"}


def test_arrays_and_pictures_with_labels() -> None:
    """Forced, any labelled data get items of the classes that have few, as many as were said."""
    rng = np.random.default_rng(0)
    y = (np.arange(120) % 6 == 0).astype(int)
    x = (rng.uniform(size=(120, 8, 8)) * 100 + 150 * y[:, None, None]).astype(np.uint8)
    data = replace(ilk.read(x), labels=ilk.Labels(torch.from_numpy(y), ("dark", "light")))
    assert type(data.modality).__name__ == "Image"
    found = ilk.augment(data, repeats=2, force=True, budget=ilk.Steps(20))
    assert found.items.shape[1:] == (8, 8, 1) and found.many[0] == 0 and found.many[1] > 0 and found.codes[-1] == 1
    assert found.rare == "light" and 0 <= found.accuracy.both <= 1 and len(found.codes) == len(found.items) == 120 + sum(found.many)


@pytest.mark.parametrize("family", [None, ilk.VAE(codes=2)], ids=["a model of each class", "one model told the class"])
def test_arrays(family: Any) -> None:
    """Made items are of their class: a family that can't be told labels is fitted to each class alone."""
    rng = np.random.default_rng(1)
    y = (np.arange(200) % 8 == 0).astype(int)
    data = replace(ilk.read(rng.standard_normal((200, 2)) + 6.0 * y[:, None]), labels=ilk.Labels(torch.from_numpy(y), ("left", "right")))
    found = ilk.augment(data, family=family, repeats=2, force=True, budget=ilk.Steps(150))
    made = found.items[found.synthetic.numpy()]
    assert len(made) == found.many[1] > 0 and found.many[0] == 0 and made.mean() > 4


def test_the_same_seed_gives_the_same_answer() -> None:
    table = clouds(3, 200, 0.2)
    one, two = (ilk.augment(table, by="kind", family=ilk.GMM(components=1), repeats=2, seed=5, force=True) for _ in range(2))
    assert one.items.equals(two.items) and one.balanced == two.balanced


def test_test_items_choose_nothing() -> None:
    """Other test rows give another verdict, but the same made rows, chosen alike."""
    table = ilk.read(pl.concat([clouds(4, 300, 0.1), clouds(5, 200, 0.2), clouds(6, 200, 0.2, apart=0.0)]))
    found = [ilk.augment(replace(table, splits={"train": torch.arange(300), "test": test}), by="kind", family=ilk.GMM(components=1), repeats=2, force=True)
             for test in (torch.arange(300, 500), torch.arange(500, 700))]
    assert found[0].items.equals(found[1].items) and found[0].many == found[1].many and found[0].balanced != found[1].balanced


def test_the_interval_covers() -> None:
    """Of a gain that is known, 95 % intervals hold it about that often: 4 repeats of 400 items, 60 times."""
    rng, hold, true = np.random.default_rng(1), 0, 0.1
    for i in range(60):
        hard = rng.uniform(size=400)   # what is hard is hard in every repeat
        right = torch.tensor(np.stack([np.stack([hard < 0.6, hard < 0.6 + true]) for _ in range(4)]), dtype=torch.float64)
        found = _gain({0: right}, Rng(i))
        hold += found.low <= true <= found.high
    assert hold / 60 >= 0.85


def test_what_is_refused() -> None:
    rows: Any
    for rows, by, said in ((clouds(1, 100, 0.2), "x0", "no class"), (clouds(1, 100, 0.0).with_columns(kind=pl.Series(["rare"] + ["common"] * 99)), "kind", "to learn from"),
                           (np.zeros((50, 2)) + np.arange(50)[:, None], "label", "no class `label`"), (["a text", "another"] * 20, "label", "no judge of text")):
        with pytest.raises(ilk.IlkError, match=said):
            ilk.augment(rows, by=by)
