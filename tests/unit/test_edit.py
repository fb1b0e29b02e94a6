"""Editing: what is kept is kept to the bit, what is made anew is not, codes lead there and back."""
from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import ilk
from ilk.errors import UsageError
from ilk.modalities.image import Image
from ilk.region import Named, Region, parse
from ilk.verbs.edit import edited


@pytest.fixture(scope="module")
def digits() -> np.ndarray[Any, Any]:
    from sklearn.datasets import load_digits

    return (load_digits().images * 15.9).astype(np.uint8)[:600]


@pytest.fixture(scope="module")
def diffusion(digits: np.ndarray[Any, Any]) -> ilk.Model:
    return ilk.fit(Image().read(digits, ilk.Limits()), ilk.FlowMatching(net=ilk.UNet2D(width=16, head=16)), budget=ilk.Steps(250), seed=1)


def test_known_pixels_stay_and_others_change(diffusion: ilk.Model, digits: np.ndarray[Any, Any]) -> None:
    face = digits[5:6, ..., None]
    made = diffusion.edit(face, ilk.box(0, 4, 8, 8), n=20, seed=3)
    assert made.shape == (20, 8, 8, 1) and bool((made[:, :, :4] == face[:, :, :4]).all())
    assert np.abs(made[:, :, 4:].astype(int) - face[:, :, 4:]).mean() > 5
    assert len({m.tobytes() for m in made}) == 20
    around = diffusion.edit(face, ilk.outside(ilk.box(2, 2, 6, 6)), n=3)
    assert bool((around[:, 2:6, 2:6] == face[:, 2:6, 2:6]).all()) and not bool((around == face).all())


def test_the_made_part_fits_the_kept_one(diffusion: ilk.Model, digits: np.ndarray[Any, Any]) -> None:
    """Right halves made for left halves are nearer to the true ones than those of other digits are."""
    gains = []
    for i in range(8):
        made = diffusion.edit(digits[i:i + 1, ..., None], ilk.box(0, 4, 8, 8), n=10, seed=i).astype(float)[:, :, 4:, 0]
        true, other = digits[i, :, 4:].astype(float), digits[(i + 13) % 500:][:10, :, 4:].astype(float)
        gains.append(np.square(other - true).mean() - np.square(made - true).mean())
    assert np.mean(gains) > 2000   # 3075 to 3548 over three seeds


def test_variations_and_the_way_between(diffusion: ilk.Model, digits: np.ndarray[Any, Any]) -> None:
    a, b = digits[0:1, ..., None], digits[1:2, ..., None]
    near, far = (np.abs(ilk.vary(diffusion, a, s, n=6, seed=1).astype(float) - a).mean() for s in (0.05, 0.9))
    assert near < 10 < 35 < far   # 2.1 to 3.5, and 51 to 55
    way = ilk.interpolate(diffusion, a, b, n=7).astype(float)
    assert way.shape[0] == 7 and np.abs(way[0] - a).mean() < 1 > np.abs(way[-1] - b).mean()
    assert np.abs(way[3] - a).mean() > np.abs(way[1] - a).mean()


def test_rows_and_texts() -> None:
    rows = pl.DataFrame({"a": [0, 1] * 60, "b": ["x", "y"] * 60, "c": [1.5, 2.5] * 60})
    model = ilk.fit(rows, ilk.GMM(components=2), seed=1)
    made = model.edit(rows[1:2], ["b"], n=30)
    assert made["a"].unique().to_list() == [1] and made["c"].unique().to_list() == [2.5] and made["b"].unique().to_list() == ["y"]
    text = ilk.fit(["the cat sat", "the dog sat", "a cat ran"] * 30, ilk.NGram(order=4))
    assert all(t.startswith("the c") for t in text.edit(["the cow"], ilk.after(5), n=5))


LINES = ["the cat sat", "the dog sat", "a cat ran", "a dog ran off"] * 30


@pytest.mark.slow
def test_the_middle_of_a_text_is_made_anew() -> None:
    """Grown between its ends by insertion, met by rejection where a text is written from its beginning, and refused where hardly any ends so."""
    for family, met in ((ilk.Insertion(layers=1, heads=2, width=16), "guided"), (ilk.NGram(order=4), "rejected")):
        model = ilk.fit(LINES, family, budget=ilk.Steps(30), seed=1)
        made = edited(model, ["the cow sat", "a cat ran"], "between:2,7", n=10, seed=2)
        assert made.met == met and len(set(made.items)) > 4
        assert all(text.startswith("th") and text.endswith(" sat") for text in made.items[:10]) and all(t.startswith("a ") and t.endswith("an") for t in made.items[10:])
        assert all(text.startswith("the") for text in model.edit(LINES[:1], ilk.between(3, 90), n=5))   # nothing after it: written to any end
    with pytest.raises(UsageError, match="too rare"):
        model.edit(["the cat sat off the dog"], ilk.between(4, 7))


@pytest.mark.parametrize("tokens", ["bytes", pytest.param("bpe", marks=pytest.mark.slow)])
def test_the_ends_of_a_text_are_a_rule(tokens: Any) -> None:
    """Whatever a token is, the share of texts that end so is what the model says, and both ends are obeyed."""
    model = ilk.fit(ilk.read(LINES, ilk.Text(tokens=tokens, vocabulary=260)), ilk.NGram(order=4), seed=1)
    free = np.mean([t.endswith("at") for t in model.sample(1000, seed=1)])
    known = model.given("suffix == 'at'")
    assert np.exp(known.met.met.log_mass) == pytest.approx(free, abs=0.06)
    both = known.given("the ").sample(30)
    assert all(t.startswith("the ") and t.endswith("at") for t in both)
    with pytest.raises(UsageError, match="no text ends both with"):
        known.given(ilk.Keep({"suffix": "ran"}))


def test_every_item_is_edited_by_noise_of_its_own() -> None:
    """Two rows that keep the same have different others; each is what it is without the other; the second's noise is not the first's."""
    rows = pl.DataFrame({"a": [0] * 100, "x": [i / 7 for i in range(100)], "id": [f"row{i:03d}" for i in range(100)], "b": ["u", "v"] * 50})
    model = ilk.fit(rows, ilk.GMM(components=1), seed=1)
    two = model.edit(rows[:2], "x,b", n=50, seed=4)
    assert two["id"].to_list() == ["row000"] * 50 + ["row001"] * 50   # nothing can be asked of identifiers, and they stay
    assert two[:50].equals(model.edit(rows[:1], ["x", "b"], n=50, seed=4))
    assert np.abs(np.corrcoef(two["x"][:50], two["x"][50:])[0, 1]) < 0.4
    made = model.edit(rows[:3], "outside:a", n=2)
    assert made["id"].to_list() == [f"row{i}" for i in range(100, 106)]   # made afresh, no two alike


@pytest.mark.parametrize(("text", "region"), [
    ("box:8,8,24,24", ilk.box(8, 8, 24, 24)), (" box: 1, 2,3 ,4", ilk.box(1, 2, 3, 4)), ("outside:box:0,0,1,1", ilk.outside(ilk.box(0, 0, 1, 1))), ("after:40", ilk.after(40)),
    ("between: 3,7", ilk.between(3, 7)),
    ("age", Named(("age",))), ("age, hours per week ,城市", Named(("age", "hours per week", "城市"))), ("`a,b:c`,`d``e`", Named(("a,b:c", "d`e"))),
    ("outside:`box:x`,y", ilk.outside(Named(("box:x", "y")))), ("`box:1`", Named(("box:1",)))])
def test_regions_in_writing(text: str, region: Region) -> None:
    assert parse(text) == region


@pytest.mark.parametrize("bad", ["", " ", ",", "a,", "a,,b", "`a", "a`b`", "`a` b", "box:", "box:1,2,3", "box:1,2,3,4,5", "box:a,b,c,d", "box:1,2,3,-4", "box:1.5,2,3,4",
                                 "bax:1,2,3,4", "after:", "after:1,2", "after:x", "after:-1", "between:", "between:3", "between:7,3",
                                 "outside:between:1,2", "outside:", "outside:after:3", "outside:outside:after:3", "a:b"])
def test_what_is_no_region(bad: str) -> None:
    with pytest.raises(UsageError) as why:
        parse(bad)
    assert why.value.code == "REGION" and why.value.remedy


def test_a_pixel_is_named_with_or_without_its_channel() -> None:
    parts = {"0,0,0": 1, "0,0,1": 2, "0,1,0": 3, "0,10,0": 4}
    assert parse("`0,0`").kept(parts) == {"0,1,0": 3, "0,10,0": 4} and parse("`0,1`").kept(parts) == {"0,0,0": 1, "0,0,1": 2, "0,10,0": 4}
    assert parse("`0,0,1`").kept(parts) == {"0,0,0": 1, "0,1,0": 3, "0,10,0": 4}
    for bad in ("0", "`0,2`", "`1,0`"):
        with pytest.raises(UsageError, match="no part"):
            parse(bad).kept(parts)


def test_what_can_not_be_edited() -> None:
    rows = pl.DataFrame({"a": [0, 1] * 60, "b": ["x", "y"] * 60})
    model = ilk.fit(rows, ilk.GMM(components=2), seed=1)
    with pytest.raises(UsageError, match="no part 'z'"):
        model.edit(rows[:1], ["z"])
    with pytest.raises(UsageError, match="no row and column"):
        model.edit(rows[:1], ilk.box(0, 0, 1, 1))
    with pytest.raises(UsageError, match="there is no item"):
        model.edit(rows[:0], ["a"])
    with pytest.raises(UsageError, match="n is 0"):
        model.edit(rows[:1], ["a"], n=0)
    with pytest.raises(UsageError, match="an end of the way is one"):
        ilk.interpolate(model, rows[:2], rows[:1])
    with pytest.raises(UsageError, match="lacks Encodes"):
        ilk.vary(model, rows[:1])
    with pytest.raises(UsageError, match="only texts"):
        model.edit(rows[:1], ilk.after(3))
