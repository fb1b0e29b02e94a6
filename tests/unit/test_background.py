"""Regions by mask, what is taken for foreground, and backgrounds that change while the foreground stays to the bit."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import ilk
from ilk.errors import DataError, UsageError
from ilk.modalities.image import Image
from ilk.region import parse
from ilk.verbs._foreground import foreground

SIDE = 12


def scenes(n: int, seed: int, side: int = SIDE) -> tuple[Any, Any]:
    """Discs of a bright colour before a grainy background of a dark one, and where they are."""
    rng = ilk.Rng(seed)
    place, tint = rng.child("place").uniform(n, 3).numpy(), rng.child("tint").uniform(n, 1, 1, 3).numpy()
    y, x = np.mgrid[:side, :side]
    middle = side * (0.4 + 0.2 * place)
    disc = np.hypot(y - middle[:, 0, None, None], x - middle[:, 1, None, None]) < side * (0.2 + 0.08 * place[:, 2, None, None])
    grain = 16 * rng.child("grain").normal(n, side, side, 3).numpy()
    return np.where(disc[..., None], 235 - 40 * tint, 40 + 60 * tint[:, ::-1, :, ::-1] + grain).clip(0, 255).astype(np.uint8), disc


@pytest.fixture(scope="module")
def model() -> ilk.Model:
    return ilk.fit(Image().read(scenes(400, 1)[0], ilk.Limits()), ilk.GMM(components=2), budget=ilk.Steps(5), seed=1)


def test_the_foreground_is_what_stands_out() -> None:
    """Intersection over union with the truth, at two sizes."""
    for side, least in ((12, 0.9), (40, 0.95)):
        pictures, truth = scenes(5, 5, side)
        found = np.stack([foreground(p) for p in pictures])
        shares = (found & truth).sum((1, 2)) / (found | truth).sum((1, 2))
        assert shares.min() > 0.7 and shares.mean() > least   # smoothing costs small ones an edge pixel


def test_a_hole_belongs_to_what_is_around_it_and_specks_do_not() -> None:
    picture = np.full((30, 30, 3), 50, dtype=np.uint8)
    picture[8:22, 8:22] = 220
    picture[13:16, 13:16] = 50
    picture[3, 25] = 220
    found = foreground(picture)
    assert found[14, 14] and not found[3, 25] and found[8:22, 8:22].mean() > 0.95 and found.sum() <= 14 * 14 + 20


def test_nothing_stands_out() -> None:
    for picture in (np.full((16, 16, 1), 9, dtype=np.uint8), (ilk.Rng(3).uniform(16, 16, 1) * 255).byte().numpy()):
        with pytest.raises(DataError) as why:
            foreground(picture)
        assert why.value.code == "FOREGROUND" and why.value.remedy


def test_backgrounds_change_and_foregrounds_stay_to_the_bit(model: ilk.Model) -> None:
    pictures, truth = scenes(3, 7)
    made = ilk.background(model, pictures, n=4, seed=2)
    assert made.items.shape == (12, SIDE, SIDE, 3) and made.foreground.shape == (3, SIDE, SIDE) and made.met in ("exact", "estimate")
    for i, (picture, front) in enumerate(zip(pictures, made.foreground, strict=True)):
        mine = made.items[4 * i:4 * i + 4]
        assert bool((mine[:, front] == picture[front]).all()) and front[truth[i]].mean() > 0.8
        assert (mine[:, ~front] != picture[~front]).mean() > 0.9
    same = ilk.edit(model, pictures[:1], ilk.outside(ilk.mask(made.foreground[0])), n=4, seed=2)
    assert bool((same == made.items[:4]).all())


def test_masks(model: ilk.Model, tmp_path: Path) -> None:
    picture = scenes(1, 8)[0]
    where = np.zeros((SIDE, SIDE), dtype=bool)
    where[2:5, 3:9] = where[9, 0] = True
    by_mask, by_box = (ilk.edit(model, picture, region, n=2, seed=4) for region in (ilk.mask(where), ilk.outside(ilk.mask(~where))))
    assert bool((by_mask == by_box).all()) and bool((by_mask[:, ~where] == picture[0][~where]).all())
    Pillow.fromarray(where.astype(np.uint8) * 255).save(tmp_path / "hole, one.png")
    written = ilk.edit(model, picture, f"mask:{tmp_path}/hole, one.png", n=2, seed=4)
    around = ilk.edit(model, picture, f"outside:mask:{tmp_path}/hole, one.png", seed=4)
    assert bool((written == by_mask).all()) and bool((around[:, where] == picture[0][where]).all())


@pytest.mark.parametrize("bad", [[1, 0], [[1, 0]], np.zeros((2, 2, 1), dtype=bool), "x", None])
def test_what_is_no_mask(bad: Any) -> None:
    with pytest.raises(UsageError) as why:
        ilk.mask(bad)
    assert why.value.code == "REGION" and why.value.remedy


def test_masks_that_do_not_fit(model: ilk.Model, tmp_path: Path) -> None:
    picture = scenes(1, 8)[0]
    np.savez(tmp_path / "two.npz", x=np.zeros((2, SIDE, SIDE), dtype=np.uint8))
    (tmp_path / "no.png").write_bytes(b"none")
    for redo in (ilk.mask(np.ones((3, SIDE), dtype=bool)), ilk.mask(np.zeros((SIDE, SIDE), dtype=bool)), f"mask:{tmp_path}/two.npz"):
        with pytest.raises(UsageError) as why:
            ilk.edit(model, picture, redo)
        assert why.value.code == "REGION" and why.value.remedy
    for at in ("none.png", "no.png", ""):
        with pytest.raises((DataError, UsageError)):
            ilk.edit(model, picture, f"mask:{tmp_path}/{at}")
    with pytest.raises(UsageError, match="as a mask here"):
        parse("mask:x.png")
    with pytest.raises(UsageError, match="no pictures"):
        ilk.background(ilk.fit({"a": [0, 1] * 50, "b": ["x", "y"] * 50}, ilk.GMM(components=1)), {"a": [1], "b": ["x"]})
