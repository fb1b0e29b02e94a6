"""The gallery: a small picture for every line of its table, and the program that draws them draws the same."""
from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from ._pages import ROOT, script

HOME = ROOT / "docs" / "pictures" / "gallery"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    return script("make_gallery")


def test_pictures_are_small(make: ModuleType) -> None:
    there = {at.stem: at.stat().st_size for at in HOME.glob("*.png")}
    assert set(there) == set(make.DRAWN) and max(there.values()) < 60_000


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_every_picture(make: ModuleType, language: str) -> None:
    page = (ROOT / "docs" / language / "gallery.md").read_text(encoding="utf-8")
    assert [name for name in make.DRAWN if f"pictures/gallery/{name}.png" not in page] == []


@pytest.mark.slow
def test_pictures_are_those_of_the_program(make: ModuleType, tmp_path: Path) -> None:
    make.draw(tmp_path, ["gmm"])
    drawn, kept = (np.asarray(Image.open(folder / "gmm.png").convert("L"), dtype=float) for folder in (tmp_path, HOME))
    assert drawn.shape == kept.shape and abs(drawn - kept).mean() < 2
