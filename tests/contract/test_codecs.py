"""Codecs on items that they were not learned from, on columns of every sort, and what they say of what is asked."""
from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.errors import DataError, UsageError
from ilk.given import Presence, Weigh
from ilk.modality import Limits
from ilk.rng import Rng
from ilk.rules import parse
from ilk.testing import check_codec

from .conftest import atoms, dates, dice, gaps, pictures, reals, small, texts, wide

FRAMES = {"small": small, "wide": wide, "gaps": gaps, "reals": reals, "atoms": atoms, "dates": dates}
RULES = {"small": ("`k k` < 2 and 城市 == '北京'", "城市 == None", "`k k` in [0, 3]", "flag not in ['y']"),
         "wide": ("w < 333 and w > 290", "w != 300 and a == 'u'", "w >= 700", "w == 301", "w < 0", "w in [250, 420, 421]"),
         "gaps": ("n > -1000", "n == None", "n <= 20 and f == 'y'", "n in [3, 17, 40]", "n == 12 and n > 7"),
         "reals": ("x < 1.2345 and x > -2", "x > 4 and y <= 0"), "atoms": ("paid == 0", "paid > 0", "paid < 1", "paid >= 0.5 and f == 'n'"),
         "dates": ("day < '2024-03-01'", "day == '2024-02-29'", "day > '2024-03-01' and day != '2024-03-05'")}


@pytest.mark.parametrize("name", FRAMES)
def test_tables(name: str) -> None:
    data = ilk.read(FRAMES[name]())
    half = data.modality.take(data.items, torch.arange(0, len(data), 2))
    for kind in data.modality.codecs():
        check_codec(kind, data.modality, half if name in ("reals", "wide") else data.items, data.items, [parse(r) for r in RULES[name]])


@pytest.mark.parametrize("tokens", ["characters", "bytes", "bpe"])
def test_texts(tokens: Any) -> None:
    data = ilk.read(texts(), ilk.Text(tokens=tokens, vocabulary=300))
    from ilk.rules import Test

    for kind in data.modality.codecs():
        check_codec(kind, data.modality, data.items[:200], [*data.items, *texts(50)], [(Test("prefix", "==", p),) for p in ("a", "ab", "月")])


@pytest.mark.parametrize("items", [pictures(), pictures().astype(np.int32) - 1, reals().to_numpy(), np.linspace(0, 1, 40, dtype=np.float32)])
def test_arrays(items: Any) -> None:
    data = ilk.read(items)
    place = ",".join("0" * len(data.modality.shape)) if data.modality.shape else "0"  # type: ignore[attr-defined]
    for kind in data.modality.codecs():
        check_codec(kind, data.modality, data.items, data.items, [parse(f"`{place}` > 0.5"), parse(f"`{place}` <= 1 and `{place}` >= 0")])


@pytest.mark.parametrize(("levels", "channels"), [(256, 1), (256, 3), (256, 4), (2, 1), (2, 3)])
def test_images(levels: int, channels: int) -> None:
    x = (dice(2).integers(0, levels, (60, 8, 9, channels)) * (255 // (levels - 1))).astype(np.uint8)
    data = ilk.Image().read(x, Limits())
    end = "" if channels == 1 else f",{channels - 1}"
    rules = (f"`0,0{end}` > 100", f"`7,8{end}` <= 200 and `2,3{end}` != 255", f"`1,2{end}` in [0, 3, 200]", f"`1,2{end}` >= 0", f"`4,4{end}` == 0 and `3,3{end}` == 255")
    assert [kind.keeps for kind in data.modality.codecs()] == ["bijection"] * (levels == 2) + ["refines", "bijection"]
    for kind in data.modality.codecs():
        check_codec(kind, data.modality, data.items[:30], data.items, [parse(rule) for rule in rules])


@pytest.mark.parametrize("values", [[0.1, 0.2, 0.30000000000000004] * 20, [1e-12, 2e-12, 5e-12] * 20, [1e15, 1e15 + 2, 1e15 + 6] * 20, [-0.0, 0.0, 1.5] * 20,
                                    [2**53 - 1, 0, 5] * 20, [7.25] * 40, [float(i) ** 3 for i in range(-30, 30)]])
def test_awkward_numbers_come_back(values: list[float]) -> None:
    data = ilk.read(pl.DataFrame({"x": values, "f": ["a", "b"] * (len(values) // 2)}))
    for kind in data.modality.codecs():
        check_codec(kind, data.modality, data.items, data.items)


def test_a_cell_that_was_never_seen_is_refused_by_place() -> None:
    data = ilk.read(small())
    codec = data.modality.codecs()[0].learned(data.modality, data.items)
    strange = data.items.head(3).with_columns(flag=pl.Series(["y", "n", "q"]))
    with pytest.raises(DataError, match='column "flag", row 3'):
        codec.encode(strange, Rng(0))
    with pytest.raises(DataError, match='column "flag" has a missing cell'):
        codec.encode(data.items.head(3).with_columns(flag=pl.Series(["y", None, "n"])), Rng(0))
    with pytest.raises(DataError, match='column "flag" is missing'):
        codec.encode(data.items.drop("flag"), Rng(0))


def test_missing_and_values_together() -> None:
    data = ilk.read(small())
    codec = data.modality.codecs()[-1].learned(data.modality, data.items)
    said = codec.given(parse("城市 == '北京'")).known["城市"]
    assert isinstance(said, Presence) and said.missing == -torch.inf and isinstance(said.of, Weigh) and said.of.tables[0].exp().tolist() in ([0, 1], [1, 0])
    gone = codec.given(parse("城市 == None")).known["城市"]
    assert isinstance(gone, Presence) and (gone.there, gone.missing) == (-torch.inf, 0.0)
    with pytest.raises(UsageError, match="missing and have a value"):
        codec.given(parse("城市 == None and 城市 == 'Lyon'"))


def test_numbers_outside_declared_bounds_are_not_made() -> None:
    data = ilk.Table(bounds={"w": (0, 800)}).read(wide(), Limits())
    for family in (ilk.MADE(width=16), ilk.GMM(components=1)):
        made = ilk.fit(data, family, run=ilk.Run(budget=ilk.Steps(30))).sample(30_000)["w"]
        assert made.is_between(0, 800).all()
